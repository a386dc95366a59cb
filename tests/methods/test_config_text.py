"""What is written says what was meant, in mmengine's own reading."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from mmpaco.methods import Plan
from mmpaco.methods.config_text import config_text
from mmpaco.methods.settings import fitted, merged

KEYS = st.sampled_from(['a', 'b', 'type', 'items', 'lambda', 'c-d', 'e'])
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.sampled_from([0.05, 1e-5, 1.0]),
        st.sampled_from(['x', "it's", 'long ' * 9]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=2).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=12,
)
TOP = st.sampled_from(['model', 'train_dataloader', 'custom_hooks', 'other'])
CONFIGS = st.dictionaries(TOP, VALUES, max_size=4)


def parts_of(node):
    yield node
    if isinstance(node, dict):
        for value in node.values():
            yield from parts_of(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from parts_of(value)


@st.composite
def cases(draw):
    """A base, and settings of which some repeat parts of it."""
    base = draw(CONFIGS)
    changes = draw(CONFIGS)
    parts = [x for x in parts_of(base) if isinstance(x, (dict, list))]
    for key in draw(st.lists(TOP, max_size=2, unique=True)):
        part = draw(st.sampled_from(parts))
        if draw(st.booleans()):
            part = [
                draw(VALUES),
                *([part] if isinstance(part, dict) else part),
            ]
        changes[key] = part
    if draw(st.booleans()):
        for value in changes.values():
            if isinstance(value, dict):
                value['_delete_'] = True
                break
    return base, changes


def read_back(base, text_of):
    """Parse what is written, over a base in a file of its own."""
    with TemporaryDirectory() as folder:
        below, above = Path(folder) / 'base.py', Path(folder) / 'above.py'
        below.write_text(
            ''.join(f'{key} = {value!r}\n' for key, value in base.items())
        )
        above.write_text(text_of("'base.py'"))
        return Config.fromfile(above).to_dict()


@settings(max_examples=150, deadline=None)
@given(cases())
def test_mmengine_reads_what_was_meant(case):
    base, changes = case
    plan = Plan(fitted(base, changes), comments=dict(model='Why so. ' * 20))
    text = config_text(plan, base, "'base.py'", 'A title')
    found = read_back(base, lambda where: text)
    assert repr(sorted_keys(found)) == repr(sorted_keys(merged(base, changes)))


def sorted_keys(node):
    if isinstance(node, dict):
        return {key: sorted_keys(node[key]) for key in sorted(node)}
    if isinstance(node, (list, tuple)):
        return type(node)(map(sorted_keys, node))
    return node


def test_what_the_base_has_is_named():
    hooks = [dict(type='EMAHook', momentum=1e-4), dict(type='MyHook', x=1)]
    steps = [dict(type='LoadImageFromFile'), dict(type='Flip', prob=0.5)]
    data = dict(set=dict(type='D', data_root='data/d', pipeline=steps))
    base = dict(custom_hooks=hooks, train_dataloader=data, val_evaluator={})
    changes = dict(
        custom_hooks=[*hooks, dict(type='mmpaco.PaCoQueueHook')],
        train_dataloader=dict(
            set=dict(pipeline=[dict(type='New', inner=steps)])
        ),
        val_evaluator=[dict(type='Shots', train_dataset=data['set'])],
        test_evaluator=[dict(type='Shots', train_dataset=data['set'])],
        other=dict(data['set'], data_root='elsewhere'),
    )
    text = config_text(Plan(fitted(base, changes)), base, "'base.py'")
    assert text.splitlines() == [
        "_base_ = 'base.py'",
        'custom_hooks = [*_base_.custom_hooks, '
        "dict(type='mmpaco.PaCoQueueHook')]",
        'train_dataloader = dict(set=dict(',
        "    pipeline=[dict(type='New', inner=_base_.train_dataloader.set"
        '.pipeline)],',
        '))',
        'val_evaluator = test_evaluator = [',
        "    dict(type='Shots', train_dataset=_base_.train_dataloader.set),",
        ']',
        "other = dict(_base_.train_dataloader.set, data_root='elsewhere')",
    ]


def test_a_line_is_no_longer_than_79():
    changes = dict(
        model=dict(
            (f'key{i}', dict(type='AnyType', values=[i] * i))
            for i in range(25)
        )
    )
    text = config_text(Plan(changes), {}, "'base.py'", 'Long title. ' * 20)
    assert max(map(len, text.splitlines())) <= 79


@pytest.mark.parametrize('key', ('copy', 'deepcopy', 'freeze', 'to_dict'))
def test_a_part_may_have_the_name_of_a_method_of_the_config(key, tmp_path):
    hooks = [dict(type='EMAHook', momentum=0.0001, begin_epoch=100)]
    (tmp_path / 'base.py').write_text(f'{key} = {hooks!r}\n')
    plan = Plan(dict(x=[*hooks, dict(type='Other')]))
    text = config_text(plan, {key: hooks}, "'base.py'")
    assert key in text
    (tmp_path / 'above.py').write_text(text)
    read = Config.fromfile(tmp_path / 'above.py')
    assert read.x == [*hooks, dict(type='Other')]
