"""The grid of runs that shows what the methods do on real images.

A run that has ended is kept as one small file, its record, so that the grid
goes on where it was stopped though checkpoints and logs are gone.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from evidence_experiment import Experiment, setting_text
from evidence_record import (
    last_validation,
    normalised_record,
    trained_record,
)

from mmpaco.comparison.runs import Run
from mmpaco.comparison.scheduling import run_all
from mmpaco.files import PathLike, write_text


def _read(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(
            f'{path} is not a whole record: {error}; get it again, or remove '
            'it to train again'
        ) from error
    return record


class Grid:
    """Trains jobs and keeps their records.

    Args:
        configs: Folder of the configs.
        tools: Folder of ``train.py`` and ``test.py``.
        work_dir: Folder of checkpoints and logs.
        records: Folder of the records.
        jobs: Trainings at a time, one thread each.
        known_in: Folder that records of second stages were made with, if it
            was another than ``work_dir``: their configs name the first stage.
    """

    def __init__(
        self,
        configs: PathLike,
        tools: PathLike,
        work_dir: PathLike,
        records: PathLike,
        jobs: int = 2,
        known_in: Optional[PathLike] = None,
    ) -> None:
        self.configs = Path(configs)
        self.tools = Path(tools)
        self.work_dir = Path(work_dir)
        self.records = Path(records)
        self.jobs = jobs
        self.known_in = Path(known_in or work_dir)

    def record(self, job: Experiment) -> Optional[dict[str, Any]]:
        """Read the record of a job.

        Args:
            job: The job.

        Returns:
            The record, with the time of both stages if there are two; None
            if there is none, or a config was another.

        Raises:
            ValueError: If the file is no record.
        """
        path = self.records / f'{job.name}.json'
        if not path.exists():
            return None
        record = _read(path)
        if record['config_sha256'] != self.run(job).config_sha256:
            return None
        if job.after is not None:
            first = self.record(self._first(job))
            if first is None:
                return None
            for clock in {'seconds', 'cpu_seconds'} & set(record):
                record[clock] += first[clock]
        # Of the same file name, it may be spelt in another way by now.
        return {**record, 'label': job.label}

    def _write(self, name: str, record: Mapping[str, Any]) -> None:
        write_text(
            self.records / f'{name}.json', json.dumps(record, indent=1) + '\n'
        )

    def run(self, job: Experiment) -> Run:
        """Give the run of a job, with its merged config.

        Args:
            job: The job.
        """
        run = self._run_in(self.work_dir, job)
        if job.after is not None and self.known_in != self.work_dir:
            known = self._run_in(self.known_in, job)
            run.config_sha256 = known.config_sha256
        return run

    def _run_in(self, folder: Path, job: Experiment) -> Run:
        env = {**job.env, **job.setting, 'SEED': str(job.seed)}
        if job.after is not None:
            first = self._run_in(folder, self._first(job))
            last = f'epoch_{first.cfg.train_cfg["max_epochs"]}.pth'
            env['STAGE1'] = (first.dir / last).as_posix()
        words = setting_text(job.setting)
        return Run(
            f'{job.label} ({words})' if words else job.label,
            self.configs / f'{job.config}.py',
            job.seed,
            folder / job.name,
            env,
        )

    def _first(self, job: Experiment) -> Experiment:
        return Experiment(*job.after, job.setting, job.seed, job.env)

    def known(self, jobs: Iterable[Experiment]) -> list[dict[str, Any]]:
        """Read the records that there are.

        Args:
            jobs: Jobs, some of them perhaps not trained yet.

        Returns:
            The records, in the order of the jobs.
        """
        records = [self.record(job) for job in jobs]
        return [record for record in records if record is not None]

    def choose(self, trials: Iterable[Experiment]) -> dict[str, Experiment]:
        """Choose the best trial of each method on the validation list.

        Args:
            trials: Jobs, of which those with a record are compared. One
                alone needs no record.

        Returns:
            The chosen job of each label, in the order of the labels.

        Raises:
            RuntimeError: If a label has several trials and no record yet.
        """
        groups: dict[str, list[Experiment]] = {}
        for job in trials:
            groups.setdefault(job.label, []).append(job)
        chosen = {
            label: self.best(jobs) if len(jobs) > 1 else jobs
            for label, jobs in groups.items()
        }
        missing = [label for label, jobs in chosen.items() if not jobs]
        if missing:
            raise RuntimeError(
                f'no trial of {", ".join(missing)} is finished; train them '
                'before anything is chosen'
            )
        return {label: jobs[0] for label, jobs in chosen.items()}

    def best(self, jobs: Iterable[Experiment]) -> list[Experiment]:
        """Order what is finished by the validation list.

        Args:
            jobs: Jobs, some of them perhaps not trained yet.

        Returns:
            Those with a record, the best first.
        """
        known = [job for job in jobs if self.record(job) is not None]
        known.sort(key=lambda job: -last_validation(self.record(job) or {}))
        return known

    def train(self, jobs: Iterable[Experiment]) -> None:
        """Train what has no record yet, and record it.

        Args:
            jobs: The jobs; a job with a first stage trains that, too.

        Raises:
            RuntimeError: If a run fails; the others are finished before.
        """
        jobs = list(jobs)
        missing = [job for job in jobs if self.record(job) is None]
        # Of a first stage the checkpoint is needed, not the record alone.
        # Several second stages may start from one.
        stages = [self._first(j) for j in missing if j.after is not None]
        first = {stage.name: stage for stage in stages}.values()
        waiting = [
            job
            for job in missing
            if job.after is not None
            and not self.run(self._first(job)).finished
        ]
        # What waits for nothing keeps the cores busy beside first stages.
        ready = [job for job in missing if job not in waiting]
        self._run_all([*first, *ready])
        self._run_all(waiting)

    def _run_all(self, jobs: Sequence[Experiment]) -> None:
        runs = {self.run(job).dir: job for job in jobs}
        for job in jobs:
            # It may have ended just before the grid was stopped.
            run = self.run(job)
            if run.finished:
                self._close(job, run)
        run_all(
            [self.run(job) for job in jobs],
            self.tools,
            self.jobs,
            then=lambda run: self._close(runs[run.dir], run),
        )

    def _close(self, job: Experiment, run: Run) -> None:
        """Keep of a finished run what the tables and pictures need."""
        self._write(job.name, trained_record(run, job.facts))
        if job.normalised is not None:
            other = self.normalised(job)
            folder = self.work_dir / other.name
            record = normalised_record(run, other.facts, folder, self.tools)
            self._write(other.name, record)

    def normalised(self, job: Experiment) -> Experiment:
        """Name the job whose record is the tau-normalised one of another.

        Args:
            job: A job with a ``normalised`` label.

        Returns:
            A job for :meth:`record`; it is not to be trained.
        """
        return replace(job, label=job.normalised, normalised=None)
