"""Real runs in several processes, whose queues one process replays."""

import os
import sys

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmpaco.losses import EmbeddingQueue

GPACO = 'gpaco/lenet5_mnist5k-lt.py'
PACO = 'paco/lenet5_mnist5k-lt.py'

# Both sides of the hook that appends: the keys that it finds and the queue
# that it leaves.
RECORDER = """
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS


def bare(model):
    return model.module if is_model_wrapper(model) else model


def copied(states):
    return {name: value.clone() for name, value in states.items()}


@HOOKS.register_module()
class KeysHook(Hook):
    priority = 'HIGHEST'
    steps = []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        queue = bare(runner.model).head.queue
        rows, labels = queue.take_staged()
        queue.stage(rows, labels)
        self.steps.append(dict(
            rows=rows.clone(), labels=labels.clone(),
            images=[int(x.gt_label) for x in data_batch['data_samples']]))


@HOOKS.register_module()
class QueueHook(Hook):
    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        queue = bare(runner.model).head.queue
        KeysHook.steps[-1]['queue'] = copied(queue.state_dict())

    def after_train(self, runner):
        model = bare(runner.model)
        trained = [n for n, p in model.named_parameters() if p.requires_grad]
        torch.save(
            dict(steps=KeysHook.steps, weights=copied(model.state_dict()),
                 trained=trained),
            f'{runner.work_dir}/rank{get_rank()}.pth')
"""


def recorded(cfg, folder, epochs=2):
    """Have the run write what enters the queue and what it holds then."""
    (folder / 'recorder.py').write_text(RECORDER)
    cfg.custom_imports = dict(imports=['mmpaco', 'recorder'])
    cfg.custom_hooks += [dict(type='KeysHook'), dict(type='QueueHook')]
    # Validation is of no interest here.
    cfg.train_cfg.update(max_epochs=epochs, val_begin=epochs + 1)
    return cfg


def records(cfg, num_ranks):
    return [
        torch.load(f'{cfg.work_dir}/rank{rank}.pth', weights_only=True)
        for rank in range(num_ranks)
    ]


def check_queues(ranks, length):
    """Demand of each iteration what one process holds after the same keys.

    That is a batch of all ranks' keys, rank 0 first.
    """
    queue = EmbeddingQueue(length, ranks[0]['steps'][0]['rows'].shape[1])
    for steps in zip(*(rank['steps'] for rank in ranks)):
        for step in steps:
            assert step['labels'].tolist() == step['images']
        queue.append(
            *(
                torch.cat([s[name] for s in steps])
                for name in ('rows', 'labels')
            )
        )
        for step in steps:
            for name, value in queue.state_dict().items():
                assert torch.equal(step['queue'][name], value), name


def check_weights(ranks):
    for name, value in ranks[0]['weights'].items():
        # DDP leaves the running statistics of batch norm to each rank.
        if 'running' not in name:
            for rank in ranks[1:]:
                assert torch.equal(rank['weights'][name], value), name


def seen(ranks):
    labels = [x for rank in ranks for s in rank['steps'] for x in s['images']]
    return np.bincount(labels, minlength=10)


def batch_sizes(ranks):
    return [[len(step['images']) for step in rank['steps']] for rank in ranks]


def counts_of(ranks):
    return ranks[0]['weights']['head.prior.class_counts'].numpy()


@pytest.mark.parametrize(
    'config, num_ranks, length, accumulate',
    [
        (GPACO, 2, 1500, 3),
        # 329 images of a rank and one more of the first, in batches of 128.
        (PACO, 3, 500, 2),
        # Three batches of 128 do not fit into the queue.
        pytest.param(GPACO, 3, 300, 1, marks=pytest.mark.slow),
        pytest.param(PACO, 2, 200, 1, marks=pytest.mark.slow),
        pytest.param(GPACO, 1, 500, 1, marks=pytest.mark.slow),
        pytest.param(PACO, 1, 100, 3, marks=pytest.mark.slow),
    ],
)
def test_all_ranks_hold_the_queue_of_one_process_after_every_iteration(
    mnist_config, dist_train, tmp_path, config, num_ranks, length, accumulate
):
    """Ragged last batches, unequal ones on the ranks, accumulated steps."""
    cfg = recorded(mnist_config(config), tmp_path)
    cfg.model.head.queue_length = length
    cfg.optim_wrapper.accumulative_counts = accumulate
    cfg.train_dataloader.batch_size = 128
    cfg.train_dataloader.sampler.round_up = False
    dist_train(cfg, num_ranks)

    ranks = records(cfg, num_ranks)
    share, more = divmod(988, num_ranks)
    for rank, sizes in enumerate(batch_sizes(ranks)):
        images = share + (rank < more)
        epoch = [128] * (images // 128) + [images % 128]
        assert sizes == 2 * epoch
    check_queues(ranks, length)
    check_weights(ranks)
    assert np.array_equal(seen(ranks), 2 * counts_of(ranks))
    for a, b in zip(ranks, ranks[1:]):
        assert a['steps'][0]['images'] != b['steps'][0]['images']


def resnet(cfg, with_cp):
    """A backbone with batch norm, which can forget its activations."""
    norm = dict(type='SyncBN')
    cfg.model.backbone = dict(
        type='ResNet_CIFAR',
        depth=18,
        in_channels=1,
        stem_channels=8,
        base_channels=8,
        num_stages=2,
        strides=(2, 2),
        dilations=(1, 1),
        out_indices=(1,),
        norm_cfg=norm,
        with_cp=with_cp,
    )
    cfg.model.head.in_channels = 16
    return cfg


@pytest.mark.parametrize(
    'momentum', (pytest.param(None, marks=pytest.mark.slow), 0.999)
)
def test_activation_checkpointing_changes_no_weight_and_no_queue(
    mnist_config, tmp_path, momentum
):
    """A recomputed forward enqueues nothing, with accumulated steps too."""
    found = []
    for with_cp in (False, True):
        cfg = resnet(mnist_config(PACO), with_cp)
        cfg.model.momentum = momentum
        cfg.model.head.queue_length = 900
        cfg.optim_wrapper.accumulative_counts = 3
        cfg.train_cfg.val_begin = 2
        if with_cp:
            cfg.activation_checkpointing = ['head.projector']
        runner = Runner.from_cfg(cfg)
        runner.train()
        found.append(runner.model)
    without, with_cp = found
    calls = without.backbone.norm1.num_batches_tracked
    assert calls == (32 if momentum is None else 16)
    # The blocks were run again: their batch norm saw each batch twice.
    again = with_cp.backbone.layer1[0].norm1.num_batches_tracked
    assert again == 2 * calls
    expected = without.state_dict()
    for name, value in with_cp.state_dict().items():
        if 'running' not in name and 'num_batches' not in name:
            torch.testing.assert_close(
                value, expected[name], rtol=0, atol=1e-6, msg=name
            )
    assert int(with_cp.head.queue.pointer) == 988 - 900


@pytest.mark.slow
def test_ranks_agree_with_a_static_graph_that_is_run_again(
    mnist_config, dist_train, tmp_path
):
    """DDP over recomputed blocks, whose SyncBN is reverted and says so."""
    cfg = resnet(recorded(mnist_config(GPACO), tmp_path, epochs=1), True)
    cfg.model.type = 'mmpaco.PaCoClassifier'
    cfg.model.head.queue_length = 300
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel', static_graph=True
    )
    output = dist_train(cfg, 2)
    assert 'SyncBN layers were reverted to batch norm' in output
    ranks = records(cfg, 2)
    assert batch_sizes(ranks) == 2 * [7 * [64] + [46]]
    check_queues(ranks, 300)
    check_weights(ranks)


