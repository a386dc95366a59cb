"""What a trained classifier sees, against the model's own scores."""

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmpaco.analysis.logit_adjustment import best_adjustment
from mmpaco.analysis.trained_classifier import (
    balanced_accuracy,
    features_and_labels,
    load_classifier,
    scores_of,
)


@pytest.fixture(params=('LinearClsHead', 'mmpaco.ScaledClsHead'))
def of_any_head(trained, request):
    """Config and checkpoint; of two classes, one may be scaled."""
    cfg, path = trained
    if request.param != 'LinearClsHead':
        content = torch.load(path, weights_only=False)
        # They undo the norms of the rows, so that both classes are found.
        content['state_dict']['head.scale'] = torch.tensor([1 / 30, 20.0])
        content['state_dict']['head.fc.bias'].zero_()
        torch.save(content, path)
        cfg.model.head.type = request.param
    return cfg, path


@pytest.mark.parametrize('split', ('val', 'test'))
def test_the_features_give_the_scores_of_the_model(of_any_head, split):
    cfg, path = of_any_head
    cfg[f'{split}_dataloader'].dataset.indices = 22
    model = load_classifier(cfg, path)
    features, labels = features_and_labels(model, cfg, split)
    loader = Runner.build_dataloader(cfg[f'{split}_dataloader'])
    with torch.no_grad():
        samples = [x for batch in loader for x in model.test_step(batch)]
        scores = scores_of(model, features).softmax(1)
    assert labels.tolist() == [int(x.gt_label) for x in samples]
    assert np.bincount(labels).tolist() == [16, 6]
    expected = torch.stack([x.pred_score for x in samples])
    torch.testing.assert_close(scores, expected)


def test_a_balance_is_that_of_the_scores_of_the_model(of_any_head):
    cfg, path = of_any_head
    found = best_adjustment(cfg, path, [0.0])
    cfg.load_from = str(path)
    # As many test images of each class: the stock accuracy is the balanced.
    metrics = Runner.from_cfg(cfg).test()
    assert found.test == pytest.approx(metrics['accuracy/top1'], abs=1e-3)
    assert (found.test > 90) == (cfg.model.head.type != 'LinearClsHead')


def test_a_split_that_is_missing_is_told(trained):
    cfg, path = trained
    cfg.test_dataloader = None
    model = load_classifier(cfg, path)
    with pytest.raises(ValueError, match='has no test_dataloader'):
        features_and_labels(model, cfg, 'test')


def test_classes_count_the_same_and_those_without_images_not():
    labels = np.array([0, 0, 0, 2])
    scores = torch.eye(3)[[0, 0, 1, 2]]
    expected = 100 * (2 / 3 + 1) / 2
    assert balanced_accuracy(scores, labels) == pytest.approx(expected)
