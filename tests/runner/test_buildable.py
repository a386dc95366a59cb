"""Promises of the check that what is written can be built."""

import copy
import runpy
import sys
from pathlib import Path

import mmseg
import pytest
from mmengine.config import Config
from support.paths import TOOLS

from mmpaco.methods import Refusal
from mmpaco.runner.buildable import build_training, check_builds

STOCK = Path(mmseg.__file__).parent / '.mim' / 'configs'
FCN = STOCK / 'fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py'
# Its rates of drop path are read while it is built.
BEIT = STOCK / 'beit/beit-large_upernet_8xb1-amp-160k_ade20k-640x640.py'


@pytest.mark.parametrize('path', (FCN, BEIT))
def test_what_can_be_trained_is_built_without_memory(path):
    cfg = Config.fromfile(path)
    before = copy.deepcopy(cfg.to_dict())
    model = build_training(cfg)
    assert {p.device.type for p in model.parameters()} == {'meta'}
    assert cfg.to_dict() == before


def wrong_model(cfg):
    cfg.model.backbone.type = 'NoBackbone'


def wrong_argument(cfg):
    cfg.model.decode_head.no_such_argument = 1


def wrong_transform(cfg):
    cfg.train_dataloader.dataset.pipeline[2].type = 'NoTransform'


def wrong_optimizer(cfg):
    cfg.optim_wrapper.optimizer.type = 'NoOptimizer'


def no_optimizer(cfg):
    cfg.pop('optim_wrapper')


WRONG = (
    *(wrong_model, wrong_argument, wrong_transform, wrong_optimizer),
    no_optimizer,
)


@pytest.mark.parametrize('change', WRONG)
def test_a_base_that_cannot_be_built_is_refused(change):
    base = Config.fromfile(FCN)
    change(base)
    with pytest.raises(Refusal, match=f'{FCN.name} itself cannot be built'):
        check_builds(copy.deepcopy(base), base)


@pytest.mark.parametrize('change', WRONG)
def test_what_a_method_breaks_is_no_refusal(change):
    base = Config.fromfile(FCN)
    made = copy.deepcopy(base)
    change(made)
    with pytest.raises(Refusal, match='cannot be built with a, b as given'):
        check_builds(made, base, ['a', 'b'])
    with pytest.raises(RuntimeError, match='please report'):
        check_builds(made, base)


def test_the_tool_writes_nothing_that_cannot_be_built(
    tmp_path, monkeypatch, capsys
):
    base, out = tmp_path / 'base.py', tmp_path / 'out.py'
    base.write_text(
        f'_base_ = {str(FCN)!r}\n'
        'model = dict(decode_head=dict(no_such_argument=1))\n'
    )
    argv = ['apply_method.py', 'gpaco', str(base), str(out)]
    monkeypatch.setattr(sys, 'argv', argv)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(TOOLS / 'apply_method.py'), run_name='__main__')
    assert 'no_such_argument' in str(end.value.code)
    assert not out.exists()
