"""Real images and shipped configs, made small enough for a test."""

import uuid
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[1] / 'configs'


@pytest.fixture(scope='session')
def mnist5k(tmp_path_factory):
    """MNIST-5k in the layout of MNIST: 400 and 100 images a class."""
    pytest.importorskip('mmpretrain')
    from mmpaco.cls.datasets.idx import write_mnist5k

    root = tmp_path_factory.mktemp('mnist5k')
    write_mnist5k(root)
    return str(root)


@pytest.fixture
def mnist_config(mnist5k, tmp_path):
    """Load a shipped config of MNIST-5k, with one epoch of 16 iterations."""
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
        if node.get('data_root') == 'data/mnist5k':
            node['data_root'] = root
        for child in node.values():
            set_data_root(child, root)
    elif isinstance(node, (list, tuple)):
        for child in node:
            set_data_root(child, root)
