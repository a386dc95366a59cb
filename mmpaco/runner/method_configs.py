"""Configs that put a method on another config."""

import contextlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from os.path import isfile
from pathlib import Path
from typing import Any, NamedTuple, Optional

from mmengine.config import Config

from mmpaco.files import PathLike, check_apart, write_text
from mmpaco.methods import (
    Facts,
    Method,
    Options,
    Plan,
    Refusal,
    find_method,
    toolbox_of,
)
from mmpaco.methods.config_text import config_text
from mmpaco.methods.given_settings import as_there, asked, complete, named
from mmpaco.methods.settings import merged
from mmpaco.methods.views import shipped_configs

from .config_files import load_config
from .stock_configs import ConfigFile, config_file, installed
from .training_facts import training_facts

__all__ = [
    'MethodConfig',
    'apply_method',
    'parse_config',
    'plan_config',
    'write_configs',
]


class MethodConfig(NamedTuple):
    """A config that was made.

    Args:
        path (Path): Its file.
        text (str): What it says.
        decisions (tuple[str, ...]): What was decided, and why.
        config (Config): What mmengine reads of it.
        base (Config): What it stands on.
    """

    path: Path
    text: str
    decisions: tuple[str, ...]
    config: Config
    base: Config


def parse_config(path: PathLike) -> Config:
    """Parse a config that a method shall be put on.

    Args:
        path: Its file.

    Returns:
        Config: The config. What it names in ``custom_imports`` is not
        imported.

    Raises:
        FileNotFoundError: If it is no file.
        Refusal: If it cannot be parsed, or is in pure Python style.
    """
    if _is_pure_python(path):
        raise Refusal(
            f'{path} is in pure Python style (read_base, or an import of a '
            'package), on which a config of settings cannot stand; give its '
            'twin with _base_ = ... and types as strings'
        )
    try:
        cfg = load_config(path, custom_imports=False)
        # What is no config may still be Python.
        cfg.to_dict()
    except ModuleNotFoundError as error:
        raise Refusal(f'{path} needs a package: {error}') from error
    except Exception as error:
        told = f'{type(error).__name__}: {error}'.split('\n')[0]
        raise Refusal(f'{path} cannot be parsed ({told})') from error
    return cfg


def apply_method(
    name: str,
    config: str,
    out: Optional[PathLike] = None,
    *,
    views: str = 'own',
    given: Optional[Mapping[str, Any]] = None,
    facts: Optional[Facts] = None,
) -> list[MethodConfig]:
    """Put a method on a config, without writing a file.

    Args:
        name (str): The method.
        config (str): Path of the config, or ``'mmpretrain::...'`` or
            ``'mmseg::...'``.
        out: Where the new one will be. Defaults to the stem of the config
            and the method, in the current folder.
        views (str): As of ``Options``. Defaults to 'own'.
        given (Mapping, optional): As of ``Options``. Defaults to none.
        facts (Facts, optional): What is known of the training data. Defaults
            to what :func:`training_facts` reads.

    Returns:
        list[MethodConfig]: The new config, and that of the second stage if
        the method has two.

    Raises:
        FileNotFoundError: If there is no such config.
        Refusal: If the method cannot be put on it.
    """
    source = config_file(config)
    cfg = parse_config(source.path)
    method = find_method(name, toolbox_of(cfg))
    target = Path(out or f'{source.path.stem}_{name}.py')
    if target.suffix != '.py':
        raise Refusal(f'OUT must be a .py file, but got {str(target)!r}')
    options = Options(
        views, named(given or {}, method), f'work_dirs/{target.stem}'
    )
    read = asked(cfg, options.given)
    # A refusal for the config's sake comes before its data are read.
    unread = Facts(why_unknown='they were not read')
    method.function(read, unread, options)
    with contextlib.suppress(Refusal):
        plain = method.function(read, unread, replace(options, given={}))
        same = as_there(options.given, cfg, plain, method)
        options = replace(options, given=same)
    facts = training_facts(read) if facts is None else facts
    plan: Optional[Plan] = complete(
        cfg, method.function(read, facts, options), method, options
    )
    if plan and views == 'papers' and not plan.bases:
        plan.decisions.append(
            'views are of methods that contrast two of an image; this one '
            'has none, and the transforms of the config stay.'
        )
    made = []
    while plan is not None:
        made.append(plan_config(plan, source, cfg, target, method))
        target = target.with_name(f'{target.stem}_stage2.py')
        plan = plan.second_stage
    return made


