"""The bytes of ``docs/scaling.md``, against those of real processes."""

import json
import os
import subprocess
import sys

import pytest
from support.paths import DOCS

SCRIPT = """
import json
import os
import sys
from types import SimpleNamespace

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample
from torch import distributed

import mmpaco
from mmpaco.engine.hooks import PaCoQueueHook

path, me = sys.argv[1], int(sys.argv[2])
images, channels, size = map(int, sys.argv[3:])
messages = []


def count(name, position):
    call = getattr(distributed, name)

    def counted(*args, **kwargs):
        tensor = args[position]
        messages.append([name, tensor.numel() * tensor.element_size()])
        return call(*args, **kwargs)

    setattr(distributed, name, counted)


def step(momentum, gather):
    model = MODELS.build(dict(
        type='mmpaco.PaCoClassifier',
        momentum=momentum,
        data_preprocessor=dict(type='mmpaco.MultiViewDataPreprocessor'),
        backbone=dict(
            type='ResNet_CIFAR', depth=18, num_stages=1, stem_channels=4,
            base_channels=4, out_indices=(0, ), strides=(1, ),
            dilations=(1, )),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='mmpaco.GPaCoHead', num_classes=3, in_channels=4,
            class_prior=False, queue_length=50, gather=gather,
            projector=dict(out_channels=channels))))
    optimizer = torch.optim.SGD(model.head.parameters(), 0.1)
    runner = SimpleNamespace(
        model=model, hooks=[], iter=0, optim_wrapper=OptimWrapper(optimizer))
    hook = PaCoQueueHook()
    hook.before_train(runner)
    samples = [DataSample().set_gt_label(i % 3) for i in range(images)]
    # The first step also tells how long batches are.
    for _ in range(2):
        messages.clear()
        views = torch.randn(2 * images, 3, size, size)
        model.loss(views, samples * 2)['loss'].backward()
        hook.after_train_iter(runner, 0)
    return list(messages)


DefaultScope.get_instance('rank', scope_name='mmpretrain')
for name, position in (
    ('all_gather', 1), ('all_reduce', 0), ('broadcast', 0),
    ('all_gather_into_tensor', 1), ('all_gather_object', 1),
    ('reduce_scatter', 0), ('all_to_all', 0), ('send', 0), ('reduce', 0),
):
    count(name, position)
# Of three processes those take part that are among so many ranks.
for num_ranks in (2, 3):
    if me >= num_ranks:
        continue
    distributed.init_process_group(
        'gloo', f'file://{path}/store{num_ranks}', rank=me,
        world_size=num_ranks)
    steps = {
        '`gather=True`': step(None, True),
        "PaCo's shuffle": step(0.9, False)}
    with open(f'{path}/{num_ranks}-{me}.json', 'w') as file:
        json.dump(steps, file)
    distributed.destroy_process_group()
# Threads of gloo now and then abort an interpreter that takes its leave.
os._exit(0)
"""


# Of a step, the last of the queue hook.
COLLECTIVES = {
    '`gather=True`': ['all_gather', 'all_reduce', 'all_gather'],
    "PaCo's shuffle": ['all_gather', 'broadcast', 'all_gather', 'all_gather'],
}


def sent(name, message, ranks):
    """Bytes that a rank sends in a ring, on average."""
    share = (ranks - 1) / ranks
    whole = {
        'all_gather': ranks * message,
        'all_reduce': 2 * message,
        'broadcast': message,
    }
    return share * whole[name]


def cost(ranks, images=32, channels=128, size=224, parameters=25.6e6):
    """Bytes that a rank sends in a step, and the largest that it gathers.

    Two views of ``images`` images a rank, embeddings of ``channels``
    numbers. Numbers have 4 bytes, classes and sizes 8.
    """
    others = ranks - 1
    anchor = 4 * channels
    pixels = images * 3 * size * size * 4
    return {
        'queue hook': (
            others * (8 + images * (anchor + 8)),
            ranks * (8 + images * (anchor + 8)),
        ),
        '`gather=True`': (
            # Sizes, rows and classes forward; rows backward.
            others * (8 + 2 * images * (anchor + 8))
            + 2 * others * 2 * images * anchor,
            ranks * (8 + 2 * images * (anchor + 8)),
        ),
        "PaCo's shuffle": (
            # Sizes, images, the order that is drawn, keys.
            others * (8 + pixels + 8 * images + images * anchor),
            ranks * (8 + pixels),
        ),
        'DDP': (2 * others / ranks * 4 * parameters, 4 * parameters),
    }


# Images and channels of a rank, and the size of an image.
STEP = (6, 10, 8)


@pytest.fixture(scope='module')
def steps_of(tmp_path_factory):
    """What ranks send in a step, by their number and the rank."""
    folder = tmp_path_factory.mktemp('scaling')
    script = folder / 'step.py'
    script.write_text(SCRIPT)
    processes = [
        subprocess.Popen(
            [str(x) for x in (sys.executable, script, folder, rank, *STEP)],
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(3)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
    return {
        (num_ranks, rank): json.loads(
            (folder / f'{num_ranks}-{rank}.json').read_text()
        )
        for num_ranks in (2, 3)
        for rank in range(num_ranks)
    }


@pytest.mark.parametrize('num_ranks', (2, 3))
def test_a_step_sends_as_many_bytes_as_the_formula_says(steps_of, num_ranks):
    expected = cost(num_ranks, *STEP)
    for rank in range(num_ranks):
        steps = steps_of[num_ranks, rank]
        for part, messages in steps.items():
            counted = sum(sent(*message, num_ranks) for message in messages)
            wanted = expected['queue hook'][0] + expected[part][0]
            assert counted == pytest.approx(wanted, rel=1e-12)
            largest = max(
                size for name, size in messages if name == 'all_gather'
            )
            assert num_ranks * largest == expected[part][1]
            assert [name for name, _ in messages] == COLLECTIVES[part]


def test_the_tables_of_the_page_hold_what_the_formula_gives():
    rows = {}
    for line in (DOCS / 'scaling.md').read_text().splitlines():
        if line.startswith('| ') and line.count('|') == 8:
            name, *numbers = (x.strip() for x in line.strip('|').split('|'))
            rows[name] = numbers
    by_ranks = [cost(ranks) for ranks in (8, 64, 512)]
    assert set(by_ranks[0]) <= set(rows)
    for name in by_ranks[0]:
        numbers = [x[name][i] / 1e6 for i in range(2) for x in by_ranks]
        # Three digits.
        assert rows[name] == [f'{float(f"{x:.3g}"):,g}' for x in numbers]
