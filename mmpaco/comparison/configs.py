"""The configs of a comparison: one that all methods stand on, then theirs."""

import ast
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config

from mmpaco.files import PathLike, write_text
from mmpaco.methods import Facts, Method, Options, Plan, Refusal, toolbox_of
from mmpaco.methods.given_settings import as_there, complete
from mmpaco.methods.training_data import type_name
from mmpaco.runner.method_configs import (
    MethodConfig,
    apply_method,
    parse_config,
    plan_config,
    write_configs,
)
from mmpaco.runner.stock_configs import config_file

from .config_reading import environment

__all__ = ['PlannedMethod', 'plan_method', 'write_common']

_SEED = """
# The environment variable SEED sets the seed, as the comparison does.
randomness = dict(seed={{'$SEED:0'}}%s)
"""


def write_common(
    config: str,
    out: PathLike,
    given: Mapping[str, Any],
    settings: Optional[Mapping[str, Any]] = None,
) -> Config:
    """Write the config that all methods of a comparison stand on.

    It is the user's, with the settings that all methods get, and with the
    seed from the environment.

    Args:
        config (str): The user's config: a path, or one that mmpretrain or
            mmseg ships.
        out: The file to write.
        given (Mapping): Values by dotted key.
        settings (Mapping, optional): What is merged over it. Defaults to
            what adds the accuracy of each class.

    Returns:
        Config: What was written.

    Raises:
        FileNotFoundError: If there is no such config.
        Refusal: If it cannot be used, or nothing has a key that is given.
    """
    source = config_file(config)
    cfg = parse_config(source.path)
    toolbox = toolbox_of(cfg)
    for part in ('train', 'test'):
        if not cfg.get(f'{part}_dataloader') or cfg.get(f'{part}_cfg') is None:
            raise Refusal(
                f'{source.path} has no {part}_dataloader or no {part}_cfg; a '
                'comparison trains and tests'
            )
    method = Method(
        'comparison',
        toolbox,
        'what all methods share',
        'what all methods that are compared share',
        lambda *_: Plan({}),
    )
    plan = Plan(dict(settings or _classwise(cfg, toolbox)))
    same = as_there(given, cfg, plan, method)
    plan = complete(cfg, plan, method, Options(given=same))
    randomness = dict(plan.settings.pop('randomness', {}))
    if 'seed' in randomness:
        raise Refusal(
            'randomness.seed is set by the comparison, to 0, 1 and so on; '
            'leave it out of the settings, and give --seeds'
        )
    made = plan_config(plan, source, cfg, Path(out), method)
    _check_base(out, made.text)
    more = ''.join(f', {key}={x!r}' for key, x in randomness.items())
    write_text(made.path, made.text + _SEED % more)
    return parse_config(made.path)


def _base_of(text: str) -> str:
    """Give what the text of a config says of its base."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and '_base_' in map(
            ast.unparse, node.targets
        ):
            return ast.unparse(node.value)
    return ''


def _check_base(out: PathLike, text: str) -> None:
    """See that a directory is not that of another config, whose runs go."""
    path = Path(out)
    if not path.exists():
        return
    try:
        before = _base_of(path.read_text(encoding='utf-8'))
    except SyntaxError:
        return
    if before != _base_of(text):
        raise Refusal(
            f'{path} is of a comparison on another config, {before}, whose '
            'runs would be removed; give another --work-dir, or remove this '
            'one yourself'
        )


def _classwise(cfg: Config, toolbox: str) -> dict[str, Any]:
    """Add the accuracy of each class to the test of a classifier."""
    there = cfg.get('test_evaluator')
    if toolbox != 'mmpretrain' or not there:
        return {}
    metrics = list(there) if isinstance(there, (list, tuple)) else [there]
    if any(
        type_name(x) == 'Evaluator'
        or (
            type_name(x) == 'SingleLabelMetric'
            and x.get('average', 'macro') is None
            and 'recall' in x.get('items', ('recall',))
        )
        for x in metrics
    ):
        return {}
    recall = dict(type='SingleLabelMetric', items=['recall'], average=None)
    return dict(test_evaluator=[*metrics, recall])


@dataclass(frozen=True)
class PlannedMethod:
    """A method put on the common config.

    Args:
        label (str): Its name in tables.
        stem (str): Its name in paths.
        stages (dict[int, tuple[Path, ...]]): By seed, its configs: one, or
            those of two stages.
        decisions (tuple[str, ...]): What was decided, and why.
    """

    label: str
    stem: str
    stages: Mapping[int, tuple[Path, ...]]
    decisions: tuple[str, ...]


def plan_method(
    name: str,
    common: PathLike,
    facts: Mapping[int, Facts],
    given: Mapping[str, Any],
    label: Optional[str] = None,
    taken: Optional[set[str]] = None,
) -> PlannedMethod:
    """Put a method on the common config, and write its configs beside it.

    Where the seed draws the data, what a method makes of them may differ from
    seed to seed; there is one config for all seeds if it does not.

    Args:
        name (str): The method.
        common: The common config.
        facts (Mapping): What is known of the training data, by seed.
        given (Mapping): Values by short name or dotted key.
        label (str, optional): Its name in tables. Defaults to ``name``.
        taken (set[str], optional): Names in paths that others have, to which
            its own is added. Defaults to none.

    Returns:
        PlannedMethod: The method.

    Raises:
        Refusal: If it cannot be put on the config.
    """
    label = label or name
    stem = re.sub(r'[^a-z0-9.]+', '-', label.lower()).strip('-')
    taken = set() if taken is None else taken
    if stem in taken:
        # Such as of 'alpha 1' and 'alpha -1'.
        stem += f'-{hashlib.sha256(label.encode()).hexdigest()[:8]}'
    taken.add(stem)
    stages: dict[int, tuple[Path, ...]] = {}
    decisions: list[str] = []
    written: dict[tuple[str, ...], tuple[Path, ...]] = {}
    for seed, known in facts.items():
        with environment({'SEED': str(seed)}):
            made = _applied(name, common, stem, label, known, given)
        texts = tuple(config.text for config in made)
        if texts not in written:
            suffix = f'_seed{seed}' if written else ''
            made = [
                x._replace(path=x.path.with_stem(x.path.stem + suffix))
                for x in made
            ]
            write_configs(made, force=True)
            written[texts] = tuple(config.path for config in made)
            decisions += [y for x in made for y in x.decisions]
        stages[seed] = written[texts]
    unique = tuple(dict.fromkeys(decisions))
    return PlannedMethod(label, stem, stages, unique)


def _applied(
    name: str,
    common: PathLike,
    stem: str,
    label: str,
    facts: Facts,
    given: Mapping[str, Any],
) -> list[MethodConfig]:
    out = Path(common).with_name(f'{stem}.py')
    made = apply_method(name, str(common), out, given=given, facts=facts)
    # The second of two stages starts from a checkpoint of its own seed.
    first = f'work_dirs/{stem}/'
    place = re.compile(re.escape(first) + r'(\S+)')
    return [
        x._replace(
            text=x.text.replace(first, f'{{{{$STAGE1:{first}}}}}'),
            decisions=tuple(
                place.sub(
                    lambda found: f'{found[1]} of {label}, stage 1', decision
                )
                for decision in x.decisions
            ),
        )
        for x in made
    ]
