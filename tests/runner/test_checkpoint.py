"""Checkpoints and results are read without running what is in them."""

import argparse
import collections
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import dump
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleLR
from mmengine.runner import Runner
from support.processes import environment
from support.tools import call_here, call_process

from mmpaco.runner.checkpoint import load_checkpoint, load_pickle

SCHEDULE = """
optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.01))
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1),
    dict(type='CosineAnnealingLR', begin=1, end=9)]
"""


class Attribute:
    """``getattr`` in a file, of which each call may be called again."""

    def __init__(self, owner, name):
        self.args = owner, name

    def __call__(self):
        """To pickle, it must look like what it will be."""

    def __reduce__(self):
        return getattr, self.args


class Call:
    """A call that is made when the file is read."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def write_file(path):
    """A call that leaves a trace."""
    return Call(os.system, f'touch "{path}"')


def write_file_by_getattr(path):
    """The same, of names that are all in any checkpoint of the runner."""
    evaluate = Attribute(Attribute(getattr, '__self__'), 'eval')
    return Call(evaluate, f'__import__("pathlib").Path(r"{path}").touch()')


@pytest.fixture
def saved(tiny_config):
    """What the runner saved after two epochs, the second one resumed."""
    pytest.importorskip('mmpretrain')
    folder = tiny_config(extra=SCHEDULE)
    for epochs in (1, 2):
        cfg = Config.fromfile(str(folder / 'tiny.py'))
        cfg.work_dir = str(folder / 'work_dir')
        cfg.experiment_name = f'{folder.name}{epochs}'
        cfg.train_cfg.max_epochs = epochs
        cfg.resume = epochs > 1
        Runner.from_cfg(cfg).train()
    return folder / 'work_dir' / 'epoch_2.pth'


def assert_same(mine, theirs):
    assert type(mine) is type(theirs)
    if isinstance(mine, dict):
        assert list(mine) == list(theirs)
        for key in mine:
            assert_same(mine[key], theirs[key])
    elif isinstance(mine, (list, tuple)):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs):
            assert_same(one, other)
    elif hasattr(mine, 'statistics'):
        assert_same(mine.data[0].tolist(), theirs.data[0].tolist())
        assert_same(mine.data[1].tolist(), theirs.data[1].tolist())
        assert mine.statistics('mean') == theirs.statistics('mean')
    elif torch.is_tensor(mine):
        assert torch.equal(mine, theirs)
        assert mine.stride() == theirs.stride()
        assert mine.requires_grad == theirs.requires_grad
    elif isinstance(mine, np.ndarray):
        # Up to protocol 4 numpy gives the order of bytes of this machine.
        one, other = (x.dtype.newbyteorder('=') for x in (mine, theirs))
        assert one == other
        np.testing.assert_array_equal(mine, theirs)
    else:
        assert mine == theirs


def test_all_that_a_resumed_run_saves_is_read_and_no_door_stays_open(saved):
    """Weights, optimizer, schedules, histories and messages."""
    mine = load_checkpoint(saved)
    theirs = load_checkpoint(saved, trust=True)
    parts = {'state_dict', 'optimizer', 'param_schedulers', 'message_hub'}
    assert parts <= set(mine) and mine['message_hub']['log_scalars']
    assert_same(mine, theirs)
    with pytest.raises(pickle.UnpicklingError, match='HistoryBuffer'):
        torch.load(saved, weights_only=True)


def test_a_checkpoint_of_another_numpy_is_read(saved, tmp_path):
    """Numpy 2 renamed a module whose name is in each checkpoint."""
    other = tmp_path / 'other.pth'
    with (
        zipfile.ZipFile(saved) as source,
        zipfile.ZipFile(other, 'w') as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name.endswith('data.pkl'):
                old, new = b'cnumpy.core.', b'cnumpy._core.'
                if new in content:
                    old, new = new, old
                assert old in content
                content = content.replace(old, new)
            target.writestr(name, content)
    assert_same(load_checkpoint(other), load_checkpoint(saved))


@pytest.mark.parametrize(
    'attack, name',
    [
        (write_file, f'{os.system.__module__}.system'),
        (write_file_by_getattr, 'builtins.getattr'),
    ],
)
def test_a_file_that_runs_code_is_refused_and_trusted_only_on_demand(
    tmp_path, attack, name
):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    torch.save(dict(state_dict={}, meta=attack(trace)), path)
    with pytest.raises(ValueError, match='--trust') as error:
        load_checkpoint(path)
    assert f'{path} holds {name} ' in str(error.value)
    assert not trace.exists()

    assert load_checkpoint(path, trust=True)['state_dict'] == {}
    assert trace.exists()


def kinds_of_data():
    """One of each kind that a checkpoint may hold."""
    dtypes = 'float16 float32 float64 bfloat16 uint8 int8 int16 int32 int64'
    dtypes = [getattr(torch, x) for x in (dtypes + ' complex64').split()]
    base = torch.arange(60).reshape(3, 4, 5)
    state = torch.nn.BatchNorm1d(3).state_dict()
    return {
        'state_dict': state,
        'tensors': [base.to(dtype) for dtype in dtypes],
        'views': [
            base.permute(2, 0, 1),
            base[1:, ::2],
            base[0, 0, 0],
            base[:0],
        ]
        + [torch.ones(1).expand(8), torch.tensor([True, False])],
        'parameter': torch.nn.Parameter(torch.ones(2)),
        'shared': [base, base],
        'arrays': [
            np.arange(6, dtype=code).reshape(2, 3)
            for code in ('f2', 'f4', 'f8', 'i1', 'i8', 'u2', '>f8', '>i4')
        ]
        + [np.ones((2, 3), order='F'), np.array([]), np.array([True, False])],
        'scalars': [np.float64(2.5), np.int32(7), np.bool_(True)],
        'containers': [
            (1, 'a', b'bytes', b'', None, True, 2.5, 10**30, -3),
            {(1, 'a'): [], 2: {3, 4}, None: frozenset({5})},
            collections.Counter([3, 3, 5]),
            collections.OrderedDict(a=1, b=()),
        ],
        'of torch': [torch.Size([2, 3]), torch.float16, torch.device('cpu')],
        'options': argparse.Namespace(lr=0.1, names=['a', 'b']),
    }


@pytest.mark.parametrize('protocol', (2, 3, 4, 5))
@pytest.mark.parametrize('is_archive', (True, False))
def test_all_kinds_of_data_are_read(tmp_path, protocol, is_archive):
    """Of today's files and of those before PyTorch 1.6."""
    path, saved = tmp_path / 'saved.pth', kinds_of_data()
    torch.save(
        saved,
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=is_archive,
    )
    read = load_checkpoint(path)
    assert_same(read, saved)
    assert read['state_dict']._metadata == saved['state_dict']._metadata
    one, other = read['shared']
    assert one.data_ptr() == other.data_ptr()


