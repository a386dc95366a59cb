"""Configs of installed packages, named so that both families find them."""

import pytest
from mmengine.config import Config

from mmpaco.runner.stock_configs import config_file, stock_folder

STOCK = {
    'mmpretrain': 'resnet/resnet18_8xb32_in1k.py',
    'mmseg': 'fcn/fcn_r50-d8_4xb2-80k_cityscapes-512x1024.py',
}


@pytest.mark.parametrize('package', STOCK)
def test_a_config_stands_on_one_of_a_package(package, tmp_path):
    pytest.importorskip(package)
    source = config_file(f'{package}::{STOCK[package]}')
    assert source.path == stock_folder(package) / STOCK[package]
    path = tmp_path / 'above.py'
    path.write_text(f'_base_ = (\n{source.expression(tmp_path)}\n)\n')
    assert str(tmp_path) not in path.read_text()
    below = Config.fromfile(source.path).to_dict()
    assert Config.fromfile(path).to_dict() == below


def test_a_config_stands_on_one_of_the_users(tmp_path, monkeypatch):
    below = tmp_path / 'a' / 'below.py'
    below.parent.mkdir()
    below.write_text('x = 1\n')
    (tmp_path / 'b').mkdir()
    monkeypatch.chdir(tmp_path)
    source = config_file('a/below.py')
    assert source.expression('b') == "'../a/below.py'"
    above = tmp_path / 'b' / 'above.py'
    above.write_text(f'_base_ = {source.expression(above.parent)}\n')
    assert Config.fromfile(above).x == 1


def test_a_config_is_found_through_links(tmp_path):
    for folder in ('store', 'named', 'far/away'):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / 'store' / 'below.py').write_text("_base_ = 'lowest.py'\n")
    (tmp_path / 'named' / 'lowest.py').write_text('x = 1\n')
    below = tmp_path / 'named' / 'below.py'
    below.symlink_to(tmp_path / 'store' / 'below.py')
    folder = tmp_path / 'link'
    folder.symlink_to(tmp_path / 'far' / 'away')
    text = config_file(str(below)).expression(folder)
    (folder / 'above.py').write_text(f'_base_ = {text}\n')
    assert Config.fromfile(folder / 'above.py').x == 1


@pytest.mark.parametrize(
    'name, error, told',
    [
        ('missing.py', FileNotFoundError, 'existing file'),
        ('mmdet::x.py', ValueError, 'mmpretrain::... or mmseg::...'),
        (
            'mmpretrain::resnet/resnet18_8xb16_in1k.py',
            FileNotFoundError,
            'mean mmpretrain::resnet/resnet18_8xb32_in1k.py',
        ),
        (
            'mmpretrain::resnet18_8xb32_in1k',
            FileNotFoundError,
            'mean mmpretrain::resnet/resnet18_8xb32_in1k.py',
        ),
        ('mmpretrain::resnet', FileNotFoundError, 'ships no config'),
    ],
)
def test_a_config_that_is_not_there(name, error, told):
    pytest.importorskip('mmpretrain')
    with pytest.raises(error, match=told):
        config_file(name)
