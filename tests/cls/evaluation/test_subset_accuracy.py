"""Accuracy among some classes, against a loop."""

import numpy as np
import pytest
import torch

from mmpaco.cls.evaluation import SubsetAccuracy
from mmpaco.cls.imagenet_classes import IMAGENET_R_CLASSES


def measure(labels, scores, **options):
    metric = SubsetAccuracy(**options)
    metric.process(
        None,
        [dict(gt_label=y, pred_score=s) for y, s in zip(labels, scores)],
    )
    return metric.evaluate(len(labels))['accuracy/top1']


def test_renditions_are_chosen_among_their_classes():
    rng = np.random.default_rng(0)
    labels = rng.choice(IMAGENET_R_CLASSES, 300).tolist()
    scores = torch.tensor(rng.random((300, 1000)))
    scores[range(300), labels] += rng.random(300) * 0.2
    # As the release: a mask, and the place of the label among the 200.
    mask = np.zeros(1000, bool)
    mask[list(IMAGENET_R_CLASSES)] = True
    places = [int(mask[:label].sum()) for label in labels]
    masked = scores.numpy()[:, mask].argmax(1)
    expected = 100 * (masked == places).mean()
    among_all = 100 * (scores.numpy().argmax(1) == labels).mean()
    assert among_all < expected < 100
    found = measure(labels, scores, num_classes=1000, classes='imagenet-r')
    assert found == pytest.approx(expected)
    assert measure(labels, scores) == pytest.approx(among_all)


@pytest.mark.parametrize(
    'options, message',
    (
        (dict(classes='imagenet-x'), "'imagenet-r'"),
        (dict(classes=[]), 'must be different labels'),
        (dict(classes=[1, 1]), 'must be different labels'),
        (dict(classes=[-1]), 'must be different labels'),
        (dict(classes=[3], num_classes=3), r'\[0, 3\)'),
    ),
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SubsetAccuracy(**options)


@pytest.mark.parametrize(
    'classes', (5, [0.5], ['n01443537'], [True, False], np.eye(3) > 0)
)
def test_classes_that_are_no_labels_are_refused(classes):
    with pytest.raises(TypeError, match='classes must be labels'):
        SubsetAccuracy(classes=classes)


def test_labels_of_numpy_are_taken():
    classes = np.array([2, 0])
    assert SubsetAccuracy(classes=classes).classes == [0, 2]


@pytest.mark.parametrize(
    'label, classes, options, message',
    (
        (1, 3, dict(classes=[0, 2]), 'has the label 1, but .* 2 classes'),
        (5, 3, {}, 'has the label 5, but .* of the 3 of the classifier'),
        (0, 3, dict(classes=[0, 9]), 'of the 3 of the classifier'),
        (0, 3, dict(num_classes=4), r'of 4 classes, .* \(3,\)'),
    ),
)
def test_other_classes_are_refused(label, classes, options, message):
    with pytest.raises(ValueError, match=message):
        measure([label], [torch.rand(classes)], **options)


def test_scores_are_needed():
    with pytest.raises(ValueError, match='has no pred_score'):
        SubsetAccuracy().process(None, [dict(gt_label=0, pred_label=0)])
