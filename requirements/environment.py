"""Make and fill the environments of the Makefile, one step at a time.

make knows by its stamps which step is due, and this script knows how to take
it. An environment that exists runs the script; one that does not is made by
the interpreter that runs it. That may be any Python from 3.6 on, so that one
that is too old reads why instead of a syntax error.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[1]
# In seconds, without torch, and with a sentence instead of a traceback.
CHECK = """
from mmpaco.compat import check_stack
try:
    check_stack()
except (ImportError, RuntimeError) as error:
    raise SystemExit(error)
"""
# What the stack stands on, which extra requirements must never move.
PINNED = r'(torch|torchvision|numpy|opencv-.*|setuptools|(onedl-)?mm.*)=='


def _succeeds(*command: str, stream: Optional[int] = None) -> bool:
    return not subprocess.run(command, stdout=stream, stderr=stream).returncode


def _run(*command: str, stdout: Optional[int] = None) -> str:
    print(' '.join(command), flush=True)
    result = subprocess.run(command, stdout=stdout, text=True)
    if result.returncode:
        raise SystemExit(
            f'{" ".join(command)} ended with status {result.returncode} '
            'instead of 0; mend what it says above and run make again.'
        )
    return result.stdout or ''


def _python(folder: Path) -> str:
    return str(folder / 'bin' / 'python')


def _install(folder: Path, *arguments: str) -> None:
    _run(_python(folder), '-m', 'pip', 'install', *arguments)


def _stamp(folder: Path, name: str) -> Path:
    (folder / '.mmpaco').mkdir(exist_ok=True)
    return folder / '.mmpaco' / name


def _make(folder: Path, fits: bool, need: str, advice: str) -> None:
    if os.path.exists(_python(folder)):
        return
    if not fits:
        found = '{}.{}'.format(*sys.version_info)
        raise SystemExit(f'{need}, but {sys.executable} is {found}. {advice}')
    print(f'Making {folder}; torch alone is a download of gigabytes.')
    try:
        _run(sys.executable, '-m', 'venv', str(folder))
    except BaseException:
        # Half of an environment, without pip, must not pass for a whole one.
        Path(_python(folder)).unlink(missing_ok=True)
        raise


def where() -> None:
    """Print the environment that this interpreter stands for.

    One out of an environment that holds a stack stands for that. Any other,
    the system's above all, only serves to make ``.venv``.
    """
    apart = sys.prefix != sys.base_prefix
    apart |= os.path.isdir(os.path.join(sys.prefix, 'conda-meta'))
    check = (sys.executable, '-c', CHECK)
    chosen = apart and _succeeds(*check, stream=subprocess.DEVNULL)
    print(sys.prefix if chosen else '.venv')


def stack(folder: Path) -> None:
    """Bring the stack of an environment to the pins, or check that it works.

    An environment made here is kept at the pins. Of another one only the stack
    that already works is used.

    Args:
        folder (Path): The environment, made if it does not exist.

    Raises:
        SystemExit: If the Python is too old, pip fails or the stack does not
            work.
    """
    _make(
        folder,
        sys.version_info >= (3, 10),
        'The OneDL stack needs Python 3.10 or newer',
        'Pass PYTHON=python3.11, or VENV= of an environment with a stack.',
    )
    python = _python(folder)
    made_here = _stamp(folder, 'made-here')
    empty = (
        'import sys; from mmpaco.compat import installed_stack; '
        'sys.exit(installed_stack().family != "none")'
    )
    # Without pyvenv.cfg it may be the system, which is not ours to fill.
    if (folder / 'pyvenv.cfg').exists() and _succeeds(python, '-c', empty):
        made_here.touch()
    if made_here.exists():
        _install(folder, '-r', 'requirements/onedl.txt')
    if not _succeeds(python, '-c', CHECK):
        raise SystemExit(
            f'Mend {folder} as said above, or choose another VENV=.'
        )
    command = (python, '-m', 'pip', 'list', '--format=freeze')
    lines = _run(*command, stdout=subprocess.PIPE).splitlines(keepends=True)
    pins = ''.join(x for x in lines if re.match(PINNED, x))
    _stamp(folder, 'constraints.txt').write_text(pins)
    _stamp(folder, 'stack').touch()


def package(folder: Path) -> None:
    """Install this checkout so that its files are what runs.

    Args:
        folder (Path): The environment.

    Raises:
        SystemExit: If pip fails.
    """
    _install(folder, '--no-deps', '-e', '.')
    # Another checkout that shares the environment must not run this one's.
    _stamp(folder, 'package').write_text(f'{ROOT}\n')


def extra(folder: Path, name: str) -> None:
    """Install further requirements without moving the stack.

    Args:
        folder (Path): The environment.
        name (str): The file in ``requirements`` without ``.txt``.

    Raises:
        SystemExit: If pip fails, also for want of such a file.
    """
    constraints = str(_stamp(folder, 'constraints.txt'))
    _install(folder, '-c', constraints, '-r', f'requirements/{name}.txt')
    _stamp(folder, name).touch()


def upstream(folder: Path) -> None:
    """Make an environment of OpenMMLab's own stack, where mmcv is compiled.

    Args:
        folder (Path): The environment, made if it does not exist.

    Raises:
        SystemExit: If the stack cannot run on the Python, or pip fails.
    """
    _make(
        folder,
        (3, 9) <= sys.version_info < (3, 12),
        'The OpenMMLab stack needs Python 3.9 to 3.11',
        'Pass PYTHON=python3.11.',
    )
    if not any(folder.glob('lib/*/site-packages/mmcv-2.1.0.dist-info')):
        print(
            'mmcv 2.1.0 is going to be compiled: about 13 minutes on 2 cores.'
        )
    _install(folder, '-r', 'requirements/upstream-build.txt')
    os.environ['MMCV_WITH_OPS'] = '1'
    _install(folder, '--no-build-isolation', '-r', 'requirements/upstream.txt')
    _stamp(folder, 'upstream').touch()


def main() -> None:
    """Take the step that the command line names, or end with a sentence."""
    takers = {'stack': stack, 'package': package, 'upstream': upstream}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('step', choices=('where', 'extra', *takers))
    parser.add_argument('name', nargs='?', help='of what extra installs')
    parser.add_argument('--venv', type=Path, default=Path('.venv'))
    args = parser.parse_args()
    os.chdir(ROOT)
    os.environ['PIP_DISABLE_PIP_VERSION_CHECK'] = '1'
    try:
        if args.step == 'where':
            where()
        elif args.step == 'extra':
            extra(args.venv, args.name)
        else:
            takers[args.step](args.venv)
    except OSError as error:
        raise SystemExit(
            f'{args.venv} cannot be used ({error}); choose another VENV=.'
        ) from error
    except KeyboardInterrupt:
        raise SystemExit('Stopped; run make again to go on.') from None


if __name__ == '__main__':
    main()