def test_results_of_a_test_are_read(tmp_path):
    """As mmengine dumps them: tensors outside of ``torch.save``."""
    path, saved = tmp_path / 'out.pkl', [kinds_of_data()]
    dump(saved, path, file_format='pkl')
    assert_same(load_pickle(path), saved)


@pytest.mark.parametrize('protocol', (2, 4, 5))
@pytest.mark.parametrize('anneal', ('cos', 'linear'))
def test_the_state_of_a_runner_is_read_whatever_wrote_it(
    tmp_path, protocol, anneal
):
    """Histories and a schedule whose state names a function of its class."""
    weight = torch.nn.Parameter(torch.ones(2))
    schedule = OneCycleLR(
        torch.optim.SGD([weight], 0.1),
        eta_max=0.1,
        total_steps=9,
        anneal_strategy=anneal,
    )
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    path = tmp_path / 'saved.pth'
    saved = dict(history=history, schedule=schedule.state_dict())
    torch.save(saved, path, pickle_protocol=protocol)
    read = load_checkpoint(path)
    assert read['schedule'] == saved['schedule']
    assert read['history'].mean() == 1.5


def test_a_file_without_checksums_is_read(tmp_path):
    switch = getattr(torch.serialization, 'set_crc32_options', None)
    if switch is None:
        pytest.skip('this PyTorch always writes checksums')
    path, saved = tmp_path / 'saved.pth', kinds_of_data()
    switch(False)
    try:
        torch.save(saved, path)
    finally:
        switch(True)
    assert_same(load_checkpoint(path), saved)


def text(content):
    """The operation that pushes a string."""
    content = content.encode()
    return b'X' + struct.pack('<I', len(content)) + content


def name(module, attribute):
    return f'c{module}\n{attribute}\n'.encode()


def number(value):
    content = value.to_bytes(8, 'little', signed=True)
    return b'\x8a\x08' + content


