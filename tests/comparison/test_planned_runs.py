"""What a comparison takes for the same run, before anything is trained."""

import json

import pytest
from support.paths import TOOLS
from support.tiny import write_tiny

from mmpaco.comparison.compare import Comparison, Request
from mmpaco.comparison.dry_run import Estimate
from mmpaco.comparison.outcome import publish
from mmpaco.comparison.selection import plan_trials, select
from mmpaco.methods import Refusal


@pytest.fixture(scope='module')
def here(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp('planned'))


def planned(here, *methods, config='tiny.py', work=None, **options):
    work = here / (work or f'work_{config}')
    request = Request(str(here / config), methods, work, TOOLS, **options)
    comparison = Comparison(request)
    comparison.plan()
    assert not comparison.refused
    return comparison


def test_a_second_stage_is_repeated_if_its_first_has_changed(here):
    first, same, other = (
        planned(here, 'supcon', settings={'supcon.temperature': x}).runs[0]
        for x in (0.1, 0.1, 0.5)
    )
    assert first.cfg.to_dict() == other.cfg.to_dict()
    assert first.after.cfg.to_dict() != other.after.cfg.to_dict()
    assert first.config_sha256 == same.config_sha256
    assert first.config_sha256 != other.config_sha256


@pytest.mark.parametrize(
    ('method', 'settings'),
    [
        # Which the method has, in two places or its second stage, or the
        # config.
        ('ldam-drw', {'scale': 30}),
        ('mislas', {'tail': 0}),
        ('cross-entropy', {'train_cfg.max_epochs': 4.0}),
        ('gpaco', {'gpaco.train_cfg.max_epochs': 4.0}),
    ],
)
def test_a_default_that_is_given_makes_no_other_run(here, method, settings):
    first, again = (
        planned(here, method, settings=x).runs[0] for x in ({}, settings)
    )
    assert first.config_sha256 == again.config_sha256
    changed = {key: x + 0.1 for key, x in settings.items()}
    other = planned(here, method, settings=changed).runs[0]
    assert first.config_sha256 != other.config_sha256


def test_a_run_in_more_processes_is_another_run(here):
    found = [
        planned(here, 'cross-entropy', gpus=x).runs[0].config_sha256
        for x in (0, 1, 2, 3)
    ]
    # Two of them have twice the batch.
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_what_is_random_can_be_set_but_for_the_seed(here):
    (here / 'random.py').write_text(
        "_base_ = 'tiny.py'\nrandomness = dict(deterministic=False)\n"
    )
    settings = {'randomness.deterministic': True}
    runs = planned(
        here, 'cross-entropy', config='random.py', settings=settings, seeds=2
    ).runs
    assert [x.cfg.randomness for x in runs] == [
        {'seed': seed, 'deterministic': True} for seed in (0, 1)
    ]
    with pytest.raises(Refusal, match='give --seeds'):
        planned(here, 'cross-entropy', settings={'randomness.seed': 5})


def ended(monkeypatch, figures):
    """Let runs end at once with figures of a validation set."""

    def end(comparison, runs):
        places = {run.dir for run in runs}
        assert len(places) == len({run.config for run in runs}) == len(runs)
        for run, figure in zip(runs, figures):
            run.prepare()
            run.note(seconds=1.0)
            text = json.dumps({'shot/all': figure})
            (run.dir / 'metrics.json').write_text(text)
        return []

    monkeypatch.setattr(Comparison, 'run_all', end)


def test_each_trial_has_its_own_place_and_nan_is_never_chosen(
    here, monkeypatch
):
    comparison = Comparison(
        Request(str(here / 'tiny.py'), ['gpaco'], here / 'chosen', TOOLS)
    )
    ended(monkeypatch, [float('nan'), 50.0, 60.0])
    key = 'optim_wrapper.optimizer.lr'
    choices = {f'gpaco.{key}': [0.1, -0.1, 0.2, 0.1]}
    found = select(comparison, plan_trials(comparison, choices))
    tried = found['methods']['gpaco']['tried']
    assert [x['setting'][key] for x in tried] == [0.1, -0.1, 0.2]
    assert [x['validation'] for x in tried] == [None, 50, 60]
    assert 'no finite shot/all' in tried[0]['failure']
    assert comparison.settings['gpaco'] == {key: 0.2}
    # The page tells it, too.
    comparison.plan()
    publish_failed(comparison, found)
    page = (comparison.folder / 'results.md').read_text()
    assert 'chosen by mean accuracy of all classes with one seed' in page
    assert f'\n- gpaco, {key} 0.1: FAILED\n- gpaco, {key} -0.1: 50' in page
    assert f'\n- gpaco, {key} 0.2: 60.00 % (chosen)\n' in page


