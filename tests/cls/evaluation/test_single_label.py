"""What every metric of one class for an image asks of the scores."""

import pytest
import torch

from mmpaco.cls.evaluation import (
    CorruptionError,
    ShotAccuracy,
    SubsetAccuracy,
)

METRICS = (
    CorruptionError(),
    ShotAccuracy(class_counts=[9, 5, 1]),
    SubsetAccuracy(),
    SubsetAccuracy(classes=[0, 2]),
)
NAN, INF = float('nan'), float('inf')


def sample(scores):
    return dict(gt_label=0, pred_score=scores, corruption='fog', severity=1)


@pytest.mark.parametrize('metric', METRICS)
@pytest.mark.parametrize('scores', ([NAN, 1, 2], [NAN] * 3, [0, INF, NAN]))
def test_nan_is_no_class(metric, scores):
    with pytest.raises(ValueError, match='got nan as the score of a class'):
        metric.process(None, [sample(torch.tensor(scores))])


@pytest.mark.parametrize('metric', METRICS)
@pytest.mark.parametrize('shape', ((1, 3), (3, 1), (0,), ()))
def test_scores_are_those_of_one_image(metric, shape):
    with pytest.raises(ValueError, match='one score for each class'):
        metric.process(None, [sample(torch.zeros(shape))])


@pytest.mark.parametrize('metric', METRICS)
def test_infinite_scores_are_compared(metric):
    metric.process(None, [sample(torch.tensor([INF, 0.0, -INF]))])
    assert metric.results.pop() in (('fog', 1, True), (0, 0), True)