DTYPE = name('numpy', 'dtype')
NDARRAY = name('numpy', 'ndarray')
EMPTY_ARRAY = (
    name('numpy.core.multiarray', '_reconstruct')
    + NDARRAY
    + (number(0) + b'\x85' + b'C\x01b' + b'\x87R')
)
SCALAR = name('numpy.core.multiarray', 'scalar')
HISTORY = name('mmengine.logging.history_buffer', 'HistoryBuffer')
STORAGE = (b'(' + text('storage') + name('torch', 'FloatStorage')) + text('0')
TENSOR = name('torch._utils', '_rebuild_tensor_v2')


def dtype(code, state=b''):
    made = DTYPE + text(code) + b'\x89\x88\x87R'
    return made + (state and state + b'b')


def dtype_state(**changed):
    """The state of an ordinary dtype, but for one part."""
    parts = dict(
        version=number(3),
        order=text('<'),
        subtype=b'N',
        names=b'N',
        fields=b'N',
        size=number(-1),
        alignment=number(-1),
        flags=number(0),
    )
    parts.update(changed)
    return b'(' + b''.join(parts.values()) + b't'


def array(of, shape, content):
    state = b'(' + number(1) + shape + of + b'\x89' + content + b't'
    return EMPTY_ARRAY + state + b'b'


def tensor(offset, size, stride, numel=4):
    """A tensor in a file of four numbers."""
    stored = STORAGE + text('cpu') + number(numel) + b'tQ'
    return (
        TENSOR
        + (b'(' + stored + number(offset))
        + (b'(' + b''.join(map(number, size)) + b't')
        + (b'(' + b''.join(map(number, stride)) + b't')
        + (b'\x89' + name('collections', 'OrderedDict') + b')R' + b'tR')
    )


BYTES = b'C\x08AAAAAAAA'
# Each would take bytes of the file for an address or a size, change the
# process, or take more memory than the machine has.
ATTACKS = {
    'array of objects': NDARRAY
    + (number(1) + b'\x85' + text('O') + BYTES + b'\x87R'),
    'array of a subtype': NDARRAY + b')\x81',
    'type of objects': dtype('O8'),
    'type of records': dtype('V8'),
    'type of text': dtype('U4'),
    'type of dates': dtype('M8[ns]'),
    'type with flags': dtype('f8', dtype_state(flags=number(63))),
    'type of another size': dtype('f8', dtype_state(size=number(1 << 40))),
    'type with fields': dtype('f8', dtype_state(fields=b'}')),
    'type with a subtype': dtype(
        'f8', dtype_state(subtype=dtype('f8') + b'))\x86')
    ),
    'type of another version': dtype('f8', dtype_state(version=number(4))),
    'scalar of objects': SCALAR + dtype('O8') + BYTES + b'\x86R',
    'scalar of few bytes': SCALAR + dtype('c16') + BYTES + b'\x86R',
    'array of few bytes': array(dtype('f8'), number(1 << 40) + b'\x85', BYTES),
    'array of a list': array(dtype('f8'), number(1) + b'\x85', b']'),
    'array of negative size': array(dtype('f8'), number(-1) + b'\x85', BYTES),
    'array of another function': name('numpy.core.multiarray', '_reconstruct')
    + (DTYPE + number(0) + b'\x85' + b'C\x01b' + b'\x87R'),
    'state of a class': HISTORY + b'}' + text('mean') + b'Nsb',
    'state of a slot': name('collections', 'OrderedDict')
    + (b')R}' + text('keys') + b'Nsb'),
    'history of objects': HISTORY
    + (b')\x81}' + text('_log_history') + b'Nsb'),
    'attribute of a module': name('builtins', 'getattr')
    + (HISTORY + text('__init__') + b'\x86R'),
    'state of a tensor': tensor(0, [4], [1]) + b'(Nt' + b'b',
    'tensor behind its storage': tensor(2, [3], [1]),
    'tensor before its storage': tensor(-1, [3], [1]),
    'tensor larger than its storage': tensor(0, [1 << 40], [1]),
    'tensor of far steps': tensor(0, [2, 2], [1, 1 << 40]),
    'tensor of steps back': tensor(3, [2], [-1]),
    'tensor beyond all numbers': tensor(0, [1 << 40] * 3, [0] * 3),
    'storage beyond its file': tensor(0, [1 << 36], [1], 1 << 36),
    'storage of negative size': tensor(0, [1], [1], -4),
    'key of many tuples': b'})' + b'\x85' * 1_000_000 + b'Ns',
    'one string again and again': b'('
    + (name('_codecs', 'encode') + b'q\x00')
    + (text('a' * 10**6) + b'q\x01' + text('latin1') + b'q\x02')
    + b'h\x00h\x01h\x02\x86R' * 100_000
    + b't',
    'one tuple again and again': b'('
    + (name('torch', 'Size') + b'q\x00')
    + (b'(' + number(1) * 1000 + b't\x85q\x01')
    + b'h\x00h\x01R' * 100_000
    + b't',
    'key of many numbers': b'}(' + number(1) * 1000 + b'tNs',
    'history of its own making': HISTORY + text('abc') * 2 + b'\x86\x81',
    'memory named by a tensor': tensor(0, [1 << 22], [0]) + b'Q',
    'byte order of a tensor': dtype(
        'f8', dtype_state(version=tensor(0, [1 << 40], [0]))
    ),
    'bytes encoded as a tensor': name('_codecs', 'encode')
    + (text('a') + tensor(0, [1 << 40], [0]) + b'\x86R'),
    'storage in a storage in a storage': None,
    'array of a tensor': name('numpy.core.multiarray', '_reconstruct')
    + (NDARRAY + tensor(0, [1 << 40], [0]) + b'C\x01b' + b'\x87R'),
    'size of tensors of tensors': name('torch', 'Size')
    + (b'(' + text('a') + b't\x85R'),
}


