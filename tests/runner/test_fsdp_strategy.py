"""FSDP trains what DDP trains: weights, queue, prior, optimizer and files."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.model import MMFullyShardedDataParallel
from mmengine.registry import MODELS
from torch import distributed

from mmpaco.engine.hooks import PaCoQueueHook, WholeCheckpointHook
from mmpaco.runner.fsdp_strategy import FSDPStrategy

pytest.importorskip('mmpretrain')
from support.scope import enter_scope  # noqa: E402
from support.small_vit import BLOCK, small_config  # noqa: E402

from mmpaco.cls.models import GPaCoHead  # noqa: E402
from mmpaco.cls.models.momentum_encoder import MomentumEncoder  # noqa: E402

try:
    # As FSDP asks for one.
    torch.cpu.Stream(priority=-1)
    IS_ON_CPU = not torch.cuda.is_available()
except TypeError:
    IS_ON_CPU = False
on_cpu = pytest.mark.skipif(
    not IS_ON_CPU, reason='FSDP of this PyTorch needs a card'
)
FSDP = dict(
    type='mmpaco.FSDPStrategy',
    model_wrapper=dict(
        auto_wrap_policy=dict(
            type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy',
            min_num_params=BLOCK,
        )
    ),
)


@pytest.fixture
def train(dist_train, tmp_path):
    """Train the config of ViT-L, small and with a prior, in processes."""
    cfg = small_config('gpaco/vit-large_mae_imagenet', tmp_path)
    cfg.model.head.class_prior = True
    cfg.custom_hooks = [
        dict(type='mmpaco.ClassPriorHook'),
        dict(type='mmpaco.PaCoQueueHook'),
    ]

    def train(name, *options, is_divided, ranks=2, amp=False):
        mine = cfg.copy()
        if is_divided:
            mine.runner_type, mine.strategy = 'FlexibleRunner', dict(FSDP)
        if amp:
            mine.optim_wrapper.type = 'AmpOptimWrapper'
        dist_train(mine, ranks, '--work-dir', tmp_path / name, *options)
        return torch.load(
            tmp_path / name / 'epoch_2.pth',
            map_location='cpu',
            weights_only=False,
        )

    return train


def assert_same(found, expected):
    """Two checkpoints, of which either may be FSDP's, are of one run."""
    theirs, mine = (x['state_dict'] for x in (expected, found))
    assert list(mine) == list(theirs)
    for name, value in theirs.items():
        assert torch.allclose(mine[name], value, rtol=1e-4, atol=1e-6), name
    theirs, mine = (x['optimizer'] for x in (expected, found))
    assert set(mine) == set(theirs)
    assert len(mine['param_groups']) == len(theirs['param_groups'])
    for one, other in zip(mine['param_groups'], theirs['param_groups']):
        for key in ('params', 'lr', 'weight_decay'):
            assert one[key] == pytest.approx(other[key]), key
    assert set(mine['state']) == set(theirs['state'])
    for number, state in theirs['state'].items():
        for key, value in state.items():
            assert torch.allclose(
                mine['state'][number][key], value, rtol=1e-3, atol=1e-7
            )
    for key in ('epoch', 'iter'):
        assert found['meta'][key] == expected['meta'][key]


@on_cpu
def test_fsdp_goes_on_with_a_run_of_ddp_and_ends_where_that_ends(
    train, tmp_path
):
    ddp = train('ddp', is_divided=False)
    half = tmp_path / 'ddp/epoch_1.pth'
    fsdp = train('fsdp', '--resume', half, is_divided=True)
    assert_same(fsdp, ddp)
    state = fsdp['state_dict']
    assert state['head.queue.filled'] == 24
    assert state['head.prior.class_counts'].tolist() == [11, 5]
    rates = {x['lr'] for x in fsdp['optimizer']['param_groups']}
    decays = {x['weight_decay'] for x in fsdp['optimizer']['param_groups']}
    # One for each of three blocks, what is below and what is above.
    assert len(rates) == 5 and decays == {0, 0.05}


@on_cpu
@pytest.mark.slow
def test_ddp_goes_on_with_a_run_of_fsdp(train, tmp_path):
    fsdp = train('fsdp', is_divided=True)
    half = tmp_path / 'fsdp/epoch_1.pth'
    assert_same(train('ddp', '--resume', half, is_divided=False), fsdp)