@pytest.mark.parametrize(
    ('key', 'said'),
    [
        ('gpaco.alpha', 'of the method gpaco, which is not compared'),
        ('cross-entropi.model.x', r'did you mean cross-entropy\?\)'),
        ('train_cfg.max_epochs', 'none that is compared; compared are cross-'),
    ],
)
def test_a_choice_is_of_a_method_that_is_compared(here, key, said):
    comparison = planned(here, 'cross-entropy')
    with pytest.raises(Refusal, match=said):
        plan_trials(comparison, {key: [1, 2]})
    assert not (comparison.folder / 'select').exists()


def publish_failed(comparison, selection=None):
    for run in comparison.runs:
        run.prepare()
        run.close_failed('no memory')
    return publish(comparison, None, selection)


def test_a_page_tells_what_was_decided_and_what_it_leaves_out(here, capsys):
    (other,) = planned(here, 'balanced-softmax', work='page').runs
    other.prepare()
    (other.dir / 'metrics.json').write_text('{}')
    comparison = planned(here, 'crt', work='page')
    # Of an earlier call.
    old = comparison.folder / 'classes.png'
    old.touch()
    publish_failed(comparison)
    assert not old.exists()
    assert 'FAILED' in capsys.readouterr().out
    page = (comparison.folder / 'results.md').read_text()
    assert 'not named in this one: balanced-softmax. Name all' in page
    assert '\n\nHow crt was put on the config:\n- ' in page
    assert 'it expects at epoch_4.pth of crt, stage 1 (model.' in page
    # Who trains by hand is told another place.
    assert 'work_dirs' not in page
    (config,) = (comparison.folder / 'configs').glob('crt_stage2.py')
    assert '{{$STAGE1:work_dirs/crt/}}epoch_4.pth' in config.read_text()
    named = planned(here, 'crt', 'balanced-softmax', work='page')
    assert 'earlier call' not in ' '.join(publish_failed(named)['sentences'])


def test_the_runs_of_another_config_are_left_alone(here):
    (here / 'other.py').write_text("_base_ = './tiny.py'\n")
    common = planned(here, 'cross-entropy', work='one').common_path
    settings = {'train_cfg.max_epochs': 3}
    planned(here, 'cross-entropy', work='one', settings=settings)
    before = common.read_text()
    with pytest.raises(Refusal, match='another --work-dir'):
        planned(here, 'cross-entropy', work='one', config='other.py')
    assert common.read_text() == before


@pytest.mark.parametrize(
    ('own', 'added'),
    [
        (dict(items=('f1-score',)), True),
        (dict(average='macro'), True),
        (dict(average=None, items=('precision',)), True),
        (dict(average=None), False),
        (dict(average=None, items=('recall', 'f1-score')), False),
    ],
)
def test_recall_of_each_class_is_measured_once(here, own, added):
    metric = dict(type='SingleLabelMetric', **own)
    (here / 'own.py').write_text(
        f"_base_ = 'tiny.py'\ntest_evaluator = [{metric!r}]\n"
    )
    (run,) = planned(here, 'cross-entropy', config='own.py').runs
    metrics = run.cfg.test_evaluator
    classwise = [x for x in metrics if x.get('items') == ['recall']]
    assert len(classwise) == added


def test_a_dry_run_counts_the_start_of_each_process(here):
    found = {
        name: Estimate(run, 100, seconds=0.5, start=10.0).whole
        for name in ('cross-entropy', 'supcon')
        for run in planned(here, name).runs[0].stages[:1]
    }
    # The first stage of SupCon has no classifier to be tested.
    assert found == {'cross-entropy': 70, 'supcon': 60}