def nested_storage(levels):
    """Each level is read twice by the level around it."""
    load = name('torch.storage', '_load_from_bytes')
    inner = b'\x80\x02N.'
    for _ in range(levels):
        call = load + b'B' + struct.pack('<I', len(inner)) + inner + b'\x85'
        head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
        head += pickle.dumps(dict(little_endian=True), 2)
        body = b'\x80\x02(' + (call + b'R') * 2
        inner = head + body + b't.' + pickle.dumps([], 2)
    return load + b'B' + struct.pack('<I', len(inner)) + inner + b'\x85R'


ATTACKS['storage in a storage in a storage'] = nested_storage(14)


def write_archive(path, pickled, **options):
    with zipfile.ZipFile(path, 'w', **options) as archive:
        archive.writestr('archive/data.pkl', pickled)
        archive.writestr('archive/data/0', struct.pack('<4f', 1, 2, 3, 4))


READ_ALL = """
import sys
from pathlib import Path
from mmpaco.runner.checkpoint import load_checkpoint, load_pickle
for path in sorted(Path(sys.argv[1]).iterdir()):
    load = load_pickle if path.suffix == '.pkl' else load_checkpoint
    try:
        found = load(path)
        print(path.name, 'is read', found, flush=True)
    except ValueError as error:
        print(path.name, 'is refused', error, flush=True)
"""


def read_all(folder, run):
    """What a process says of each file: a crash would end the tests."""
    out = run(
        *(sys.executable, '-c', READ_ALL, folder),
        env=environment(),
    )
    return dict(line.split(' is ', 1) for line in out.splitlines())


def test_what_reading_must_not_do_is_refused(tmp_path, run):
    for what, content in ATTACKS.items():
        pickled = b'\x80\x02}' + text('meta') + content + b's.'
        write_archive(tmp_path / f'{what}.pth', pickled)
        (tmp_path / f'{what}.pkl').write_bytes(pickled)
    harmless = (
        tensor(1, [1, 2], [7, 2]),
        array(dtype('f8', dtype_state()), number(1) + b'\x85', BYTES),
    )
    for i, content in enumerate(harmless):
        pickled = b'\x80\x02}' + text('meta') + content + b's.'
        write_archive(tmp_path / f'harmless{i}.pth', pickled)
    outcomes = read_all(tmp_path, run)
    assert len(outcomes) == 2 * len(ATTACKS) + 2
    assert outcomes.pop('harmless0.pth') == (
        "read {'meta': tensor([[2., 4.]])}"
    )
    assert outcomes.pop('harmless1.pth').startswith('read ')
    for file, outcome in outcomes.items():
        assert outcome.startswith('refused '), (file, outcome)
        assert '--trust' in outcome


def test_a_name_that_a_file_makes_up_is_told_on_one_line(tmp_path):
    path = tmp_path / 'evil.pkl'
    path.write_bytes(
        b'\x80\x04' + text('a\x1b[2J\n' * 99) + text('b') + b'\x93.'
    )
    with pytest.raises(ValueError, match='--trust') as error:
        load_pickle(path)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400 + len(str(path))


