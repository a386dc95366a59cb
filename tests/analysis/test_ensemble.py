"""The sum of logits against sums by hand."""

import io
import pickle
import shutil

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from rich.console import Console
from support.tools import call_here

from mmpaco.analysis.ensemble import (
    Ensemble,
    ensemble_table,
    evaluate_ensemble,
)
from mmpaco.runner.loaded_runner import loaded_runner


@pytest.fixture
def members(tiny_config):
    """Two untrained networks of other seeds, with large scores."""
    folder = tiny_config()
    found = []
    for seed in (1, 2):
        cfg = Config.fromfile(str(folder / 'tiny.py'))
        cfg.work_dir = str(folder / 'run')
        cfg.experiment_name = f'{folder.name}{seed}'
        cfg.randomness = dict(seed=seed)
        cfg.test_evaluator = [
            dict(type='Accuracy', topk=(1,)),
            dict(type='mmpaco.ShotAccuracy', class_counts=[200, 5]),
        ]
        model = Runner.from_cfg(cfg).model
        torch.manual_seed(seed)
        with torch.no_grad():
            model.head.fc.weight.normal_(std=20)
            model.head.fc.bias.normal_(std=5)
        path = folder / f'{seed}.pth'
        torch.save({'state_dict': model.state_dict()}, path)
        found.append((cfg, path))
    return found


def logits(cfg, checkpoint):
    scores, labels = [], []
    with loaded_runner(cfg, checkpoint) as runner:
        model = runner.model.eval()
        for batch in Runner.build_dataloader(cfg.test_dataloader):
            data = model.data_preprocessor(batch)
            with torch.no_grad():
                scores.append(model(**data, mode='tensor'))
            labels += [int(x.gt_label) for x in data['data_samples']]
    return torch.cat(scores), np.array(labels)


def test_logits_are_summed_and_not_probabilities(members):
    metrics, of_members, samples = evaluate_ensemble(members)
    each = [logits(*member) for member in members]
    total, labels = each[0][0] + each[1][0], each[0][1]
    scores = torch.stack([sample.pred_score for sample in samples])
    torch.testing.assert_close(scores, total.softmax(1))
    # The mean of the probabilities would be something else here.
    mean = sum(x.softmax(1) for x, _ in each) / 2
    assert not torch.allclose(scores, mean, atol=0.01)
    assert len(pickle.dumps(samples[0].pred_score)) < 1000
    right = total.argmax(1).numpy() == labels
    assert metrics['accuracy/top1'] == pytest.approx(100 * right.mean())
    assert metrics['shot/few'] == pytest.approx(
        100 * right[labels == 1].mean()
    )
    assert metrics['shot/many'] == pytest.approx(
        100 * right[labels == 0].mean()
    )
    for scores, measured in zip(each, of_members):
        right = scores[0].argmax(1).numpy() == labels
        assert measured['accuracy/top1'] == pytest.approx(100 * right.mean())


def test_one_member_gives_its_own_metrics(members):
    found = evaluate_ensemble(members[:1])
    with loaded_runner(*members[0]) as runner:
        assert runner.test() == found.metrics == found.of_members[0]


def test_table_has_a_row_for_each_and_the_sum():
    one = {'accuracy/top1': 62.54, 'shot/all': 61.26, 'shot/few': 50.04}
    one['recall'] = [50, 75]
    both = dict(one, **{'shot/few': 100.0})
    table = ensemble_table(Ensemble(both, [one, one], []), ['a', 'b'])
    console = Console(width=80, file=io.StringIO())
    console.print(table)
    lines = console.file.getvalue().splitlines()
    assert [x.split() for x in lines if x.strip(' ─')] == [
        ['classifier', 'few', 'all', 'accuracy/top1'],
        ['a', '50.0', '61.3', '62.5'],
        ['b', '50.0', '61.3', '62.5'],
        ['sum', 'of', 'the', '2', '100.0', '61.3', '62.5'],
        ['Measured,', 'but', 'no', 'number:', 'recall'],
    ]


def test_table_keeps_what_is_named_and_measured():
    one = {'accuracy/top1': np.float32(62.54), 'recall': [50.0], 'done': True}
    names = ['GPaCo [ours]', '[red]' + 12 * 'long']
    table = ensemble_table(Ensemble(one, [one, one], []), names)
    console = Console(width=40, file=io.StringIO())
    console.print(table)
    found = ''.join(console.file.getvalue().split())
    assert 'GPaCo[ours]' in found
    assert found.count('62.5') == 3
    # Folded, with what stands beside its first line.
    assert f'{names[1][:10]}' in found and '…' not in found
    assert 'recall' in found


def test_tool_cuts_no_figure_off_in_a_pipe(members, tmp_path):
    cfg, checkpoint = members[0]
    cfg.test_evaluator.append(
        dict(
            type='SingleLabelMetric',
            items=('precision', 'recall', 'f1-score', 'support'),
        )
    )
    config = tmp_path / f'{"a-long-name-" * 6}.py'
    cfg.dump(str(config))
    done = call_here(
        tmp_path, 'test_ensemble.py', config, checkpoint, config, checkpoint
    )
    assert done.returncode == 0, done.stderr
    for key in ('precision', 'recall', 'f1-score', 'support'):
        assert f'single-label/{key}' in done.stdout
    assert '…' not in done.stdout


def test_other_images_are_refused(members, tmp_path):
    other = members[1][0]
    other.test_dataloader.dataset.indices = 20
    with pytest.raises(ValueError, match=r'2.pth.*\(20, 2\).*\(32, 2\)'):
        evaluate_ensemble(members)
    other.test_dataloader.dataset.indices = None
    other.test_dataloader.sampler.shuffle = True
    with pytest.raises(ValueError, match='test image .* has the label'):
        evaluate_ensemble(members)
    # As many images of each class, but under another name.
    other.test_dataloader.sampler.shuffle = False
    copy = tmp_path / 'copy'
    shutil.copytree(tmp_path / 'data', copy)
    other.test_dataloader.dataset.data_root = str(copy)
    evaluate_ensemble(members)
    (copy / 'dark/9.png').rename(copy / 'dark/99.png')
    with pytest.raises(ValueError, match='2.pth is 99.png, but 9.png in'):
        evaluate_ensemble(members)


def test_what_is_no_classifier_is_refused(members):
    with pytest.raises(ValueError, match='at least one'):
        evaluate_ensemble([])
    (cfg, path), _ = members
    state = torch.load(path)['state_dict']
    state.pop('head.fc.bias')
    torch.save(state, path)
    with pytest.raises(ValueError, match='lacks 1 weights.*head.fc.bias'):
        evaluate_ensemble([(cfg, path)])
