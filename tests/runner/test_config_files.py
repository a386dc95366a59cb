"""Configs that are not what a tool works on."""

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmpaco.runner.config_files import load_config, read_config


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(
        "default_scope = 'mmpretrain'\nmodel = dict(head=dict(a=1))\n"
    )
    return path


def test_a_config_is_read_into_its_scope(config):
    cfg = read_config(config, 'mmpretrain', ('model', 'model.head.a'))
    assert cfg.model.head.a == 1
    assert DefaultScope.get_current_instance().scope_name == 'mmpretrain'


def test_a_config_is_copied():
    given = Config(dict(a=dict(b=1)))
    read_config(given).a.b = 2
    assert given.a.b == 1


@pytest.mark.parametrize(
    'scope, entered', [(None, 'mmengine'), ('mmseg', 'mmseg')]
)
def test_without_a_scope_it_has_the_one_that_is_expected(scope, entered):
    read_config(Config(dict(a=1)), scope)
    assert DefaultScope.get_current_instance().scope_name == entered


def test_that_of_another_package_is_refused(config):
    before = read_config(config)
    with pytest.raises(TypeError, match=r'of mmseg, but .*config\.py is one'):
        read_config(config, 'mmseg')
    with pytest.raises(TypeError, match=r'config\.py is one of mmpretrain'):
        read_config(before, 'mmseg')


@pytest.mark.parametrize('field', ['data', 'model.neck', 'model.head.a.b'])
def test_what_it_lacks_is_named(config, field):
    with pytest.raises(ValueError, match=f'has no {field}, which'):
        read_config(config, 'mmpretrain', ('model', field))


def test_what_is_no_config_is_refused_with_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match='existing file.*no.py'):
        load_config(tmp_path / 'no.py')
    with pytest.raises(FileNotFoundError, match='existing file'):
        load_config(tmp_path)
    path = tmp_path / 'weights.pth'
    path.write_text('a = 1')
    with pytest.raises(ValueError, match=r'a file of \.py.*weights\.pth'):
        load_config(path)
    path = tmp_path / 'broken.py'
    path.write_text('a = (1')
    with pytest.raises(ValueError, match=r'broken\.py.*is no Python'):
        read_config(path)


def test_imports_may_be_left_to_others(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("custom_imports = dict(imports=['no_such_module'])\n")
    assert load_config(path, custom_imports=False).custom_imports
    with pytest.raises(ImportError, match='no_such_module'):
        load_config(path)
