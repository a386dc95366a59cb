"""Real images and shipped configs, made small enough for a test."""

import functools
import gc
import runpy
import subprocess
import sys
import uuid
from importlib.util import find_spec

import pytest
from support.paths import CONFIGS, TOOLS
from support.processes import environment, free_port

# What cannot be imported without a package is left out where it is missing.
NEEDS = {
    'mmpretrain': (
        *('cls', 'comparison', 'converters', 'engine/hooks', 'projects'),
        *(
            f'analysis/test_{name}.py'
            for name in (
                'ensemble',
                'gradient_norm',
                'logit_adjustment',
                'tau_normalize',
                'trained_classifier',
                'view_picture',
            )
        ),
        'engine/test_bfloat16_optim_wrapper.py',
        'engine/test_class_counts.py',
        'runner/test_loaded_runner.py',
        'runner/test_training_counts.py',
        *(
            f'tools/test_{name}.py'
            for name in (
                'analysis',
                'kill_and_resume',
                'launchers',
                'soak',
                'wrong_arguments',
            )
        ),
        'test_baseline_configs.py',
        'test_cls_configs.py',
        'test_cls_configs_run.py',
        'test_configs.py',
        'test_vit_configs.py',
        'test_vit_configs_run.py',
        'test_vit_networks.py',
    ),
    'mmseg': (
        'analysis/test_class_statistics.py',
        'converters/test_camvid.py',
        'seg',
        'test_seg_configs.py',
    ),
}
collect_ignore = [
    path
    for package, paths in NEEDS.items()
    if find_spec(package) is None
    for path in paths
]


def pytest_configure():
    """Have a config formatted once: a runner asks for it five times over."""
    try:
        from yapf.yapflib import yapf_api
    except ModuleNotFoundError:
        return
    format_code, known = yapf_api.FormatCode, {}

    def format_once(text, **options):
        key = text, repr(options)
        if key not in known:
            if len(known) == 8:
                known.clear()
            known[key] = format_code(text, **options)
        return known[key]

    yapf_api.FormatCode = format_once


def pytest_runtest_setup(item):
    """Skip what needs more cards than there are."""
    marker = item.get_closest_marker('cuda')
    if marker is None:
        return
    from support.cuda import lack_of_cards

    told = lack_of_cards(marker.kwargs.get('devices', 1))
    if told:
        pytest.skip(told)


@pytest.fixture(scope='module', autouse=True)
def frozen():
    """Spare mmengine the modules: each dataset of it collects garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_visualizer():
    """Leave no visualizer to the next test: its folder is gone by then."""
    yield
    module = sys.modules.get('mmengine.visualization')
    kinds = [module.Visualizer] if module else []
    for kind in kinds:
        kind._instance_dict.clear()
        kinds += kind.__subclasses__()


@pytest.fixture
def log(tmp_path):
    """Give what was logged since the test began."""
    from mmengine.logging import MMLogger

    path = tmp_path / 'log'
    MMLogger.get_instance(f'test-{tmp_path.name}', log_file=str(path))
    yield path.read_text
    # What runs later logs elsewhere.
    MMLogger.get_instance(f'after-{tmp_path.name}')


@pytest.fixture(scope='session')
def run():
    """Run a command that must succeed, and give what it prints."""

    def run_command(*command, **options):
        out = subprocess.run(
            [str(x) for x in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            **options,
        )
        assert out.returncode == 0, out.stdout[-3000:]
        return out.stdout

    return run_command


@pytest.fixture
def stock_run(monkeypatch):
    """Run a tool of a stock package as its command line, in this process."""
    from mmpaco.compat import stock_tool

    def run_tool(package, tool, config, *arguments, **options):
        # Runners of one process and one second would share a logger, and the
        # visualizer of the first would be that of all.
        options['experiment_name'] = uuid.uuid4().hex
        options['visualizer.name'] = uuid.uuid4().hex
        argv = [tool, config, *arguments, '--cfg-options']
        argv += [f'{k}={str(v).replace(" ", "")}' for k, v in options.items()]
        monkeypatch.setattr(sys, 'argv', [str(x) for x in argv])
        monkeypatch.setenv('LOCAL_RANK', '0')
        runpy.run_path(str(stock_tool(package, tool)), run_name='__main__')

    return run_tool


@pytest.fixture
def no_init(monkeypatch):
    """Large layers without values, in a fraction of the time."""
    import torch

    for layer in (torch.nn.modules.conv._ConvNd, torch.nn.Linear):
        monkeypatch.setattr(layer, 'reset_parameters', lambda self: None)


@pytest.fixture
def dist_train(run, tmp_path):
    """Train a config in several processes by the shell tool.

    Modules in the temporary folder can be imported by the config.
    """

    def launch(cfg, num_ranks, *options):
        # Ranks that were given a name of their own would share no folder.
        cfg.pop('experiment_name', None)
        cfg.dump(str(tmp_path / 'config.py'))
        return run(
            'bash',
            TOOLS / 'dist_train.sh',
            tmp_path / 'config.py',
            num_ranks,
            *options,
            env=environment(tmp_path, PORT=free_port()),
        )

    return launch


@pytest.fixture(scope='session')
def mnist5k(tmp_path_factory):
    """MNIST-5k in the layout of MNIST: 400 and 100 images a class."""
    pytest.importorskip('mmpretrain')
    from mmpaco.converters.mnist5k import write_mnist5k

    root = tmp_path_factory.mktemp('mnist5k')
    write_mnist5k(root)
    return str(root)


@pytest.fixture
def mnist_config(mnist5k, tmp_path):
    """Load a shipped config of MNIST-5k, with one epoch of 16 iterations.

    Those of Fashion-MNIST read the digits, too: 988 images in 8 iterations.
    """
    pytest.importorskip('mmpretrain')
    from mmengine.config import Config

    def load(name, **options):
        cfg = Config.fromfile(str(CONFIGS / name))
        set_data_root(cfg._cfg_dict, mnist5k)
        cfg.work_dir = str(tmp_path / 'work_dir')
        # Runners of one process and one second would share a logger.
        cfg.experiment_name = uuid.uuid4().hex
        cfg.train_cfg.max_epochs = 1
        cfg.default_hooks.logger.interval = 1
        cfg.merge_from_dict(options)
        return cfg

    return load


def set_data_root(node, root):
    if isinstance(node, dict):
        if node.get('data_root') in ('data/mnist5k', 'data/fashion-mnist'):
            node['data_root'] = root
        for child in node.values():
            set_data_root(child, root)
    elif isinstance(node, (list, tuple)):
        for child in node:
            set_data_root(child, root)


@pytest.fixture
def tiny_config(tmp_path):
    """Write a config that trains in seconds, and its images.

    The folder then holds ``tiny.py`` and 16 dark and 16 light images.
    """
    from support.tiny import write_tiny

    return functools.partial(write_tiny, tmp_path)


@pytest.fixture
def drawn(monkeypatch):
    """Keep the figures that are written."""
    from matplotlib.figure import Figure

    figures, savefig = [], Figure.savefig

    def keep(figure, path, **options):
        figures.append(figure)
        savefig(figure, path, **options)

    monkeypatch.setattr(Figure, 'savefig', keep)
    return figures
