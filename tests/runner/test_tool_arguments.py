"""Arguments that several tools take."""

import argparse

import pytest

from mmpaco.runner.tool_arguments import MoreKeyValues


def read(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument('--set', nargs='+', action=MoreKeyValues, default={})
    return parser.parse_args(['--set', *words]).set


@pytest.mark.parametrize('word', ['a=[1,2],[3,4]', 'a=(1,2),(3,4)', 'a=[1,2'])
def test_lists_that_cannot_be_read_are_named(word, capsys):
    with pytest.raises(SystemExit):
        read('b=1', word)
    assert f"cannot be read: '{word}'" in capsys.readouterr().err


def test_several_lists_stand_in_one():
    assert read('a=[(1,2),(3,4)]', 'b=1,2') == {
        'a': [(1, 2), (3, 4)],
        'b': [1, 2],
    }
