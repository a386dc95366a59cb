"""Every public class and function shows in its docstring how it is used.

What a room registers is looked up in the registries, which leave out a room
whose host package is absent.
"""

import doctest
import tempfile

import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope, Registry
from mmengine.visualization import Visualizer

import mmpaco.losses
from mmpaco import registry

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public():
    """Classes and functions by their full names, in order."""
    found = [getattr(mmpaco.losses, name) for name in mmpaco.losses.__all__]
    for kind in vars(registry).values():
        if isinstance(kind, Registry):
            kind.import_from_location()
            found += kind.module_dict.values()
    names = {f'{x.__module__}.{x.__qualname__}': x for x in found}
    return dict(sorted(names.items()))


PUBLIC = public()


@pytest.fixture(autouse=True)
def fresh_process(tmp_path, monkeypatch):
    """Start as a script does, and leave nothing to other tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    for kind in (DefaultScope, MessageHub, MMLogger, Visualizer):
        monkeypatch.setattr(kind, '_instance_dict', {})
    # It would write where the example's own output is read.
    MMLogger.get_current_instance()


@pytest.mark.parametrize('name', PUBLIC)
def test_the_example_of_a_docstring_runs(name):
    # Nothing but the example's own imports is known to it.
    tests = doctest.DocTestFinder().find(
        PUBLIC[name], name, globs={'__name__': '__main__'}
    )
    own = [x for test in tests if test.name == name for x in test.examples]
    doc = PUBLIC[name].__doc__ or ''
    assert 'Example:' in doc, f'{name} needs an Example'
    assert any(x.want for x in own), f'the Example of {name} shows no result'
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    report = []
    for test in tests:
        runner.run(test, out=report.append)
    assert not runner.failures, ''.join(report)


def test_what_is_public_is_found():
    names = {name.rpartition('.')[2] for name in PUBLIC}
    assert {*mmpaco.losses.__all__, 'WholeCheckpointHook'} <= names