def test_what_another_reader_would_find_in_a_file_is_refused(tmp_path, run):
    """Two archives in one, a pickle in front, and compressed content."""
    harmless, evil = b'\x80\x02}.', name('os', 'getcwd') + b')R.'
    twice = tmp_path / 'twice.pth'
    write_archive(twice, harmless)
    with pytest.warns(UserWarning, match='Duplicate name'):
        with zipfile.ZipFile(twice, 'a') as archive:
            archive.writestr('archive/data.pkl', evil)
    front = tmp_path / 'front.pth'
    write_archive(front, harmless)
    front.write_bytes(evil + front.read_bytes())
    write_archive(
        tmp_path / 'small.pth', harmless, compression=zipfile.ZIP_DEFLATED
    )
    for file, outcome in read_all(tmp_path, run).items():
        assert outcome.startswith('refused '), (file, outcome)


@pytest.mark.parametrize(
    'count', (400, pytest.param(10_000, marks=pytest.mark.slow))
)
def test_mutated_files_are_refused_or_data(saved, run, count):
    """Nothing crashes, is executed, or takes memory without an end."""
    folder = saved.parents[1] / 'seeds'
    folder.mkdir()
    torch.save(load_checkpoint(saved), folder / 'saved.pth')
    torch.save(kinds_of_data(), folder / 'kinds.pth')
    dump([kinds_of_data()], folder / 'out.pkl')
    torch.save(
        kinds_of_data(),
        folder / 'old.pkl',
        _use_new_zipfile_serialization=False,
    )
    write_archive(
        folder / 'attacks.pth',
        b'\x80\x02('
        + b''.join(x for x in ATTACKS.values() if len(x) < 5_000)
        + b't.',
    )
    out = run(
        *(sys.executable, Path(__file__).with_name('pickle_fuzz.py')),
        *(count, count, *folder.iterdir()),
        env=environment(),
    )
    outcomes = [line.split(maxsplit=2) for line in out.splitlines()[:-1]]
    assert sum(int(times) for times, _, _ in outcomes) == count
    # Some are whole still, and others hold what is no data.
    assert {'read', 'refused'} == {kind for _, kind, _ in outcomes}
    assert any(what.startswith('holds') for _, _, what in outcomes)


def test_a_program_of_torchscript_is_refused(tmp_path):
    path = str(tmp_path / 'script.pth')
    torch.jit.script(torch.nn.Linear(2, 2)).save(path)
    with pytest.raises(ValueError, match='script.pth cannot be read'):
        load_checkpoint(path)


@pytest.mark.parametrize('share', (0, 0.3, 0.9, 0.999))
def test_a_file_that_was_cut_short_is_refused_by_name(tmp_path, share):
    path = tmp_path / 'whole.pth'
    torch.save(torch.nn.Linear(99, 99).state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match='whole.pth cannot be read'):
        load_checkpoint(path)


def test_what_is_no_checkpoint_is_refused_by_name(tmp_path):
    path = tmp_path / 'notes.pth'
    path.write_text('hello\n')
    with pytest.raises(ValueError, match='notes.pth cannot be read'):
        load_checkpoint(path)
    torch.save(torch.ones(2), path)
    with pytest.raises(ValueError, match='notes.pth .* holds a Tensor'):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError, match='none.pth'):
        load_checkpoint(tmp_path / 'none.pth')


def test_the_test_tool_runs_code_of_a_checkpoint_only_if_told_to(saved):
    folder = saved.parents[1]
    path, trace = folder / 'evil.pth', folder / 'trace'
    torch.save(dict(load_checkpoint(saved), extra=write_file(trace)), path)
    refused = call_here(folder, 'test.py', 'tiny.py', path)
    assert refused.returncode == 1
    assert 'only if you trust' in refused.stderr
    assert not trace.exists()
    # Nor is the config in it run, though this config resumes.
    config = 'x = __import__("pathlib").Path("trace").touch()'
    meta = dict(load_checkpoint(saved)['meta'], config=config)
    resumed = folder / 'resumed.pth'
    torch.save(dict(load_checkpoint(saved), meta=meta), resumed)
    with (folder / 'tiny.py').open('a') as file:
        file.write('resume = True\n')
    tested = call_process(folder, 'test.py', 'tiny.py', resumed)
    assert tested.returncode == 0, tested.stderr
    assert not trace.exists()
    # Nor is what lies elsewhere fetched and read.
    url = 'https://localhost/evil.pth'
    refused = call_here(folder, 'test.py', 'tiny.py', url)
    assert refused.returncode == 1
    assert 'is no local file' in refused.stderr

    trusted = call_process(folder, 'test.py', 'tiny.py', path, '--trust')
    assert trusted.returncode == 0, trusted.stderr
    assert trace.exists()
    assert 'accuracy/top1' in trusted.stdout
