"""Slurm, and several nodes: the shell tools under real launchers.

Where Slurm runs on this machine, its ``srun`` starts the tasks. Elsewhere a
script starts them with the variables that ``srun`` sets.
"""

import os
import shutil
import socket
import subprocess

import pytest
import torch
from mmengine.device import get_device
from support.paths import TOOLS
from support.processes import environment, free_port

from mmpaco.runner.stock_tools import run_stock_tool

SRUN = """#!/bin/sh
echo "srun $*"
while [ "${1#-}" != "$1" ]; do
    case $1 in --ntasks=*) tasks=${1#*=} ;; esac
    shift
done
export SLURM_NTASKS=$tasks SLURM_NODELIST=localhost
while [ "$tasks" -gt 0 ]; do
    tasks=$((tasks - 1))
    SLURM_PROCID=$tasks SLURM_LOCALID=$tasks "$@" &
    pids="$pids $!"
done
for pid in $pids; do wait "$pid" || exit 1; done
"""
PROBE = """
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmpaco.engine.class_counts import count_labels


@HOOKS.register_module()
class Probe(Hook):
    priority = 'LOWEST'

    def after_train(self, runner):
        state = runner.model.module.head.queue.state_dict()
        state['world_size'] = get_world_size()
        state['iter'] = runner.iter
        counts = count_labels(runner.train_dataloader.dataset)
        state['counts'] = torch.as_tensor(counts)
        torch.save(state, f'rank{get_rank()}.pth')
"""


