"""The stock tool fine-tunes the transformers' configs, small, and resumes."""

import pytest
import torch
from mmengine.registry import init_default_scope
from support.small_vit import small_config


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


def train(stock_run, cfg, folder, *options):
    folder.mkdir()
    cfg.dump(str(folder / 'config.py'))
    stock_run(
        *('mmpretrain', 'train', folder / 'config.py'),
        *('--work-dir', folder, *options),
    )
    return torch.load(folder / 'epoch_2.pth', weights_only=False)


@pytest.mark.parametrize(
    'name',
    [
        'gpaco/vit-base_mae_imagenet',
        'gpaco/vit-base_mae_imagenet_one-view',
        'baselines/multi-task-ce_vit-base_mae_imagenet',
        'gpaco/vit-base_any_imagenet-lt',
    ],
)
def test_a_resumed_run_ends_where_the_whole_one_ends(
    name, stock_run, tmp_path
):
    cfg = small_config(name, tmp_path)
    whole = train(stock_run, cfg, tmp_path / 'whole')
    assert whole['meta']['iter'] == 16
    state = whole['state_dict']
    # Each iteration gives its keys, and each second a step.
    assert state['head.queue.filled'] == 24
    assert state['head.queue.pointer'] == 2 * 16 % 24
    steps = {int(x['step']) for x in whole['optimizer']['state'].values()}
    assert steps == {8}
    resumed = train(
        *(stock_run, cfg, tmp_path / 'resumed'),
        *('--resume', tmp_path / 'whole/epoch_1.pth'),
    )
    for key, value in resumed['state_dict'].items():
        assert torch.allclose(value, state[key], rtol=1e-5, atol=1e-7), key


@pytest.mark.cuda
@pytest.mark.parametrize(
    'name', ['gpaco/vit-base_mae_imagenet', 'gpaco/vit-large_mae_imagenet']
)
def test_half_precision_on_a_card(name, stock_run, tmp_path):
    cfg = small_config(name, tmp_path)
    # What the config has, and what --amp makes of one that has it not.
    found = [train(stock_run, cfg, tmp_path / 'plain', '--amp')]
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    found.append(train(stock_run, cfg, tmp_path / 'amp'))
    for content in found:
        state = content['state_dict']
        assert state['head.queue.filled'] == 24
        assert all(x.isfinite().all() for x in state.values())
        assert content['optimizer']['loss_scaler']['scale'] > 0
