"""Methods are found by name."""

import pytest
from mmengine.config import Config

from mmpaco.methods import Refusal, find_method, methods, toolbox_of

CLASSIFICATION = [
    *('balanced-softmax', 'cross-entropy', 'gpaco', 'multi-task'),
    *('paco', 'supcon'),
]


def test_all_methods_are_listed_with_their_papers():
    assert {x.name for x in methods('mmpretrain')} >= {*CLASSIFICATION}
    for found in methods():
        assert found.description and found.paper
        assert find_method(found.name, found.toolbox) is found
    names = [(x.toolbox, x.name) for x in methods()]
    assert names == sorted(names)


@pytest.mark.parametrize(
    'name, toolbox, told',
    [
        ('gpcao', 'mmpretrain', r"no method 'gpcao'.*mean gpaco"),
        ('supcon', 'mmseg', 'for mmpretrain, and the config is one of mmseg'),
    ],
)
def test_an_unknown_method_is_refused(name, toolbox, told):
    with pytest.raises(Refusal, match=told):
        find_method(name, toolbox)


@pytest.mark.parametrize(
    'cfg, told',
    [
        (dict(default_scope='mmdet'), "it is 'mmdet'"),
        (dict(model=dict(type='X')), 'no training set'),
        (dict(train_dataloader=dict(x=1)), 'it is None'),
        (
            dict(default_scope='mmseg', train_dataloader=[dict(x=1)]),
            'of one loader, but got list',
        ),
    ],
)
def test_a_config_of_neither_toolbox_is_refused(cfg, told):
    with pytest.raises(Refusal, match=told):
        toolbox_of(Config(cfg))
    assert toolbox_of(Config(dict(default_scope='mmseg'))) == 'mmseg'
