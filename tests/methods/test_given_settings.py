"""Values that a user gives, by short names and by dotted keys."""

import pytest
from mmengine.config import Config

from mmpaco.methods import Facts, Method, Options, Plan, Refusal
from mmpaco.methods.given_settings import as_there, asked, complete, named
from mmpaco.methods.settings import merged

BASE = Config(
    dict(
        model=dict(head=dict(type='H', loss=dict(type='L')), depth=18),
        data=dict(pipeline=[dict(type='A'), dict(type='B', scale=224)]),
    )
)
METHOD = Method(
    'm',
    'mmpretrain',
    '',
    '',
    lambda *_: Plan({}),
    {'alpha': 'model.head.loss.alpha', 'smooth': 'model.head.loss.smooth'},
)


def result_of(plan, **given):
    done = complete(BASE, plan, METHOD, Options(given=given))
    return merged(BASE.to_dict(), done.settings), done


def plan():
    loss = dict(_delete_=True, type='P', alpha=0.05)
    return Plan(dict(model=dict(head=dict(loss=loss))))


def test_a_short_name_is_a_parameter_of_the_method():
    cfg, _ = result_of(plan(), alpha=0.1, smooth=0.2)
    assert cfg['model']['head']['loss'] == dict(
        type='P', alpha=0.1, smooth=0.2
    )


def test_a_parameter_may_be_in_a_part_that_is_not_there_yet():
    method = Method(
        'm', 'mmseg', '', '', lambda *_: Plan({}), {'n': 'model.new.loss.n'}
    )
    for name in ('n', 'model.new.loss.n'):
        done = complete(BASE, plan(), method, Options(given={name: 3}))
        assert done.settings['model']['new'] == dict(loss=dict(n=3))
    with pytest.raises(Refusal, match='model.new.loss.m'):
        given = {'model.new.loss.m': 3}
        complete(BASE, plan(), method, Options(given=given))


def test_a_method_reads_its_parameters_by_their_short_names():
    given = {'model.head.loss.alpha': 1, 'smooth': True, 'model.depth': [5]}
    assert named(given, METHOD) == {
        'alpha': 1,
        'smooth': True,
        'model.depth': [5],
    }
    with pytest.raises(Refusal, match='alpha is given twice'):
        named({**given, 'alpha': 1}, METHOD)
    for value in ('x', '', None, [1], float('nan')):
        with pytest.raises(Refusal, match='smooth must be a number'):
            named({'smooth': value}, METHOD)


def test_a_number_that_is_there_anyway_is_spelled_as_there():
    both = plan()
    both.settings['model']['head']['loss']['alpha'] = 30.0
    both.second_stage = Plan(dict(model=dict(depth=9.0)))
    given = {
        'alpha': 30,
        'smooth': 1,
        'model.depth': 18.0,
        'stage2.model.depth': 9,
        'data.pipeline': [],
        'no.such': 3,
    }
    found = as_there(given, BASE, both, METHOD)
    assert found == given
    kinds = {key: type(x).__name__ for key, x in found.items()}
    assert kinds == {
        'alpha': 'float',
        'smooth': 'int',
        'model.depth': 'int',
        'stage2.model.depth': 'float',
        'data.pipeline': 'list',
        'no.such': 'int',
    }
    given['alpha'] = 31
    assert as_there(given, BASE, both, METHOD)['alpha'] == 31


def test_a_dotted_key_is_one_of_the_result():
    given = {
        'model.depth': 50,
        'model.head.loss.alpha': 0.3,
        'data.pipeline.1.scale': 32,
    }
    cfg, done = result_of(plan(), **given)
    assert cfg['model']['depth'] == 50
    assert cfg['model']['head']['loss']['alpha'] == 0.3
    assert cfg['data']['pipeline'] == [
        dict(type='A'),
        dict(type='B', scale=32),
    ]
    # The plan itself stays as it was.
    assert plan() == plan()


@pytest.mark.parametrize(
    'key, near',
    [
        ('alhpa', 'alpha'),
        ('model.detph', 'model.depth'),
        ('data.pipeline.7.scale', 'data.pipeline.1.scale'),
        ('model.head.loss.beta', 'model.head.loss'),
        ('model.depth.x', 'model.depth'),
    ],
)
def test_a_key_that_nothing_has_is_refused(key, near):
    with pytest.raises(Refusal, match=f'{key}.*mean {near}'):
        result_of(plan(), **{key: 1})


@pytest.mark.parametrize(
    'key', ['model.head.loss.type', 'model.head.loss', 'model.head', 'model']
)
def test_what_a_method_consists_of_stays(key):
    with pytest.raises(Refusal, match=f'{key} is what the method consists'):
        result_of(plan(), **{key: None})


def test_a_method_reads_what_is_given_for_parts_of_the_base():
    before = BASE.to_dict()
    read = asked(
        BASE,
        {
            'model.depth': 50,
            'model.head.type': 'G',
            # Of the result alone, of a list, of what is no dict.
            'alpha': 1,
            'model.head.new': 2,
            'data.pipeline.1.scale': 32,
            'model.depth.x': 3,
        },
    )
    expected = BASE.to_dict()
    expected['model'].update(
        depth=50, head=dict(type='G', loss=dict(type='L'))
    )
    assert read.to_dict() == expected
    assert BASE.to_dict() == before


def test_a_value_is_for_each_stage_that_has_its_key():
    both = plan()
    both.second_stage = Plan(dict(model=dict(probe=True)))
    _, done = result_of(both, alpha=0.1, **{'model.depth': 50})
    assert done.second_stage.settings == dict(model=dict(probe=True, depth=50))
    assert done.settings['model']['head']['loss']['alpha'] == 0.1
    result_of(both, **{'model.probe': False})


def test_facts_are_unknown_by_default():
    assert Facts().class_counts is None
