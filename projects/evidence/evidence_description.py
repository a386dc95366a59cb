"""What describes a grid: methods, settings, seeds, and what its page tells."""

import argparse
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Optional

from evidence_experiment import Experiment

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """A method of the grid.

    Args:
        label: Its name.
        config: Stem of its config below the grid's folder of configs. May be
            left out with ``like``.
        settings: Environment variables that the config reads. Of several
            settings, validation chooses one, with the first seed.
        env: Others, which name what is compared and are no setting.
        after: Label and config of the first stage, whose checkpoint it starts
            from.
        normalised: Label of the same checkpoint with a tau-normalised
            classifier, if that is wanted, too.
        like: Label of the method whose chosen setting it has, with its own
            setting on top: an ablation of that one, with one seed.
        contest: Whether it has one seed, and the others only if it is among
            the best of its kind on the validation list.
    """

    label: str
    config: str = ''
    settings: Sequence[Mapping[str, str]] = ({},)
    env: Mapping[str, str] = field(default_factory=dict)
    after: Optional[tuple[str, str]] = None
    normalised: Optional[str] = None
    like: Optional[str] = None
    contest: bool = False

    def trials(self) -> list[Experiment]:
        """Its settings, with the first seed."""
        return [
            Experiment(
                self.label,
                self.config,
                setting,
                env=self.env,
                after=self.after,
                normalised=self.normalised,
            )
            for setting in self.settings
        ]

    def changed(self, chosen: Experiment) -> Experiment:
        """What it is as an ablation of a chosen experiment."""
        return Experiment(
            self.label,
            self.config or chosen.config,
            {**chosen.setting, **self.settings[0]},
            env={**chosen.env, **self.env},
            after=self.after or chosen.after,
            normalised=self.normalised,
        )


class Results(NamedTuple):
    """What tables and pictures are made of.

    Args:
        records: Records of each label, in the order of the methods; none of
            what has not been run yet.
        trials: Records of the trials.
        chosen: The chosen trial of each label.
        counts: Training images of each class.
    """

    records: Mapping[str, Sequence[Record]]
    trials: Sequence[Record]
    chosen: Mapping[str, Experiment]
    counts: Sequence[int]

    def of(self, labels: Sequence[str]) -> dict[str, Sequence[Record]]:
        """Pick methods.

        Args:
            labels: Their labels.

        Returns:
            Records by label, none of what has not been run yet.
        """
        return {label: self.records.get(label, ()) for label in labels}


#: Makes a table in Markdown.
Table = Callable[[Results], str]
#: Draws into a file.
Picture = Callable[[Results, Path], None]


@dataclass(frozen=True)
class Description:
    """A grid of runs, and the page that tells of it.

    Paths are below the root of the checkout.

    Args:
        name: Name of the folder of its records.
        page: The page, with marks where the tables go.
        configs: Folder of the configs.
        work_dir: Folder of checkpoints and logs, if no other is asked for.
        methods: What is trained.
        tables: Tables that go between the marks of the page, by mark.
        pictures: Pictures by the name of their file in ``docs/images``.
        seeds: Seeds of each method.
        repeated: How many of the methods in the contest get all seeds.
    """

    name: str
    page: str
    configs: str
    work_dir: str
    methods: Sequence[Method]
    tables: Mapping[str, Sequence[Table]]
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    seeds: int = 3
    repeated: int = 0

    def __post_init__(self) -> None:
        if not self.methods or self.seeds < 1:
            raise ValueError(
                'a grid has one method and one seed at least, but this one '
                f'has {len(self.methods)} methods and {self.seeds} seeds'
            )
        trained = {x.label for x in self._with_settings()}
        for method in self.methods:
            if method.like and method.like not in trained:
                raise ValueError(
                    f'{method.label!r} is like {method.like!r}, which is no '
                    f'method with settings of its own; those are '
                    f'{sorted(trained)}'
                )
            if not method.like and not method.config:
                raise ValueError(
                    f'{method.label!r} has no config and is like no other '
                    'method; give one of both'
                )
            _check_settings(method)
        _check_labels(self.methods)

    def trials(self) -> list[Experiment]:
        """The trainings that validation chooses from."""
        return [x for m in self._with_settings() for x in m.trials()]

    def finals(
        self, chosen: Mapping[str, Experiment], seeds: int
    ) -> list[Experiment]:
        """The main comparison, ablations and the first seed of the contest.

        Args:
            chosen: The chosen trial of each label.
            seeds: How many seeds.
        """
        main = [chosen[m.label] for m in self._with_settings()]
        return [
            *(replace(x, seed=seed) for seed in range(seeds) for x in main),
            *(m.changed(chosen[m.like]) for m in self.methods if m.like),
            *self.contest(),
        ]

    def contest(self) -> list[Experiment]:
        """The first seed of each method in the contest."""
        return [x for m in self.methods if m.contest for x in m.trials()]

    def again(
        self, best: Sequence[Experiment], seeds: int
    ) -> list[Experiment]:
        """The other seeds of the best methods in the contest.

        Args:
            best: The first seed of each, the best first.
            seeds: How many seeds.
        """
        return [
            replace(job, seed=seed)
            for seed in range(1, seeds)
            for job in best[: self.repeated]
        ]

    def _with_settings(self) -> list[Method]:
        return [m for m in self.methods if not m.like and not m.contest]


def _check_settings(method: Method) -> None:
    """Refuse settings of which none could be chosen."""
    if method.like and method.contest:
        raise ValueError(
            f'{method.label!r} is like {method.like!r} and in the contest, '
            'where each has its own setting; leave out one of both'
        )
    names = {x.name for x in method.trials()}
    if not names or len(names) < len(method.settings):
        raise ValueError(
            f'{method.label!r} must have one setting or several that are not '
            f'the same, but got {list(method.settings)}'
        )
    if len(names) > 1 and (method.like or method.contest):
        raise ValueError(
            f'{method.label!r} has {len(names)} settings, but validation '
            'chooses none for an ablation or in the contest; give one'
        )


def _check_labels(methods: Sequence[Method]) -> None:
    """Refuse labels by which records would be taken for each other's."""
    # Several second stages may start from one.
    stages = {(x.after, *sorted(x.env.items())) for x in methods if x.after}
    labels = [
        *(x.label for x in methods),
        *(x.normalised for x in methods if x.normalised),
        *(first[0] for first, *_ in stages),
    ]
    files: dict[str, str] = {}
    for label in labels:
        name = Experiment(label, '').name
        if name in files:
            raise ValueError(
                f'{files[name]!r} and {label!r} are two trainings of the '
                'grid, but their files would have one name, made of a-z, 0-9 '
                'and dots; give one another label'
            )
        files[name] = label


def read_description(path: Path) -> Description:
    """Read the description that a file sets as ``GRID``.

    Args:
        path: A Python file.

    Raises:
        argparse.ArgumentTypeError: If it has none, or one without sense.
    """
    # A description may import one beside it.
    sys.path.insert(0, str(path.resolve().parent))
    try:
        found = runpy.run_path(str(path)).get('GRID')
    except (TypeError, ValueError) as error:
        # Of these, argparse tells that the value is invalid, and no more.
        raise argparse.ArgumentTypeError(f'{path}: {error}') from error
    if not isinstance(found, Description):
        raise argparse.ArgumentTypeError(
            f'{path} must set GRID to a Description, as those in '
            'projects/evidence/grids do'
        )
    return found