# Six steps of each model over each kind of DDP that PyTorch allows.
DDP = """
import os
import sys

import torch
from mmengine.dist import get_rank
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import distributed

from mmpaco.runner.cpu_ddp import CPUDistributedDataParallel
from mmpaco.engine.distributed import gather_rows

distributed.init_process_group('gloo')
DefaultScope.get_instance('rank', scope_name='mmpretrain')


def train(model_type, options, with_cp, static_graph, accumulate):
    torch.manual_seed(0)
    model = MODELS.build(dict(
        type=model_type,
        data_preprocessor=dict(
            type='mmpaco.MultiViewDataPreprocessor', num_classes=3),
        backbone=dict(
            type='ResNet_CIFAR', depth=18, stem_channels=4, base_channels=4,
            num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,),
            with_cp=with_cp),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='mmpaco.GPaCoHead', num_classes=3, in_channels=8,
            queue_length=20, projector=dict(norm_cfg=dict(type='BN1d'))),
        **options))
    model.init_weights()
    model.head.prior.set_class_counts([5, 3, 2])
    wrapper = CPUDistributedDataParallel(
        model, find_unused_parameters=False, static_graph=static_graph)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = OptimWrapper(
        torch.optim.SGD(trained.values(), 0.1),
        accumulative_counts=accumulate)
    optimizer.initialize_count_status(wrapper, 0, 6)
    generator = torch.Generator().manual_seed(get_rank())
    for step in range(6):
        images = torch.randn(2, 4, 3, 8, 8, generator=generator)
        labels = torch.randint(0, 3, (4,), generator=generator)
        samples = [DataSample().set_gt_label(int(x)) for x in labels]
        wrapper.train_step(
            dict(inputs=list(images), data_samples=samples), optimizer)
        queue = model.head.queue
        queue.append(*gather_rows(*queue.take_staged()))
        if model_type == 'mmpaco.PaCoClassifier':
            model.end_iteration(optimizer.should_update())
    assert optimizer._inner_count == 6
    return {n: p.detach() for n, p in trained.items()}, queue.state_dict()


found = {}
for name, model_type, options in (
    ('head', 'ImageClassifier', {}),
    ('gpaco', 'mmpaco.PaCoClassifier', {}),
    ('paco', 'mmpaco.PaCoClassifier', dict(momentum=0.999)),
):
    for accumulate in (1, 3):
        for with_cp in (False, True):
            for static_graph in (False, True):
                # DDP hands no gradients over in such a step.
                if static_graph and accumulate > 1:
                    continue
                # A block that is run again for each view is ready twice.
                if name == 'gpaco' and with_cp and not static_graph:
                    continue
                found[name, accumulate, with_cp, static_graph] = train(
                    model_type, options, with_cp, static_graph, accumulate)
torch.save(found, f'{sys.argv[1]}/{get_rank()}.pth')
# Threads of gloo now and then abort an interpreter that takes its leave.
os._exit(0)
"""


def test_ddp_trains_the_same_whatever_is_run_again(run, tmp_path):
    """No unused parameters, plain or static graph, accumulated or not."""
    script = tmp_path / 'train.py'
    script.write_text(DDP)
    run(
        *(sys.executable, '-m', 'torch.distributed.run', '--standalone'),
        *('--nproc_per_node=2', script, tmp_path),
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )
    ranks = [
        torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        for rank in range(2)
    ]
    assert len(ranks[0]) == 6 + 4 + 6
    for case, (weights, queue) in ranks[0].items():
        for name, value in [*weights.items(), *queue.items()]:
            part = 0 if name in weights else 1
            assert torch.equal(ranks[1][case][part][name], value), name
            plain = ranks[0][(*case[:2], False, False)][part][name]
            torch.testing.assert_close(
                value, plain, rtol=0, atol=1e-6, msg=f'{case} {name}'
            )