def write_configs(made: list[MethodConfig], force: bool = False) -> None:
    """Write configs, all or none.

    Args:
        made (list[MethodConfig]): What :func:`apply_method` gave.
        force (bool): Whether to write over files. Defaults to False.

    Raises:
        FileExistsError: If a file is there already.
    """
    for config in made:
        if config.path.is_dir():
            raise IsADirectoryError(
                f'{config.path} is a folder; name another file'
            )
        if config.path.exists() and not force:
            raise FileExistsError(
                f'{config.path} is there already; name another file, or add '
                '--force'
            )
    for config in made:
        write_text(config.path, config.text)


def plan_config(
    plan: Plan, source: ConfigFile, cfg: Config, target: Path, method: Method
) -> MethodConfig:
    """Write what a plan makes of a config, to no file yet.

    Args:
        plan (Plan): The plan, complete.
        source (ConfigFile): The config that it is for.
        cfg (Config): The same, parsed.
        target (Path): Where the new one will be.
        method (Method): What the plan is of.

    Returns:
        MethodConfig: The new config.

    Raises:
        ValueError: If it would overwrite the config or a base of it.
    """
    check_apart(target, *_files(cfg))
    base = cfg.to_dict()
    for file in plan.bases:
        base.update(Config.fromfile(shipped_configs() / file).to_dict())
    link = re.search(r'https://\S+', method.paper)
    title = method.name + (f' ({link.group()})' if link else '')
    where = _bases([source.expression(target.parent), *_shipped(plan)])
    text = config_text(plan, base, where, title)
    found = _read(plan, base, source)
    return MethodConfig(target, text, tuple(plan.decisions), found, cfg)


def _is_pure_python(path: PathLike) -> bool:
    """Whether mmengine takes a file for a config of imports."""
    try:
        return bool(Config._is_lazy_import(str(path)))
    except (SyntaxError, ValueError):
        # What is no Python is told of by the parser.
        return False


def _files(cfg: Config) -> list[str]:
    """Give the files of a config and of all that it stands on."""
    # mmengine writes the path of each above its text.
    return [x for x in cfg.text.splitlines() if isfile(x)]


def _shipped(plan: Plan) -> list[str]:
    """Name files of this package as a base."""
    folder = shipped_configs() if plan.bases else Path()
    inside = '.mim/' if folder.parent.name == '.mim' else '../'
    return [
        installed('mmpaco', f'/{inside}configs/{file}') for file in plan.bases
    ]


def _bases(expressions: list[str]) -> str:
    """Write the base, or a list of them."""
    if len(expressions) == 1:
        (only,) = expressions
        line = only.replace('\n', ' ')
        if len(f'_base_ = {line}') <= 79:
            return line
        return f'({only})' if '\n' not in only else _indented(only)
    lines = [x.replace('\n', '\n    ') for x in expressions]
    return '[\n    ' + ',\n    '.join(lines) + ',\n]'


def _indented(expression: str) -> str:
    inner = expression.replace('\n', '\n    ')
    return f'(\n    {inner}\n)'


def _read(plan: Plan, base: dict[str, Any], source: ConfigFile) -> Config:
    """Give what mmengine makes of the text, which is what was meant.

    Raises:
        RuntimeError: If it does not, which is a mistake of ours.
    """
    with tempfile.TemporaryDirectory() as folder:
        where = _bases([repr(str(source.path.absolute())), *_shipped(plan)])
        path = Path(folder) / 'config.py'
        path.write_text(config_text(plan, base, where), encoding='utf-8')
        read = load_config(path, custom_imports=False)
    found = read.to_dict()
    expected = merged(base, plan.settings)
    # What the text leaves alone may be another each time, as a date is.
    wrong = [x for x in plan.settings if found.get(x) != expected.get(x)]
    if wrong:
        raise RuntimeError(
            f'the config of {source.path} would not say what was meant of '
            f'{", ".join(sorted(wrong))}; please report this'
        )
    return read
