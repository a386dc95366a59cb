"""Promises of the metric of rare classes, against loops over pixels."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import METRICS

COUNTS = [900, 20, 500, 20, 7]
CLASSES = ('a', 'b', 'c', 'd', 'e')


def evaluate(predictions, labels, **options):
    cfg = dict(type='mmpaco.RareIoUMetric', class_counts=COUNTS, num_rare=3)
    metric = METRICS.build({**cfg, **options})
    metric.dataset_meta = dict(classes=CLASSES)
    for prediction, label in zip(predictions, labels):
        sample = dict(
            pred_sem_seg=dict(data=torch.from_numpy(prediction)[None]),
            gt_sem_seg=dict(data=torch.from_numpy(label)[None]),
            img_path='x/name.jpg',
        )
        metric.process({}, [sample])
    return metric.evaluate(len(labels))


def maps(seed, values):
    shape = (4, 17, 23)
    return np.random.default_rng(seed).choice(values, shape).astype(np.int64)


def loop_iou(predictions, labels):
    iou = []
    for c in range(len(CLASSES)):
        inter = union = 0
        for p, t in zip(predictions.ravel(), labels.ravel()):
            if t != 255:
                inter += p == c and t == c
                union += p == c or t == c
        iou.append(100 * inter / union if union else float('nan'))
    return iou


def test_ious_are_those_of_a_loop_over_the_pixels():
    predictions = maps(0, [0, 1, 1, 2, 3, 4])
    labels = maps(1, [0, 1, 2, 2, 3, 4, 255])
    metrics = evaluate(predictions, labels)
    hand = loop_iou(predictions, labels)
    np.testing.assert_allclose(metrics['IoU_classwise'], hand, atol=6e-3)
    assert metrics['mIoU'] == pytest.approx(np.mean(hand), abs=6e-3)
    # The classes of 7, 20 and 20 pixels.
    rare = np.mean([hand[1], hand[3], hand[4]])
    assert metrics['rare_mIoU'] == pytest.approx(rare, abs=6e-3)


def test_a_class_that_never_appears_is_left_out():
    predictions = maps(0, [0, 1, 2, 4])
    labels = maps(1, [0, 1, 2, 4, 255])
    metrics = evaluate(predictions, labels)
    hand = loop_iou(predictions, labels)
    assert np.isnan(hand[3]) and np.isnan(metrics['IoU_classwise'][3])
    rare = np.mean([hand[1], hand[4]])
    assert metrics['rare_mIoU'] == pytest.approx(rare, abs=6e-3)
    only = evaluate(predictions * 0, labels * 0)
    assert np.isnan(only['rare_mIoU']) and only['mIoU'] == 100


def test_formatting_alone_scores_nothing(tmp_path):
    metrics = evaluate(
        maps(0, [0, 1]), maps(1, [0]), format_only=True, output_dir=tmp_path
    )
    assert metrics == {} and (tmp_path / 'name.png').exists()


@pytest.mark.parametrize('num_rare', [0, 6])
def test_wrong_numbers_of_rare_classes_are_refused(num_rare):
    with pytest.raises(ValueError, match=f'num_rare={num_rare} .* 5 classes'):
        evaluate([], [], num_rare=num_rare)


def test_counts_of_another_dataset_are_refused():
    with pytest.raises(ValueError, match='has 4 classes.*has 5'):
        evaluate(maps(0, [0]), maps(1, [0]), class_counts=[4, 3, 2, 1])


@pytest.mark.parametrize(
    'wrong', (dict(class_counts=[4, 3, 2, 1]), dict(rare_classes=[5]))
)
def test_they_are_refused_when_a_loop_names_the_dataset(wrong):
    """So in a training whose first validation would be hours later."""
    evaluator = Evaluator(dict(type='mmpaco.RareIoUMetric', **wrong))
    with pytest.raises(ValueError, match='dataset'):
        evaluator.dataset_meta = dict(classes=CLASSES)


@pytest.mark.parametrize('wrong', (float('nan'), -1.0, float('inf')))
def test_what_is_no_count_is_refused(wrong):
    with pytest.raises(ValueError, match='class counts'):
        METRICS.build(
            dict(
                type='mmpaco.RareIoUMetric',
                class_counts=[3.0, wrong, 1.0],
                num_rare=1,
            )
        )


def test_rare_classes_may_be_named():
    maps_ = maps(0, [0, 1, 2, 3, 4]), maps(1, [0, 1, 2, 3, 4, 255])
    by_counts = evaluate(*maps_)
    by_name = dict(rare_classes=[4, 1, 3], class_counts=None)
    assert evaluate(*maps_, **by_name) == by_counts


@pytest.mark.parametrize('wrong', ([], [1, 1], [-1, 2], [0, 5]))
def test_rare_classes_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match='rare_classes'):
        evaluate(
            maps(0, [0]), maps(1, [0]), rare_classes=wrong, class_counts=None
        )


def test_either_counts_or_rare_classes_are_needed():
    for both in (dict(class_counts=None), dict(rare_classes=[1])):
        with pytest.raises(ValueError, match='either class_counts or rare'):
            evaluate([], [], **both)
