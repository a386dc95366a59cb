"""Promises of ``tools/`` and :mod:`mmpaco.engine.stock_tools`.

The tools run in real subprocesses, from another working directory, on images
written to disk.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmpaco.engine.stock_tools import run_stock_tool

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
CONFIG = """
default_scope = 'mmpretrain'
norm = dict(type='{norm}')
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=2, mean=[127.], std=[64.]),
    backbone=dict(
        type='ResNet_CIFAR', depth=18, num_stages=2, in_channels=1,
        stem_channels=4, base_channels=4, out_indices=(1, ),
        strides=(1, 2), dilations=(1, 1), norm_cfg=norm),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=2, in_channels=8, topk=(1, ),
        loss=dict(type='CrossEntropyLoss')))
pipeline = [
    dict(type='LoadImageFromFile', color_type='grayscale'),
    dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset', data_root=r'{data}', pipeline=pipeline))
val_dataloader = test_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset', data_root=r'{data}', pipeline=pipeline))
val_evaluator = test_evaluator = dict(type='Accuracy', topk=(1, ))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=4)
val_cfg = test_cfg = dict()
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
randomness = dict(seed=0)
"""


@pytest.fixture
def workspace(tmp_path):
    """A folder with 16 dark and 16 light images and a config for them."""
    rng = np.random.default_rng(0)
    for label, level in (('dark', 60), ('light', 190)):
        folder = tmp_path / 'data' / label
        folder.mkdir(parents=True)
        for i in range(16):
            image = rng.normal(level, 10, (8, 8)).clip(0, 255)
            cv2.imwrite(str(folder / f'{i}.png'), image.astype(np.uint8))
    write_config(tmp_path)
    return tmp_path


def write_config(folder, norm='BN', extra=''):
    text = CONFIG.format(norm=norm, data=folder / 'data') + extra
    (folder / 'tiny.py').write_text(text)


def run(command, cwd, **env):
    process = subprocess.run(
        [str(x) for x in command],
        cwd=cwd,
        env={
            **os.environ,
            'CUDA_VISIBLE_DEVICES': '',
            'OMP_NUM_THREADS': '1',
            'PYTHON': sys.executable,
            **env,
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    return process.returncode, process.stdout


def run_ok(command, cwd, **env):
    status, output = run(command, cwd, **env)
    assert status == 0, output
    return output


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return str(s.getsockname()[1])


def test_a_config_without_default_scope_is_refused(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text('model = dict()\n')
    with pytest.raises(ValueError, match="set default_scope = 'mmpretrain'"):
        run_stock_tool('train', str(config))


def test_a_config_of_another_package_is_refused_with_its_scope(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("default_scope = 'mmdet'\n")
    with pytest.raises(ValueError, match="has 'mmdet'"):
        run_stock_tool('train', str(config))


def test_a_config_that_is_no_file_is_refused_with_the_order_expected():
    with pytest.raises(FileNotFoundError, match='comes first'):
        run_stock_tool('train', 'no/such/config.py')


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_help_is_ours_and_points_at_the_stock_options(tool, tmp_path):
    command = [sys.executable, TOOLS / f'{tool}.py', '--help']
    output = run_ok(command, tmp_path)
    assert 'options of the stock tool' in output
    assert '--launcher pytorch' in output


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh'])
def test_a_shell_tool_without_arguments_prints_its_usage(script, tmp_path):
    status, output = run([TOOLS / script], tmp_path)
    assert status == 2
    assert 'usage:' in output and 'CONFIG' in output


def test_train_and_test_run_the_stock_tools_from_any_folder(workspace):
    train = [sys.executable, TOOLS / 'train.py', 'tiny.py']
    run_ok([*train, '--work-dir', 'with space'], workspace)
    checkpoint = workspace / 'with space' / 'epoch_4.pth'
    assert checkpoint.is_file()

    test = [sys.executable, TOOLS / 'test.py', 'tiny.py', checkpoint]
    output = run_ok([*test, '--work-dir', 'tested'], workspace)
    assert 'accuracy/top1: 100.0' in output


def test_two_processes_train_and_test_over_gloo_with_sync_bn_reverted(
    workspace,
):
    write_config(workspace, norm='SyncBN')
    output = run_ok(
        [TOOLS / 'dist_train.sh', 'tiny.py', '2', '--work-dir', 'with space'],
        workspace,
        PORT=free_port(),
    )
    assert 'SyncBN layers were reverted' in output
    # 32 images in batches of 4 are 8 iterations, shared by two processes.
    assert '[4/4]' in output and '/8]' not in output

    output = run_ok(
        [
            *(TOOLS / 'dist_test.sh', 'tiny.py', 'with space/epoch_4.pth'),
            *('2', '--work-dir', 'tested'),
        ],
        workspace,
        PORT=free_port(),
    )
    assert 'accuracy/top1: 100.0' in output


def test_options_of_the_user_win_in_two_processes(workspace):
    """``--cfg-options`` are kept, and so is find_unused_parameters."""
    write_config(workspace, extra='find_unused_parameters = True\n')
    probe = workspace / 'probe.py'
    probe.write_text(
        'from mmengine.dist import get_rank\n'
        'from mmengine.hooks import Hook\n'
        'from mmengine.registry import HOOKS\n'
        '@HOOKS.register_module()\n'
        'class Probe(Hook):\n'
        '    def before_train(self, runner):\n'
        '        m = runner.model\n'
        # A file for each: what two processes print may be torn.
        "        with open(f'probe{get_rank()}.txt', 'w') as file:\n"
        '            print(type(m).__name__, m.device_ids,\n'
        '                m.find_unused_parameters, m.broadcast_buffers,\n'
        '                m.bucket_bytes_cap, runner.max_epochs, file=file)\n'
    )
    with (workspace / 'tiny.py').open('a') as file:
        file.write("custom_imports = dict(imports=['probe'])\n")
        file.write("custom_hooks = [dict(type='Probe')]\n")
    run_ok(
        [
            *(TOOLS / 'dist_train.sh', 'tiny.py', '2', '--cfg-options'),
            *('train_cfg.max_epochs=1', 'model_wrapper_cfg.bucket_cap_mb=7'),
        ],
        workspace,
        PORT=free_port(),
        PYTHONPATH=str(workspace),
    )
    expected = f'CPUDistributedDataParallel None True False {7 << 20} 1'
    for rank in range(2):
        assert (workspace / f'probe{rank}.txt').read_text() == f'{expected}\n'


def test_one_process_runs_without_a_process_group(workspace):
    """Nothing of the gloo path is active unless the launcher asks for it."""
    write_config(workspace, norm='SyncBN')
    output = run_ok([sys.executable, TOOLS / 'train.py', 'tiny.py'], workspace)
    assert 'SyncBN layers were reverted' not in output
    assert 'Distributed training is not used' in output