@pytest.mark.cuda
def test_fsdp_trains_and_goes_on_in_half_precision(train, tmp_path):
    whole = train('whole', is_divided=True, ranks=1, amp=True)
    half = tmp_path / 'whole/epoch_1.pth'
    resumed = train(
        'resumed', '--resume', half, is_divided=True, ranks=1, amp=True
    )
    for found in (whole, resumed):
        state = found['state_dict']
        assert state['head.queue.filled'] == 24
        assert all(x.isfinite().all() for x in state.values())
        assert found['optimizer']['loss_scaler']['scale'] > 0
    assert whole['meta']['iter'] == resumed['meta']['iter'] == 16


@pytest.fixture
def divided(tmp_path):
    """A runner's model, whose head FSDP has wrapped by itself, and hooks."""
    distributed.init_process_group(
        'gloo', f'file://{tmp_path}/store', rank=0, world_size=1
    )
    head = GPaCoHead(num_classes=2, in_channels=4, queue_length=6)
    head.prior.set_class_counts([3, 1])
    model = torch.nn.ModuleDict(dict(head=head))
    model.data_preprocessor = torch.nn.Identity()
    wrapped = MMFullyShardedDataParallel(
        model,
        device_id=torch.device('cpu'),
        use_orig_params=True,
        auto_wrap_policy=lambda module, recurse, nonwrapped_numel: (
            recurse or module is head
        ),
    )
    names = [name for name, _ in wrapped.module.named_parameters()]
    assert any('_fsdp_wrapped_module' in name for name in names)
    yield SimpleNamespace(model=wrapped, hooks=[], _resume=True, iter=3)
    distributed.destroy_process_group()


@on_cpu
def test_hooks_know_the_names_of_a_divided_model(divided):
    saved = dict(state_dict=divided.model.state_dict(), meta=dict(iter=3))
    hook = WholeCheckpointHook()
    hook.before_save_checkpoint(divided, saved)
    saved['state_dict']['head.fc.bias'] = torch.tensor([0.0, float('inf')])
    with pytest.raises(RuntimeError, match='such as head.fc.bias'):
        hook.before_save_checkpoint(divided, saved)

    saved['state_dict']['head.queue.filled'] = torch.tensor(5)
    queue_hook = PaCoQueueHook()
    queue_hook.after_load_checkpoint(divided, saved)
    assert saved['state_dict']['head.queue.filled'] == 5
    # Weights from which another training starts bring no queue.
    divided._resume = False
    queue_hook.after_load_checkpoint(divided, saved)
    assert saved['state_dict']['head.queue.filled'] == 0
    divided._resume = True
    saved['state_dict']['head.queue.rows'] = torch.zeros(7, 128)
    with pytest.raises(ValueError, match=r'head.queue.rows: \(7, 128\)'):
        queue_hook.after_load_checkpoint(divided, saved)


def test_weights_of_one_rate_must_be_apart(tmp_path):
    with pytest.raises(ValueError, match='use_orig_params must be True'):
        FSDPStrategy(
            work_dir=tmp_path, model_wrapper=dict(use_orig_params=False)
        )


def test_the_norm_of_divided_gradients_is_not_clipped(tmp_path):
    strategy = FSDPStrategy(work_dir=tmp_path)
    strategy._optim_cfg = dict(
        optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(max_norm=1.0)
    )
    with pytest.raises(ValueError, match='max_norm.*a part of them'):
        strategy._wrap_model(torch.nn.Linear(2, 2))


@pytest.fixture
def start(tmp_path):
    """Come to where a model would be wrapped for training."""

    def start(model):
        strategy = FSDPStrategy(work_dir=tmp_path)
        strategy._optim_cfg = dict(optimizer=dict(type='SGD', lr=0.1))
        strategy._wrap_model(model)

    return start


def test_a_model_that_leaves_weights_out_of_its_file_is_refused(start):
    enter_scope('mmpretrain')
    small = dict(
        embed_dims=8, num_layers=2, num_heads=1, feedforward_channels=8
    )
    vit = dict(type='VisionTransformer', arch=small, img_size=32)
    lora = dict(type='LoRAModel', rank=2, targets=[dict(type='qkv')])
    model = MODELS.build(dict(lora, module=vit))
    with pytest.raises(ValueError, match='leaves .* module.cls_token, out of'):
        start(model)


def test_a_momentum_encoder_is_refused(start):
    encoder = MomentumEncoder(torch.nn.Linear(2, 2), 0.999)
    with pytest.raises(ValueError, match='momentum_encoder averages weights'):
        start(torch.nn.ModuleDict(dict(momentum_encoder=encoder)))
