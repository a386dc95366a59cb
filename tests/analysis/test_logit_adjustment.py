"""Logit adjustment after training, against a loop in NumPy."""

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from support.class_means import features_of

from mmpaco.analysis.logit_adjustment import best_adjustment
from mmpaco.registry import MODELS

SEVERAL = [0.0, 5.0, 10.0, 100.0]


@pytest.fixture
def unbalanced(trained):
    """Trained on 16 dark and 6 light images, and too fond of the dark."""
    cfg, path = trained
    cfg.train_dataloader.dataset.indices = 22
    content = torch.load(path, weights_only=False)
    weight = content['state_dict']['head.fc.weight']
    weight /= weight.norm(dim=1, keepdim=True)
    torch.save(content, path)
    return cfg, path


def test_the_strength_is_chosen_on_validation_and_tested(unbalanced):
    cfg, path = unbalanced
    # Other images to test than to validate: 16 dark and 10 light ones.
    cfg.test_dataloader.dataset.indices = 26
    found = best_adjustment(cfg, path, SEVERAL)

    states = torch.load(path, weights_only=False)['state_dict']
    model = MODELS.build(cfg.model)
    model.load_state_dict(states)
    log_prior = np.log(np.array([16, 6]) / 22)

    def accuracy(loader, strength):
        features, labels = features_of(loader, model)
        scores = features @ states['head.fc.weight'].numpy().T
        scores += states['head.fc.bias'].numpy()
        scores -= strength * log_prior
        right = scores.argmax(1) == labels
        return 50 * sum(right[labels == c].mean() for c in (0, 1))

    for strength in SEVERAL:
        expected = accuracy(cfg.val_dataloader, strength)
        assert found.validation[strength] == pytest.approx(expected, abs=1e-3)
    # A bias of 5 for the dark is balanced by 5 / log(16 / 6) = 5.1.
    assert found.strength == 5
    assert found.validation[5.0] > 90
    assert found.validation[0.0] == found.validation[100.0] == 50
    expected = accuracy(cfg.test_dataloader, 5.0)
    assert found.test == pytest.approx(expected, abs=1e-3)


def test_nothing_is_changed_where_nothing_is_gained(unbalanced):
    cfg, path = unbalanced
    found = best_adjustment(cfg, path, [-20.0, 0.0, -10.0])
    assert len(set(found.validation.values())) == 1
    assert found.strength == 0
    cfg.load_from = str(path)
    # As many test images of each class: the stock accuracy is the balanced.
    metrics = Runner.from_cfg(cfg).test()
    assert found.test == pytest.approx(metrics['accuracy/top1'], abs=1e-3)


def test_no_strength_is_an_error(trained):
    with pytest.raises(ValueError, match='one or more'):
        best_adjustment(*trained, [])
