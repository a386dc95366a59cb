"""Runners with the weights of a checkpoint."""

import os

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from mmpaco.runner.loaded_runner import (
    loaded_runner,
    read_config,
)


@pytest.fixture
def saved(tiny_config):
    """A config, and weights that no initialisation would give."""
    folder = tiny_config()
    cfg = Config.fromfile(str(folder / 'tiny.py'))
    model = MODELS.build(read_config(cfg).model)
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 0.125)
    path = folder / 'weights.pth'
    torch.save({'state_dict': model.state_dict()}, path)
    return cfg, path


def test_training_starts_from_the_weights_and_leaves_no_file(
    saved, tmp_path, monkeypatch
):
    cfg, path = saved
    before = cfg.pretty_text
    empty = tmp_path / 'empty'
    empty.mkdir()
    monkeypatch.chdir(empty)
    settings = dict(
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        val_cfg=None,
        val_dataloader=None,
        val_evaluator=None,
    )
    with loaded_runner(cfg, path, **settings) as runner:
        runner.train()
        assert runner.iter == 8
        for name, parameter in runner.model.named_parameters():
            assert (parameter == 0.125).all(), name
    assert not os.path.exists(runner.work_dir) and not list(empty.iterdir())
    assert cfg.pretty_text == before


def test_a_result_is_logged_and_not_how_the_runner_was_built(saved, capsys):
    cfg, path = saved
    with loaded_runner(cfg, path) as runner:
        runner.test()
    told = capsys.readouterr().out
    assert 'accuracy/top1' in told
    assert 'Config:' not in told and 'Hooks will be' not in told
    assert len(told.splitlines()) < 10


def test_missing_weights_are_named_unless_they_are_optional(saved):
    cfg, path = saved
    state = torch.load(path)['state_dict']
    del state['head.fc.weight'], state['head.fc.bias']
    torch.save(state, path)
    with pytest.raises(ValueError, match='lacks 2 .*: head.fc.weight, head'):
        with loaded_runner(cfg, path):
            pass
    with loaded_runner(cfg, path, optional=('head.',)) as runner:
        assert (runner.model.backbone.conv1.weight == 0.125).all()
