"""What ends a tool with a sentence, and what keeps its traceback."""

import signal
import subprocess
import sys

import pytest
from mmengine.config import Config, ConfigDict
from support.processes import environment

from mmpaco.contrast_strength import optimal_probability
from mmpaco.engine.class_counts import count_labels
from mmpaco.registry import MODELS
from mmpaco.runner.processes import map_in_processes
from mmpaco.runner.tool_ending import is_refusal, run_tool, sentence


class Labels:
    """A dataset whose labels are of another kind."""

    def __init__(self, labels):
        self.labels = labels

    def get_gt_labels(self):
        return self.labels


def refuse_in_worker(x):
    return optimal_probability(x)


def fail_in_worker(x):
    raise ValueError(f'{x} was met by a mistake')


def workers(function):
    return lambda: list(map_in_processes(function, [-1, -2], 2))


def rethrown():
    try:
        optimal_probability(-1)
    finally:
        raise_again = True
    return raise_again


def in_a_file(text):
    def run(folder):
        path = folder / 'config.py'
        path.write_text(text)
        Config.fromfile(str(path))

    return run


REFUSALS = {
    'ours': lambda: optimal_probability(-1),
    'ours, from below': rethrown,
    'a TypeError of ours': lambda: count_labels(Labels([0.5])),
    'a file': lambda: open('no/such/file'),
    'a registry': lambda: MODELS.build(dict(type='NoSuchNet')),
    'in a worker': workers(refuse_in_worker),
    'a config': lambda: Config.fromfile('no.py'),
}
MISTAKES = {
    'of numpy, called by us': lambda: count_labels(Labels('text')),
    'of the language, in our code': lambda: optimal_probability('x'),
    'a missing key': lambda: ConfigDict(a=1)['b'],
    'a missing attribute': lambda: ConfigDict(a=1).b,
    'raised elsewhere': lambda: fail_in_worker(1),
    'raised elsewhere, in a worker': workers(fail_in_worker),
    'an assertion': lambda: ConfigDict.__init__(1),
}


def caught(call):
    with pytest.raises(Exception) as found:  # noqa: PT011
        call()
    return found.value


@pytest.mark.parametrize('name', REFUSALS)
def test_what_was_raised_on_purpose_is_a_refusal(name):
    error = caught(REFUSALS[name])
    assert is_refusal(error), repr(error)
    assert sentence(error)


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_is_none(name):
    error = caught(MISTAKES[name])
    assert not is_refusal(error), repr(error)


def test_an_error_that_was_never_raised_is_no_refusal():
    assert not is_refusal(ValueError('x'))


def test_the_sentence_is_never_empty_nor_quoted():
    assert sentence(KeyError('no key')) == 'no key'
    assert sentence(ValueError('a value')) == 'a value'
    assert sentence(RuntimeError()) == 'RuntimeError'


TOOL = """
import signal
import sys

from mmpaco.contrast_strength import optimal_probability
from mmpaco.runner.tool_ending import run_tool


def refuse():
    raise ValueError('this tool does not want to')


def main():
    {body}


if __name__ == '__main__':
    run_tool(main, 'call it again')
"""


# What a tool does: its status, what it tells, and whether by a traceback.
ENDS = {
    'print(1)': (0, '', False),
    'refuse()': (1, 'this tool does not want to', False),
    'optimal_probability(-1)': (1, 'must be finite', False),
    'open("no/file")': (1, 'No such file', False),
    'int("x")': (1, 'invalid literal', True),
    'assert not sys': (1, 'AssertionError', True),
    'sys.exit(3)': (3, '', False),
    'sys.exit("a reason")': (1, 'a reason', False),
    # By the signal, of which a shell makes 130, and which ends its loops.
    'signal.raise_signal(signal.SIGINT)': (
        -signal.SIGINT,
        'interrupted; call it again',
        False,
    ),
}
# Each tool is a process of its own, forked where the imports are done.
FORKS = """
import os
import runpy
import signal
import sys

# A shell that runs the tests in the background ignores Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

import mmpaco.contrast_strength
import mmpaco.runner.tool_ending

for tool in sys.argv[1:]:
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(tool + '.err', os.O_WRONLY | os.O_CREAT), 2)
        sys.argv = [tool]
        runpy.run_path(tool, run_name='__main__')
        sys.exit(0)
    status = os.waitpid(pid, 0)[1]
    print('status', os.waitstatus_to_exitcode(status))
"""


@pytest.fixture(scope='module')
def ended(tmp_path_factory):
    """Status and standard error of processes, by what each does."""
    folder = tmp_path_factory.mktemp('tools')
    tools = [folder / f'tool{i}.py' for i in range(len(ENDS))]
    for tool, body in zip(tools, ENDS):
        tool.write_text(TOOL.format(body=body))
    out = subprocess.run(
        [sys.executable, '-u', '-c', FORKS, *tools],
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
        env=environment(),
    ).stdout
    # One that does not end where it should goes on with the next tools.
    statuses = [x.split()[1] for x in out.splitlines() if x[:6] == 'status']
    assert len(statuses) == len(tools)
    return {
        body: (int(status), tool.with_name(f'{tool.name}.err').read_text())
        for body, status, tool in zip(ENDS, statuses, tools)
    }


@pytest.mark.parametrize(
    'body, status, told, traceback', [(x, *ENDS[x]) for x in ENDS]
)
def test_a_tool_ends_by_it(ended, body, status, told, traceback):
    found, stderr = ended[body]
    assert found == status
    assert told in stderr
    assert ('Traceback' in stderr) == traceback
    if told and not traceback:
        assert len(stderr.splitlines()) == 1


def test_a_mistake_goes_on_as_it_was():
    def main():
        return {}['key']

    with pytest.raises(KeyError, match='key'):
        run_tool(main)
