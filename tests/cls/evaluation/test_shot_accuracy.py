"""The metric against a loop, through an evaluator."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from support.scope import enter_scope

from mmpaco.cls.evaluation import ShotAccuracy

COUNTS = [300, 100, 20, 19, 1]


def test_groups_are_means_over_classes_not_over_images():
    rng = np.random.default_rng(0)
    labels = np.concatenate(
        [np.full(n, c) for c, n in enumerate((3, 9, 5, 2, 4))]
    )
    scores = torch.tensor(rng.random((len(labels), 5)))
    metric = ShotAccuracy(class_counts=COUNTS)
    evaluator = Evaluator(metric)
    samples = [
        DataSample().set_gt_label(int(label)).set_pred_score(score)
        for label, score in zip(labels, scores)
    ]
    for start in range(0, len(samples), 6):
        evaluator.process(samples[start : start + 6])
    got = evaluator.evaluate(len(samples))

    right = scores.argmax(1).numpy() == labels
    accuracy = [100 * right[labels == c].mean() for c in range(5)]
    expected = {
        'shot/many': accuracy[0],
        'shot/medium': np.mean(accuracy[1:3]),
        'shot/few': np.mean(accuracy[3:]),
        'shot/all': np.mean(accuracy),
    }
    assert got == pytest.approx(expected)


def test_predicted_labels_are_taken_where_there_are_no_scores():
    metric = ShotAccuracy(class_counts=[10, 10])
    metric.process(
        None,
        [
            dict(gt_label=torch.tensor([1]), pred_label=torch.tensor([1])),
            dict(gt_label=torch.tensor([0]), pred_label=torch.tensor([1])),
        ],
    )
    assert metric.evaluate(2) == {'shot/few': 50.0, 'shot/all': 50.0}


def test_counts_come_from_the_training_dataset(mnist5k):
    enter_scope('mmpretrain')
    metric = ShotAccuracy(
        train_dataset=dict(
            type='mmpaco.LongTailedDataset',
            dataset=dict(type='MNIST', data_root=mnist5k, download=False),
            factor=100,
        )
    )
    assert metric.class_counts[0] == 400
    assert metric.class_counts[-1] == 4


@pytest.mark.parametrize(
    'options',
    (
        dict(),
        dict(train_dataset=dict(type='MNIST'), class_counts=[1]),
        dict(class_counts=[1], few_shot=200),
        dict(class_counts=[1], few_shot=-1),
        dict(class_counts=[float('nan'), 5.0]),
        dict(class_counts=[-1, 5]),
        dict(class_counts=[0, 0]),
    ),
)
def test_bad_arguments_are_refused(options):
    with pytest.raises(ValueError):
        ShotAccuracy(**options)


def test_counts_are_kept_as_they_are():
    """Shares, with limits that are shares."""
    shares = [0.7, 0.25, 0.05]
    metric = ShotAccuracy(class_counts=shares, many_shot=0.5, few_shot=0.1)
    assert metric.class_counts.tolist() == shares
    metric.process(None, [dict(gt_label=i, pred_label=0) for i in range(3)])
    assert metric.evaluate(3) == {
        'shot/many': 100.0,
        'shot/medium': 0.0,
        'shot/few': 0.0,
        'shot/all': pytest.approx(100 / 3),
    }


def test_a_group_without_a_class_is_told_once(log):
    """Before a save_best that names it ends the run."""
    metric = ShotAccuracy(class_counts=[30, 25])
    for _ in range(2):
        metric.process(None, [dict(gt_label=1, pred_label=1)])
        assert set(metric.evaluate(1)) == {'shot/medium', 'shot/all'}
    assert (
        log().count('No class that is tested is of shot/many, shot/few') == 1
    )
    assert '30 to 25 training images' in log()
    metric = ShotAccuracy(class_counts=[300, 25, 1])
    metric.process(None, [dict(gt_label=i, pred_label=i) for i in range(3)])
    metric.evaluate(3)
    assert log().count('No class') == 1


def test_save_best_of_a_group_without_a_class_says_why(mnist_config, log):
    cfg = mnist_config('baselines/cross-entropy_lenet5_mnist5k-lt.py')
    cfg.default_hooks.checkpoint.update(save_best='shot/few', rule='greater')
    cfg.val_evaluator.few_shot = 0
    with pytest.raises(KeyError, match='shot/few'):
        Runner.from_cfg(cfg).train()
    (found,) = Path(cfg.work_dir).glob('*/*.log')
    assert 'tested is of shot/few: the classes have 400 to 4' in (
        found.read_text()
    )


@pytest.mark.parametrize(
    'sample, message',
    (
        (
            dict(gt_label=torch.tensor([0, 1]), pred_label=0),
            'gt_label .* has 2',
        ),
        (dict(pred_label=0), 'gt_label .* has 0'),
        (dict(gt_label=0), 'pred_label .* has 0'),
        (dict(gt_label=0, pred_label=torch.tensor([1, 0])), 'pred_label .*2'),
    ),
)
def test_several_labels_are_refused(sample, message):
    with pytest.raises(ValueError, match=f'one class for each.*{message}'):
        ShotAccuracy(class_counts=[10, 10]).process(None, [sample])


def test_no_image_has_no_accuracy():
    metric = ShotAccuracy(class_counts=[10, 10])
    assert metric.compute_metrics([]) == {}


def test_test_label_without_a_training_count_is_refused():
    metric = ShotAccuracy(class_counts=[10, 10])
    metric.process(None, [dict(gt_label=2, pred_label=0)])
    with pytest.raises(
        ValueError, match=r'\[0, 2\), the classes of the training'
    ):
        metric.evaluate(1)
