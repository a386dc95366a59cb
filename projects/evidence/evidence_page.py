"""Writes the tables and pictures of a grid into its page."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from evidence_description import Description, Results
from evidence_experiment import Experiment
from evidence_grid import Grid

from mmpaco.files import PathLike, write_text
from mmpaco.runner.loaded_runner import training_counts


def write_page(
    description: Description,
    grid: Grid,
    chosen: Mapping[str, Experiment],
    jobs: list[Experiment],
    root: Path,
) -> None:
    """Write what is known of a grid.

    Args:
        description: The grid.
        grid: Its records.
        chosen: The chosen trial of each label.
        jobs: What is told of.
        root: The checkout of the page.
    """
    normalised = [grid.normalised(job) for job in jobs if job.normalised]
    records: dict[str, list] = {}
    for record in grid.known([*jobs, *normalised]):
        records.setdefault(record['label'], []).append(record)
    trials = description.trials()
    results = Results(
        records, grid.known(trials), chosen, class_counts(grid, trials[0])
    )
    fill(
        root / description.page,
        {
            mark: '\n\n'.join(table(results) for table in tables)
            for mark, tables in description.tables.items()
        },
    )
    for name, picture in description.pictures.items():
        picture(results, root / 'docs' / 'images' / name)


def class_counts(grid: Grid, job: Experiment) -> list[int]:
    """Give the training images of each class, kept beside the records.

    Args:
        grid: The grid.
        job: One of its trainings.
    """
    path = grid.records / 'class_counts.json'
    if not path.exists():
        counts = [int(x) for x in training_counts(grid.run(job).cfg)]
        write_text(path, json.dumps(counts) + '\n')
    found: list[int] = json.loads(path.read_text(encoding='utf-8'))
    return found


def read_page(path: PathLike, names: Iterable[str]) -> str:
    """Read a page that has a place for each table.

    Args:
        path: A page with ``<!-- NAME -->`` and ``<!-- /NAME -->``.
        names: What goes between marks.

    Raises:
        ValueError: If there is no page, or it lacks a mark.
    """
    if not Path(path).is_file():
        raise ValueError(
            f'there is no page {path}; make one, in which each table has a '
            'place between marks'
        )
    page = Path(path).read_text(encoding='utf-8')
    for name in names:
        if not _marks(name).search(page):
            raise ValueError(
                f'{path} has no marks <!-- {name} --> and <!-- /{name} -->, '
                'between which a table goes; write each on a line of its own'
            )
    return page


def fill(path: PathLike, blocks: Mapping[str, str]) -> None:
    """Put generated text between the marks of a page.

    Args:
        path: A page with ``<!-- NAME -->`` and ``<!-- /NAME -->``.
        blocks: Text by name.

    Raises:
        ValueError: If there is no page, or it lacks a mark.
    """
    page = read_page(path, blocks)
    for name, text in blocks.items():
        # The first alone: a page may show others how marks are written.
        page = _marks(name).sub(
            lambda m, t=text: f'{m[1]}\n{t}\n\n{m[2]}', page, count=1
        )
    write_text(path, page)


def _marks(name: str) -> re.Pattern[str]:
    return re.compile(rf'(<!-- {name} -->\n).*?(<!-- /{name} -->)', re.DOTALL)
