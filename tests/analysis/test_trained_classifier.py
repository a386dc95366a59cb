"""What a trained classifier sees, against the model's own scores."""

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmpaco.analysis.trained_classifier import (
    balanced_accuracy,
    features_and_labels,
    load_classifier,
)


@pytest.mark.parametrize('split', ('val', 'test'))
def test_the_features_give_the_scores_of_the_model(trained, split):
    cfg, path = trained
    cfg[f'{split}_dataloader'].dataset.indices = 22
    model = load_classifier(cfg, path)
    features, labels = features_and_labels(model, cfg, split)
    loader = Runner.build_dataloader(cfg[f'{split}_dataloader'])
    with torch.no_grad():
        samples = [x for batch in loader for x in model.test_step(batch)]
        scores = model.head.fc(features).softmax(1)
    assert labels.tolist() == [int(x.gt_label) for x in samples]
    assert np.bincount(labels).tolist() == [16, 6]
    expected = torch.stack([x.pred_score for x in samples])
    torch.testing.assert_close(scores, expected)


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
