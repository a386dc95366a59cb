"""What the tools that run a comparison share."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmpaco.files import PathLike
from mmpaco.runner.tool_arguments import whole_number

from .report import table, write_report


def comparison_parser(
    description: str, work_dir: PathLike
) -> argparse.ArgumentParser:
    """Make a parser of ``--seeds``, ``--jobs`` and ``--work-dir``.

    Args:
        description: What the tool does.
        work_dir: Default of ``--work-dir``.

    Returns:
        A parser to which a tool adds what only it needs.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog='Called again, it repeats nothing that is finished.',
    )
    parser.add_argument(
        '--seeds',
        type=whole_number,
        default=1,
        help='trainings of each method (default: %(default)s)',
    )
    parser.add_argument(
        '--jobs',
        type=whole_number,
        default=2,
        help='trainings at a time, on one core each (default: %(default)s)',
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=work_dir,
        help='where all results go (default: %(default)s)',
    )
    return parser


def publish_results(
    results: Mapping[str, Any],
    columns: Mapping[str, str],
    title: str,
    work_dir: PathLike,
) -> None:
    """Write the results, print their table and what files there are.

    Args:
        results: From :func:`~mmpaco.comparison.results.summarise`.
        columns: Metric key of every column, by the column's heading.
        title: What the numbers are, with their unit.
        work_dir: Directory of the comparison.
    """
    from rich.console import Console

    write_report(results, columns, title, work_dir)
    Console().print(table(results, columns, title))
    for path in sorted(Path(work_dir).glob('*.*')):
        print(path)
