"""Promises of ``tools/`` and :mod:`mmpaco.runner.stock_tools`.

The tools run in real subprocesses, from another working directory, on images
written to disk.
"""

import subprocess
import sys

import pytest
from mmengine.device import get_device
from mmengine.registry import MODEL_WRAPPERS
from support.paths import TOOLS
from support.processes import environment, free_port
from support.tiny import write_tiny
from support.tools import call_here

from mmpaco.runner.stock_tools import run_stock_tool


@pytest.fixture
def workspace(tiny_config):
    """A folder with images and ``tiny.py``, a config for them."""
    return tiny_config()


def run(command, cwd, **env):
    process = subprocess.run(
        [str(x) for x in command],
        cwd=cwd,
        env=environment(**env),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    return process.returncode, process.stdout


def run_ok(command, cwd, **env):
    status, output = run(command, cwd, **env)
    assert status == 0, output[-5000:]
    return output


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


@pytest.mark.skipif(get_device() != 'cpu', reason='half precision is there')
@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ((), 'add --cfg-options optim_wrapper.type=OptimWrapper'),
        (
            ('--cfg-options', 'optim_wrapper.type=OptimWrapper', '--amp'),
            '--amp',
        ),
    ],
)
def test_half_precision_without_a_gpu_is_refused_with_what_to_do(
    options, said, tiny_config
):
    folder = tiny_config(extra="optim_wrapper.update(type='AmpOptimWrapper')")
    config = str(folder / 'tiny.py')
    with pytest.raises(ValueError, match=said):
        run_stock_tool('train', config, options)
    # As it says.
    run_ok(
        [
            *(sys.executable, TOOLS / 'train.py', config, '--cfg-options'),
            *('optim_wrapper.type=OptimWrapper', 'train_cfg.max_epochs=1'),
        ],
        folder,
    )


def test_a_config_that_is_no_file_is_refused_with_the_order_expected():
    with pytest.raises(FileNotFoundError, match='comes first'):
        run_stock_tool('train', 'no/such/config.py')


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_help_is_ours_and_points_at_the_stock_options(tool, tmp_path):
    output = call_here(tmp_path, f'{tool}.py', '--help').stdout
    assert 'options of the stock tool' in output
    assert '--launcher pytorch' in output


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh'])
def test_a_shell_tool_without_arguments_prints_its_usage(script, tmp_path):
    status, output = run([TOOLS / script], tmp_path)
    assert status == 2
    assert 'usage:' in output and 'CONFIG' in output


def test_train_and_test_run_the_stock_tools_from_any_folder(tiny_config):
    """Nothing of the gloo path is active unless the launcher asks for it."""
    workspace = tiny_config(norm='SyncBN')
    train = [sys.executable, TOOLS / 'train.py', 'tiny.py']
    output = run_ok([*train, '--work-dir', 'with space'], workspace)
    assert 'SyncBN layers were reverted' not in output
    assert 'Distributed training is not used' in output
    checkpoint = workspace / 'with space' / 'epoch_4.pth'
    assert checkpoint.is_file()

    test = [sys.executable, TOOLS / 'test.py', 'tiny.py', checkpoint]
    output = run_ok([*test, '--work-dir', 'tested'], workspace)
    assert 'accuracy/top1: 100.0' in output


BUSY = """
import atexit
import torch
from torch import distributed

def leave_gloo_at_work():
    for _ in range(50):
        distributed.all_reduce(torch.ones(1000), async_op=True)
    print('left at work')

atexit.register(leave_gloo_at_work)
"""


PROBE = """
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class Probe(Hook):
    def before_train(self, runner):
        m = runner.model
        # A file for each: what two processes print may be torn.
        with open(f'probe{get_rank()}.txt', 'w') as file:
            print(type(m).__name__, m.device_ids, m.find_unused_parameters,
                  m.broadcast_buffers, m.bucket_bytes_cap, runner.max_epochs,
                  file=file)
"""


@pytest.fixture(scope='module')
def two_processes(tmp_path_factory):
    """A training with options, which leaves gloo at work in the end."""
    workspace = write_tiny(
        tmp_path_factory.mktemp('two_processes'),
        norm='SyncBN',
        extra='find_unused_parameters = True\n'
        "custom_imports = dict(imports=['busy', 'probe'])\n"
        "custom_hooks = [dict(type='Probe')]\n",
    )
    (workspace / 'busy.py').write_text(BUSY)
    (workspace / 'probe.py').write_text(PROBE)
    status, output = run(
        [
            *(TOOLS / 'dist_train.sh', 'tiny.py', '2'),
            *('--work-dir', 'with space', '--cfg-options'),
            *('train_cfg.max_epochs=3', 'train_cfg.val_interval=3'),
            'model_wrapper_cfg.bucket_cap_mb=7',
        ],
        workspace,
        PORT=free_port(),
        PYTHONPATH=str(workspace),
    )
    return workspace, status, output


def test_two_processes_train_and_test_over_gloo_with_sync_bn_reverted(
    two_processes,
):
    workspace, _, output = two_processes
    assert 'SyncBN layers were reverted' in output
    # 32 images in batches of 4 are 8 iterations, shared by two processes.
    assert '[4/4]' in output and '/8]' not in output

    output = run_ok(
        [
            *(TOOLS / 'dist_test.sh', 'tiny.py', 'with space/epoch_3.pth'),
            *('2', '--work-dir', 'tested'),
        ],
        workspace,
        PORT=free_port(),
        PYTHONPATH=str(workspace),
    )
    assert 'accuracy/top1: 100.0' in output


def test_options_of_the_user_win_in_two_processes(two_processes):
    """``--cfg-options`` are kept, and so is find_unused_parameters."""
    workspace, *_ = two_processes
    expected = f'CPUDistributedDataParallel None True False {7 << 20} 3'
    for rank in range(2):
        assert (workspace / f'probe{rank}.txt').read_text() == f'{expected}\n'


def test_the_end_is_clean_while_threads_of_gloo_drop_tensors(two_processes):
    """They would abort the process in the end of the interpreter."""
    _, status, output = two_processes
    assert 'left at work' in output
    assert status == 0, output[-5000:]


def test_a_failure_is_told_while_threads_of_gloo_drop_tensors(tiny_config):
    workspace = tiny_config(
        extra="custom_imports = dict(imports=['busy'])\n"
        "model['backbone']['type'] = 'NoSuchNetwork'\n"
    )
    (workspace / 'busy.py').write_text(BUSY)
    status, output = run(
        [TOOLS / 'dist_train.sh', 'tiny.py', '2', '--work-dir', 'work'],
        workspace,
        PORT=free_port(),
        PYTHONPATH=str(workspace),
    )
    assert 'left at work' in output
    assert status == 1, output[-5000:]
    assert 'NoSuchNetwork' in output


def test_options_that_cannot_be_merged_are_a_failure(workspace):
    status, output = run(
        [
            *(sys.executable, TOOLS / 'train.py', 'tiny.py'),
            *('--launcher', 'pytorch', '--cfg-options', 'pipeline.9.type=X'),
        ],
        workspace,
        RANK='0',
        LOCAL_RANK='0',
        WORLD_SIZE='1',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=free_port(),
    )
    assert 'Index 9 exceeds' in output
    assert status == 1


def test_the_wrapper_for_a_cpu_resolves_from_a_config():
    name = 'mmpaco.CPUDistributedDataParallel'
    assert MODEL_WRAPPERS.get(name).__name__ == name.split('.')[1]
