"""How every tool ends that cannot do what it is asked for, or is stopped."""

import dis
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable

import mmengine.config
import mmengine.registry
import mmengine.runner

import mmpaco

__all__ = ['is_refusal', 'note_refusal', 'run_tool', 'sentence']

_RAISE = dis.opmap['RAISE_VARARGS']
_TOLD = '_mmpaco_refusal'


def run_tool(main: Callable[[], Any], go_on: str = '') -> None:
    """Call the ``main`` of a tool; a refusal ends it with a sentence.

    The sentence goes to stderr, and the status is 1. Whatever is no refusal
    keeps its traceback; see :func:`is_refusal`. Ctrl-C ends it with a
    sentence, too, and by the signal: a shell makes 130 of it, and ends its
    loops.

    Args:
        main: The function, in the file of the tool.
        go_on (str): What tells after Ctrl-C how to go on. Defaults to
            nothing.

    Raises:
        SystemExit: If the tool refuses.
        KeyboardInterrupt: After Ctrl-C; it is told without a traceback.
        Exception: What else ``main`` raised.
    """
    try:
        main()
    except KeyboardInterrupt:
        told = f'interrupted; {go_on}' if go_on else 'interrupted'
        sys.excepthook = lambda *_: print(told, file=sys.stderr)
        raise
    except Exception as error:
        if not is_refusal(error, [_folder(main.__code__.co_filename)]):
            raise
        sys.exit(sentence(error))


def sentence(error: BaseException) -> str:
    """Give the text of an error, without the quotes of a ``KeyError``.

    Args:
        error: The error.

    Returns:
        str: Its text, or its kind if it has none.
    """
    text = (
        error.args[0] if isinstance(error, KeyError) and error.args else error
    )
    return str(text) or type(error).__name__


def is_refusal(error: BaseException, folders: Iterable[Path] = ()) -> bool:
    """Tell whether an error says what is wrong with what was given.

    It does if it was raised on purpose, by a ``raise`` in this package or in
    what reads configs in mmengine, or if the system would not give a file.
    One that merely happened in our code, such as a ``ValueError`` of numpy,
    is a mistake of ours.

    Args:
        error: An error that was caught.
        folders: Folders whose code counts as this package's.

    Returns:
        bool: Whether it is a refusal.
    """
    if isinstance(error, OSError) or getattr(error, _TOLD, False):
        return True
    if isinstance(error, AssertionError):
        return False
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    code = last.tb_frame.f_code
    if code.co_code[last.tb_lasti] != _RAISE:
        return False
    places = Path(code.co_filename).resolve().parents
    if _folder(mmpaco.__file__) in places or any(x in places for x in folders):
        return True
    # Else our own code took a key of a config for granted.
    return code.co_name not in ('__getattr__', '__missing__') and any(
        _folder(module.__file__) in places
        for module in (mmengine.config, mmengine.registry, mmengine.runner)
    )


def note_refusal(error: BaseException) -> None:
    """Let a refusal be known where its traceback does not go along.

    Args:
        error: An error of a worker, which another process will get.
    """
    if is_refusal(error):
        setattr(error, _TOLD, True)


def _folder(file: Any) -> Path:
    return Path(file).resolve().parent
