"""What a method is: from a config and some facts to what changes in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from mmengine.config import Config

__all__ = [
    'Facts',
    'Function',
    'Method',
    'Options',
    'Plan',
    'Refusal',
    'find_method',
    'method',
    'methods',
    'nearest',
    'toolbox_of',
]

TOOLBOXES = ('mmpretrain', 'mmseg')


class Refusal(ValueError):  # noqa: N818
    """A method cannot be put on a config; says why and what would work."""


class WrongSetting(Refusal):
    """A value was given that a method has no place for, or cannot take."""


@dataclass(frozen=True)
class Facts:
    """What is known of a config's training data.

    Args:
        class_counts (tuple[float, ...], optional): Training images, or
            pixels, per class, of shape (C, ). Defaults to None: unknown.
        num_samples (int, optional): Training images. Defaults to None:
            unknown.
        why_unknown (str): A sentence, without its end, that says why the
            counts are unknown. Defaults to ''.
        source (str): Where the counts are from if not from all of the
            training data, such as 'in 2000 of 20210 label maps'. Defaults to
            ''.
    """

    class_counts: Optional[tuple[float, ...]] = None
    num_samples: Optional[int] = None
    why_unknown: str = ''
    source: str = ''


@dataclass(frozen=True)
class Options:
    """What a user may choose.

    Args:
        views (str): Whose transforms make the views of an image, those of
            the config ('own') or those of the papers ('papers'). Defaults to
            'own'.
        given (Mapping[str, Any]): Values for some of the method's
            ``parameters``, by name. Where the plan says otherwise they win,
            so a function reads only those that it computes by. Defaults to
            none.
        work_dir (str): Where a training leaves its checkpoints, the first
            of two stages. Defaults to 'work_dirs/stage1'.
    """

    views: str = 'own'
    given: Mapping[str, Any] = field(default_factory=dict)
    work_dir: str = 'work_dirs/stage1'


@dataclass
class Plan:
    """What changes in a config.

    Args:
        settings (dict): Merged over the base as mmengine merges a child into
            ``_base_``, so ``_delete_=True`` in a dict replaces one. Nothing
            needs care about whether the base has the key: a needless
            ``_delete_`` is taken away, a missing one is added. What is equal
            to a part of the base is written as a reference to it.
        decisions (list[str]): Sentences: what was decided, and why.
        comments (dict[str, str]): What to write above a top-level key of the
            settings. Defaults to none.
        second_stage (Plan, optional): Of a method of two stages, what
            changes in the same base for the second. Defaults to None.
        own (tuple[str, ...]): Of a second stage, dotted keys that a value
            for the first does not reach. Defaults to none.
        bases (tuple[str, ...]): Files of this package's ``configs/`` that
            the settings stand on, beside the base. Defaults to none.
    """

    settings: dict[str, Any]
    decisions: list[str] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    second_stage: Optional[Plan] = None
    own: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()


Function = Callable[[Config, Facts, Options], Plan]


@dataclass(frozen=True)
class Method:
    """A method that can be put on configs of a toolbox.

    Args:
        name (str): Its name on the command line.
        toolbox (str): ``'mmpretrain'`` or ``'mmseg'``.
        description (str): One line.
        paper (str): Where it is from.
        function (Callable): Gives the :class:`Plan` for a parsed config,
            :class:`Facts` and :class:`Options`, or raises :class:`Refusal`.
            It does not change the config.
        parameters (Mapping[str, str]): Short names of settings that a user
            may give, and their dotted keys; ``stage2.`` stands before one
            that is of the second stage alone. Defaults to none.
    """

    name: str
    toolbox: str
    description: str
    paper: str
    function: Function
    parameters: Mapping[str, str] = field(default_factory=dict)


_METHODS: dict[tuple[str, str], Method] = {}


def method(
    name: str,
    toolbox: str,
    description: str,
    paper: str,
    parameters: Optional[Mapping[str, str]] = None,
) -> Callable[[Function], Function]:
    """Register a function as a :class:`Method`, whose arguments these are."""

    def register(function: Function) -> Function:
        _METHODS[toolbox, name] = Method(
            name, toolbox, description, paper, function, parameters or {}
        )
        return function

    return register


def methods(toolbox: Optional[str] = None) -> list[Method]:
    """Give all methods, sorted by toolbox and name.

    Args:
        toolbox (str, optional): Only its methods. Defaults to all.
    """
    return [
        found
        for key, found in sorted(_METHODS.items())
        if toolbox in (None, key[0])
    ]


def find_method(name: str, toolbox: str) -> Method:
    """Find a method by name.

    Args:
        name (str): The name.
        toolbox (str): ``'mmpretrain'`` or ``'mmseg'``.

    Raises:
        Refusal: If the toolbox has no such method.
    """
    found = _METHODS.get((toolbox, name))
    if found is not None:
        return found
    names = [x.name for x in methods(toolbox)]
    others = sorted({x.toolbox for x in methods() if x.name == name})
    if others:
        raise Refusal(
            f'{name} is a method for {others[0]}, and the config is one of '
            f'{toolbox}; its methods are {", ".join(names)}'
        )
    raise Refusal(
        f'there is no method {name!r} for {toolbox}'
        f'{nearest(name, names)}; its methods are {", ".join(names)}'
    )


def nearest(name: str, names: Iterable[str]) -> str:
    """Propose the name that was meant: ``' (did you mean x?)'`` or ''."""
    close = difflib.get_close_matches(name, list(names), 1, 0.5)
    return f' (did you mean {close[0]}?)' if close else ''


def toolbox_of(cfg: Config) -> str:
    """Tell whose config it is.

    Args:
        cfg (Config): A parsed config.

    Returns:
        str: ``'mmpretrain'`` or ``'mmseg'``.

    Raises:
        Refusal: If it is of neither.
    """
    scope = cfg.get('default_scope')
    loader = cfg.get('train_dataloader')
    if loader and not isinstance(loader, Mapping):
        raise Refusal(
            'train_dataloader must be a dict, of one loader, but got '
            f'{type(loader).__name__}'
        )
    if scope is None and not loader:
        raise Refusal(
            'the config has no training set (train_dataloader), and no '
            'default_scope; give one that trains'
        )
    if scope not in TOOLBOXES:
        raise Refusal(
            f"default_scope must be 'mmpretrain' or 'mmseg', but it is "
            f'{scope!r}; methods are for configs of these two'
        )
    return str(scope)
