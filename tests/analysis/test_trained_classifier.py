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
    scores_and_labels,
)


@pytest.fixture(
    params=(
        'LinearClsHead',
        'mmpaco.ScaledClsHead',
        'mmpaco.MultiExpertClsHead',
    )
)
def of_any_head(trained, request):
    """Config and checkpoint; one finds both classes, whatever their norms."""
    cfg, path = trained
    cfg.model.head.type = request.param
    if request.param == 'LinearClsHead':
        return trained
    content = torch.load(path, weights_only=False)
    states = content['state_dict']
    if request.param == 'mmpaco.ScaledClsHead':
        # They undo the norms of the rows.
        states['head.scale'] = torch.tensor([1 / 30, 20.0])
        states['head.fc.bias'].zero_()
    else:
        cfg.model.head.num_experts = 1
        states['head.fc.0.weight'] = states.pop('head.fc.weight')
        del states['head.fc.bias']
    torch.save(content, path)
    return cfg, path


@pytest.mark.parametrize('split', ('val', 'test'))
def test_features_and_scores_are_those_of_the_model(of_any_head, split):
    cfg, path = of_any_head
    cfg[f'{split}_dataloader'].dataset.indices = 22
    model = load_classifier(cfg, path)
    loader = Runner.build_dataloader(cfg[f'{split}_dataloader'])
    with torch.no_grad():
        samples = [x for batch in loader for x in model.test_step(batch)]
    expected = torch.stack([x.pred_score for x in samples])
    scores, labels = scores_and_labels(model, cfg, split)
    assert labels.tolist() == [int(x.gt_label) for x in samples]
    assert np.bincount(labels).tolist() == [16, 6]
    torch.testing.assert_close(scores.exp().float(), expected)
    if cfg.model.head.type == 'LinearClsHead':
        features, same = features_and_labels(model, cfg, split)
        scores = model.head.fc(features).softmax(1)
        assert same.tolist() == labels.tolist()
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
    for read in (features_and_labels, scores_and_labels):
        with pytest.raises(ValueError, match='has no test_dataloader'):
            read(model, cfg, 'test')


def test_a_model_that_scores_no_class_is_told(trained):
    cfg, path = trained
    model = load_classifier(cfg, path)
    model.head.predict = lambda feats, samples: samples
    with pytest.raises(TypeError, match='predicts no score for each class'):
        scores_and_labels(model, cfg, 'val')


def test_classes_count_the_same_and_those_without_images_not():
    labels = np.array([0, 0, 0, 2])
    scores = torch.eye(3)[[0, 0, 1, 2]]
    expected = 100 * (2 / 3 + 1) / 2
    assert balanced_accuracy(scores, labels) == pytest.approx(expected)
