"""Methods compared on a user's own config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from mmpaco.files import PathLike
from mmpaco.methods import Refusal, WrongSetting, find_method, toolbox_of
from mmpaco.runner.method_configs import parse_config
from mmpaco.runner.stock_configs import config_file

from .configs import PlannedMethod, plan_method, write_common
from .data_facts import known_facts
from .runs import Run
from .scheduling import RunsFailed, run_all
from .settings import COMMON, divide

__all__ = ['Comparison', 'Request', 'method_run']


@dataclass(frozen=True)
class Request:
    """What is to be compared, and how.

    Args:
        config (str): The user's config: a path, or ``'mmpretrain::...'`` or
            ``'mmseg::...'``.
        methods (Sequence[str]): Names of methods; the first is the reference.
        work_dir (Path): Where everything goes.
        tools_dir (Path): Directory of ``train.py`` and ``test.py``.
        seeds (int): Trainings of each method. Defaults to 1.
        settings (Mapping): Values by key, as :func:`.settings.divide` reads
            them. Defaults to none.
        jobs (int): Trainings at a time. Defaults to 2.
        threads (int): ``OMP_NUM_THREADS`` of each. Defaults to 1.
        gpus (int): Processes of each; 0 is one without a launcher. Defaults
            to 0.
    """

    config: str
    methods: Sequence[str]
    work_dir: Path
    tools_dir: Path
    seeds: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    jobs: int = 2
    threads: int = 1
    gpus: int = 0


def method_run(
    planned: PlannedMethod, seed: int, folder: PathLike, gpus: int = 0
) -> Run:
    """Give the run of a method with a seed, after that of its first stage.

    Args:
        planned (PlannedMethod): The method.
        seed (int): The seed.
        folder: Directory of the comparison.
        gpus (int): As of :class:`Request`. Defaults to 0.

    Returns:
        Run: The run; a first stage is its ``after``.
    """
    *before, last = planned.stages[seed]
    env = {'SEED': str(seed)}
    after: Optional[Run] = None
    for i, path in enumerate(before, 1):
        place = Path(folder) / f'{planned.stem}-stage{i}' / f'seed{seed}'
        label = f'{planned.label}, stage {i}'
        after = Run(label, path, seed, place, env, after, gpus)
    place = Path(folder) / planned.stem / f'seed{seed}'
    return Run(planned.label, last, seed, place, env, after, gpus)


class Comparison:
    """A comparison of methods on one config.

    Args:
        request (Request): What is to be compared.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If a method is unknown or named twice, the config cannot
            be compared on, or its data are not there.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.folder = Path(request.work_dir).resolve()
        if unfit := set('\'"\\{}\n') & set(str(self.folder)):
            raise ValueError(
                f'work_dir must have no {"".join(sorted(unfit))!r} in its '
                'path, since configs, which are Python, name it, but got '
                f'{str(self.folder)!r}'
            )
        self.seeds = list(range(request.seeds))
        self.refused: dict[str, str] = {}
        self.planned: list[PlannedMethod] = []
        self.runs: list[Run] = []
        self.failed: list[Run] = []
        names = list(request.methods)
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f'methods must be one or more names, each once, but got '
                f'{names}'
            )
        cfg = parse_config(config_file(request.config).path)
        for name in names:
            find_method(name, toolbox_of(cfg))
        self.settings = divide(request.settings, names, cfg)
        self.common = write_common(
            request.config, self.common_path, self.settings[COMMON]
        )
        self.facts = known_facts(self.common_path, self.seeds)

    @property
    def common_path(self) -> Path:
        """The config that all methods stand on."""
        return self.folder / 'configs' / 'common.py'

    def plan(self) -> None:
        """Put the methods on the config; those that cannot be are noted.

        Raises:
            WrongSetting: If a method has no place for a value that was given
                for it.
        """
        for name in self.request.methods:
            try:
                self.planned.append(
                    plan_method(
                        name,
                        self.common_path,
                        self.facts,
                        self.settings[name],
                    )
                )
            except WrongSetting:
                # A slip, which would cost the trainings of all others.
                raise
            except Refusal as error:
                self.refused[name] = str(error)
        # All methods of a seed together, so that those which are compared
        # run under the same load.
        self.runs = [
            method_run(planned, seed, self.folder, self.request.gpus)
            for seed in self.seeds
            for planned in self.planned
        ]

    def train(self) -> None:
        """Train and test what is not finished; failures are noted."""
        self.failed = self.run_all(self.runs)

    def check(self, also: Sequence[str] = ()) -> None:
        """See that all that was asked for is there.

        Args:
            also (Sequence[str]): What else went wrong. Defaults to nothing.

        Raises:
            RuntimeError: If a method cannot be put on the config, or a run
                failed.
        """
        wrong = [f'{x}: {why}' for x, why in self.refused.items()]
        wrong += [f'{run}: {run.failure} ({run.log})' for run in self.failed]
        wrong += also
        if wrong:
            lines = '\n'.join(f'  {x}' for x in wrong)
            raise RuntimeError(
                f'not all could be compared:\n{lines}\nMend it and call '
                'again: finished runs are not repeated.'
            )

    def described(self) -> dict[str, Any]:
        """Give what a reader must know besides the figures."""
        request = self.request
        return {
            'config': request.config,
            'seeds': request.seeds,
            'jobs': request.jobs,
            'gpus': request.gpus,
            'settings': {k: v for k, v in self.settings.items() if v},
            'decisions': {x.label: list(x.decisions) for x in self.planned},
        }

    def run_all(self, runs: Sequence[Run]) -> list[Run]:
        """Bring runs to an end, with their first stages.

        Args:
            runs: The runs.

        Returns:
            list[Run]: Those that failed.
        """
        request = self.request
        try:
            run_all(
                [stage for run in runs for stage in run.stages],
                request.tools_dir,
                request.jobs,
                request.threads,
            )
        except RunsFailed as error:
            return error.failed
        return []
