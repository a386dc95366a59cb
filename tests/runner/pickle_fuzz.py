"""Reads many files that were made wrong on purpose; run as a process.

usage: pickle_fuzz.py SEED COUNT FILE...

Files of ``torch.save`` are mutated inside of their archive, other pickles as
they are: bits, bytes, single operations, and operations of two files mixed
with calls that would do harm. A file is refused by a ``ValueError`` or holds
data. Anything else, a call that the interpreter reports, or memory that is not
given back ends the process with another status than 0.
"""

import codecs
import io
import pickletools
import random
import resource
import sys
import warnings
import zipfile
from pathlib import Path

from mmpaco.runner.checkpoint import load_checkpoint, load_pickle

HARMFUL = (
    'os.system',
    'os.exec',
    'os.fork',
    'os.posix_spawn',
    'os.remove',
    'os.rename',
    'os.mkdir',
    'subprocess.Popen',
    'exec',
    'compile',
    'ctypes.',
    'socket.',
    'shutil.',
    'marshal.',
)
NAMES = (
    'os system',
    'posix system',
    'builtins eval',
    'builtins exec',
    'builtins getattr',
    'builtins setattr',
    '__builtin__ getattr',
    'numpy ndarray',
    'numpy dtype',
    'numpy.core.multiarray _reconstruct',
    'numpy._core.multiarray scalar',
    'numpy.core.multiarray scalar',
    'ctypes CDLL',
    'torch._utils _rebuild_tensor_v2',
    'torch._utils _rebuild_parameter',
    'torch.storage _load_from_bytes',
    'torch FloatStorage',
    'torch.serialization load',
    'collections OrderedDict',
    'collections Counter',
    '_codecs encode',
    'mmengine.logging.history_buffer HistoryBuffer',
)
CODES = (b'f8', b'O8', b'O', b'V8', b'i4', b'U4', b'M8', b'f99', b'b1')


def short(draw):
    """An operation that pushes something."""
    return draw.choice(
        [
            lambda: (
                b'c' + draw.choice(NAMES).replace(' ', '\n').encode() + b'\n'
            ),
            lambda: (
                b'X'
                + len(code := draw.choice(CODES)).to_bytes(4, 'little')
                + code
            ),
            lambda: b'C\x08' + draw.randbytes(8),
            lambda: b'K' + draw.randbytes(1),
            lambda: b'J' + draw.randbytes(4),
            lambda: b'\x8a\x08' + draw.randbytes(8),
            lambda: b'h' + draw.randbytes(1),
            lambda: draw.choice(
                [
                    b')',
                    b']',
                    b'}',
                    b'N',
                    b'(',
                    b'\x88',
                    b'G' + draw.randbytes(8),
                ]
            ),
        ]
    )()


DEEDS = (
    b'R',
    b'b',
    b'\x81',
    b's',
    b'a',
    b'e',
    b'u',
    b't',
    b'\x85',
    b'\x86',
    b'\x87',
    b'Q',
    b'0',
    b'2',
    b'\x93',
    b'\x92',
    b'i',
    b'o',
    b'.',
)


def operations(content):
    """Cut a pickle between its operations."""
    starts = [at for _, _, at in pickletools.genops(content)] + [len(content)]
    return [content[a:b] for a, b in zip(starts, starts[1:])]


def mutate(content, other, draw):
    kind = draw.randrange(6)
    if kind == 0:
        content = bytearray(content)
        for _ in range(draw.choice((1, 1, 2, 8, 64))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        return bytes(content)
    if kind == 1:
        return content[: draw.randrange(len(content))]
    ops = operations(content)
    at = draw.randrange(len(ops))
    if kind == 2:
        theirs = operations(other)
        begin = draw.randrange(len(theirs))
        ops[at:at] = theirs[begin : begin + draw.randrange(1, 40)]
    elif kind == 3:
        del ops[at : at + draw.randrange(1, 4)]
    elif kind == 4:
        a, b = draw.randrange(len(ops)), draw.randrange(len(ops))
        ops[a], ops[b] = ops[b], ops[a]
    else:
        # A call, or a state, of whatever lies there.
        new = [short(draw) for _ in range(draw.randrange(1, 6))]
        new += [draw.choice(DEEDS) for _ in range(draw.randrange(1, 4))]
        ops[at:at] = new
    return b''.join(ops)


def pickled(content):
    """The pickle of a file, and what writes another one in its place."""
    if not content.startswith(b'PK'):
        return content, lambda new: new
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (name for name in parts if name.endswith('data.pkl'))

    def write(new):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, 'w') as archive:
            for other, part in parts.items():
                archive.writestr(other, new if other == name else part)
        return stream.getvalue()

    return parts[name], write


def memory():
    """Bytes that the process needed at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    seed, count, *paths = sys.argv[1:]
    draw = random.Random(int(seed))
    seeds = [Path(path).read_bytes() for path in paths]
    parts = [pickled(content) for content in seeds]
    file = Path(paths[0]).with_name('mutated')
    warnings.simplefilter('ignore')

    # What zipfile and pickletools import when a file calls for it.
    for encoding in ('cp437', 'raw-unicode-escape', 'ascii', 'latin-1'):
        codecs.lookup(encoding)
    for path in paths:
        for load in (load_checkpoint, load_pickle):
            try:
                load(path)
            except ValueError:
                pass
    before = memory()
    watched = False

    def watch(event, args):
        if watched and event.startswith(HARMFUL):
            print(event, str(args)[:200], flush=True)
            raise SystemExit(3)

    sys.addaudithook(watch)
    outcomes = {}
    for _ in range(int(count)):
        content, write = draw.choice(parts)
        new = write(mutate(content, draw.choice(parts)[0], draw))
        if new and draw.random() < 0.1:
            # The container itself.
            new = bytearray(new)
            for _ in range(draw.choice((1, 4, 512))):
                new[draw.randrange(len(new))] = draw.randrange(256)
        file.write_bytes(new)
        load = load_checkpoint if new[:2] == b'PK' else load_pickle
        watched = True
        try:
            read = load(file)
            # Whatever is read must bear being looked at and kept.
            outcome = f'read {type(read).__name__}'
            del read
        except ValueError as error:
            outcome = 'refused ' + str(error).removeprefix(str(file))[:16]
        watched = False
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    for outcome, times in sorted(outcomes.items()):
        print(f'{times:7} {outcome}')
    grown = (memory() - before) / 2**20
    print(f'{grown:.0f} MiB more at most')
    if grown > 300:
        raise SystemExit(4)


if __name__ == '__main__':
    main()