@pytest.fixture
def launch(tmp_path):
    """Start commands at once, wait for all, and give what each printed."""
    processes = []

    def launch(*commands, check=True):
        started = []
        for i, (command, env) in enumerate(commands):
            log = tmp_path / f'launched{i}.log'
            with log.open('w') as file:
                process = subprocess.Popen(
                    [str(x) for x in command],
                    cwd=tmp_path,
                    env=environment(tmp_path, **env),
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
            started.append((process, log))
        processes.extend(process for process, _ in started)
        for process, log in started:
            status = process.wait(timeout=300)
            assert status == 0 or not check, log.read_text()[-5000:]
        return [log.read_text() for _, log in started]

    yield launch
    for process in processes:
        if process.poll() is None:
            process.kill()


def local_partition():
    """The partition in which Slurm would run tasks on this machine."""
    if shutil.which('srun') is None:
        return None
    host = socket.gethostname().split('.')[0]
    command = ['sinfo', '--noheader', f'--nodes={host}', '--states=idle']
    found = subprocess.run(
        [*command, '--format=%R'], capture_output=True, text=True
    ).stdout.split()
    return found[0] if found else None


@pytest.fixture
def srun(tmp_path):
    """Environment of a ``srun`` that starts tasks on this machine."""
    (tmp_path / 'bin').mkdir()
    script = tmp_path / 'bin' / 'srun'
    script.write_text(SRUN)
    script.chmod(0o755)
    return {'PATH': f'{script.parent}{os.pathsep}{os.environ["PATH"]}'}


def test_two_tasks_of_slurm_train_and_test_as_one_job(
    tiny_config, launch, srun
):
    folder = tiny_config()
    env = dict(GPUS='2', CPUS_PER_TASK='1', GRES='')
    partition = local_partition()
    if partition is None:
        env.update(srun, MASTER_ADDR='127.0.0.1')
        partition = 'none'
    for tool, *arguments in (
        ('slurm_train.sh', 'with space', '--no-pin-memory'),
        ('slurm_test.sh', 'with space/epoch_4.pth', '--work-dir', 'tested'),
    ):
        command = [TOOLS / tool, partition, 'tiny', 'tiny.py', *arguments]
        (output,) = launch((command, dict(env, MASTER_PORT=free_port())))
        assert 'Distributed launcher: slurm' in output
        assert 'GPU number: 2' in output
        # 32 images in batches of 4 are 8 iterations, shared by two tasks.
        assert '[4/4]' in output and '/8]' not in output
        assert 'accuracy/top1: 100.0' in output
    assert (folder / 'with space' / 'epoch_4.pth').is_file()


@pytest.mark.parametrize(
    'env, asked',
    [
        (dict(), '--gres=gpu:8 --ntasks=8 --ntasks-per-node=8'),
        (dict(GPUS='2'), '--gres=gpu:2 --ntasks=2 --ntasks-per-node=2'),
        (
            dict(GPUS='9', GPUS_PER_NODE='3', GRES='gpu:a100:3'),
            '--gres=gpu:a100:3 --ntasks=9 --ntasks-per-node=3',
        ),
        (dict(GPUS='1', GRES=''), 'job --ntasks=1 --ntasks-per-node=1'),
        (
            dict(GPUS='1', SRUN_ARGS='--qos=low --time=9'),
            '--kill-on-bad-exit=1 --qos=low --time=9 echo',
        ),
    ],
)
def test_srun_is_asked_for_what_the_environment_says(launch, srun, env, asked):
    command = [TOOLS / 'slurm_test.sh', 'part', 'job', 'c.py', 'c.pth', '-x']
    (output,) = launch((command, {**srun, 'PYTHON': 'echo', **env}))
    first, *tasks = output.splitlines()
    assert first.startswith('srun --partition=part --job-name=job ')
    assert asked in first
    assert tasks == tasks[:1] * int(env.get('GPUS', 8))
    assert tasks[0].endswith('test.py c.py c.pth --launcher slurm -x')


def test_a_folder_after_the_config_is_the_work_dir(launch, srun):
    env = {**srun, 'PYTHON': 'echo', 'GPUS': '1'}
    command = [TOOLS / 'slurm_train.sh', 'part', 'job', 'c.py']
    (plain,) = launch(([*command, '--resume'], env))
    assert plain.endswith('train.py c.py --launcher slurm --resume\n')
    (output,) = launch(([*command, 'runs/a', '--resume'], env))
    assert output.endswith('--launcher slurm --work-dir runs/a --resume\n')


@pytest.mark.parametrize('script', ['slurm_train.sh', 'slurm_test.sh'])
def test_a_slurm_tool_without_arguments_prints_its_usage(script, launch):
    (output,) = launch(([TOOLS / script], {}), check=False)
    assert 'usage:' in output and 'PARTITION JOB_NAME CONFIG' in output


@pytest.mark.skipif(get_device() != 'cpu', reason='mmengine does it there')
def test_the_slurm_launcher_outside_of_a_job_names_what_is_missing(
    tiny_config, monkeypatch
):
    monkeypatch.delenv('SLURM_PROCID', raising=False)
    config = str(tiny_config() / 'tiny.py')
    with pytest.raises(RuntimeError, match="'SLURM_PROCID', which srun sets"):
        run_stock_tool('train', config, ['--launcher', 'slurm'])


def test_both_shell_tools_launch_alike_on_several_nodes(launch):
    """What is tested is what was seen to train on two nodes."""
    env = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='node0', PORT='29')
    train = [TOOLS / 'dist_train.sh', 'c.py', '4', '--resume']
    test = [TOOLS / 'dist_test.sh', 'c.py', 'c.pth', '4', '--tta']
    trained, tested = launch(
        *((command, dict(env, PYTHON='echo')) for command in (train, test))
    )
    launcher, train = trained.split(' --nproc_per_node=4 ')
    assert launcher == (
        '-m torch.distributed.run --nnodes=2 --node_rank=1 '
        '--master_addr=node0 --master_port=29'
    )
    assert train.endswith('train.py c.py --launcher pytorch --resume\n')
    same, test = tested.split(' --nproc_per_node=4 ')
    assert same == launcher
    assert test.endswith('test.py c.py c.pth --launcher pytorch --tta\n')


def test_two_launchers_on_two_nodes_train_one_model_with_one_queue(
    mnist_config, tmp_path, launch
):
    cfg = mnist_config('gpaco/lenet5_mnist5k-lt.py')
    # Ranks agree on the name of a run when they begin it.
    cfg.pop('experiment_name')
    cfg.model.head.queue_length = 2000
    cfg.custom_imports.imports.append('probe')
    cfg.custom_hooks.append(dict(type='Probe'))
    cfg.dump(str(tmp_path / 'config.py'))
    (tmp_path / 'probe.py').write_text(PROBE)

    command = [TOOLS / 'dist_train.sh', 'config.py', 1]
    env = dict(NNODES='2', MASTER_ADDR='127.0.0.1', PORT=free_port())
    output = launch(
        *((command, dict(env, NODE_RANK=str(node))) for node in range(2))
    )
    assert 'GPU number: 2' in output[0]
    first, second = (
        torch.load(tmp_path / f'rank{rank}.pth', weights_only=True)
        for rank in range(2)
    )
    assert first['world_size'] == 2
    # One process takes 16 iterations for an epoch.
    assert first['iter'] == 8
    for name, value in first.items():
        assert torch.equal(
            torch.as_tensor(value), torch.as_tensor(second[name])
        )
    labels = first['labels'][: int(first['filled'])]
    assert torch.equal(labels.bincount(minlength=10), first['counts'])
