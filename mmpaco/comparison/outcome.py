"""What comes out of a comparison: table, files, pictures, sentences."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from mmengine.registry import DATASETS

from mmpaco.methods import methods, toolbox_of
from mmpaco.methods.training_data import leaf_datasets

from .balance import Adjust, balanced_page, take_balance_out
from .columns import Columns, columns_of, shot_bounds
from .compare import Comparison
from .overview_picture import plot_overview
from .pictures import plot_classes, plot_curves
from .report import table, write_report
from .results import summarise
from .runs import Run
from .selection import told_selection
from .statements import caveats, compare_methods

__all__ = ['publish']

_MOST_NAMES = 20
_PICTURES = ('overview', 'curves', 'classes')


def publish(
    comparison: Comparison,
    adjust: Adjust,
    selection: Optional[Mapping[str, Any]] = None,
) -> dict[str, Any]:
    """Write and print what a comparison has shown.

    Args:
        comparison (Comparison): A comparison whose runs have ended.
        adjust (Callable): Takes the balance out of a run.
        selection (Mapping, optional): From :func:`.selection.select`.
            Defaults to None.

    Returns:
        dict: What ``results.json`` holds.

    Raises:
        RuntimeError: If a run has not ended.
    """
    unbalanced = take_balance_out(comparison, adjust)
    results = summarise(
        comparison.runs,
        comparison.request.methods[0],
        comparison.described(),
        comparison.refused,
    )
    columns = columns_of(results, comparison.common)
    sentences = [
        *_sentences(results, columns),
        *balanced_page(results, unbalanced),
        *caveats(results),
        *(told_selection(selection) if selection else ()),
        *_left_out(comparison),
    ]
    results['selection'] = selection
    results['sentences'] = sentences
    folder = comparison.folder
    page = [*sentences, *_decided(comparison)]
    write_report(results, columns.all, columns.title, folder, page)
    _draw(comparison, results, columns)
    _show(results, columns, folder, sentences)
    return results


def _sentences(results: Mapping[str, Any], columns: Columns) -> list[str]:
    return compare_methods(
        results,
        lambda run: run['metrics'].get(columns.main),
        columns.main_name,
    )


def _left_out(comparison: Comparison) -> list[str]:
    """Name the methods of earlier calls that this one does not name."""
    trained = {
        json.loads(path.read_text()).get('label')
        for path in comparison.folder.glob('*/seed*/run.json')
        if path.with_name('metrics.json').exists()
    }
    known = {x.name for x in methods()} & trained
    names = sorted(known - {*comparison.request.methods})
    if not names:
        return []
    return [
        f'Trained by an earlier call, but not named in this one: '
        f'{", ".join(names)}. Name all at once to have them in one table; '
        'finished runs are not repeated.'
    ]


def _decided(comparison: Comparison) -> list[str]:
    said = []
    for planned in comparison.planned:
        if planned.decisions:
            said.append(f'How {planned.label} was put on the config:')
            said += [f'- {x}' for x in planned.decisions]
    return said


def _show(
    results: Mapping[str, Any],
    columns: Columns,
    folder: Path,
    sentences: Sequence[str],
) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.print(table(results, columns.groups, columns.title))
    if columns.own:
        title = "The config's own metrics."
        console.print(table(results, columns.own, title, costs=False))
    for sentence in sentences:
        if not sentence.startswith('- '):
            print()
        if sentence.startswith('| '):
            console.print(Markdown(sentence))
        else:
            console.print(sentence, markup=False, highlight=False)
    for path in sorted(folder.glob('*.*')):
        print(path)


def _draw(
    comparison: Comparison, results: Mapping[str, Any], columns: Columns
) -> None:
    folder = comparison.folder
    for name in _PICTURES:
        # Of an earlier call, perhaps of another config.
        (folder / f'{name}.png').unlink(missing_ok=True)
    finished = [run for run in comparison.runs if run.finished]
    if not finished:
        return
    plot_overview(results, columns.groups, folder / 'overview.png')
    plot_curves(
        finished, columns.main, columns.main_name, folder / 'curves.png'
    )
    is_seg = toolbox_of(comparison.common) == 'mmseg'
    key = 'IoU_classwise' if is_seg else 'single-label/recall_classwise'
    if not all(key in run.metrics for run in finished):
        print(f'No classes.png: the test of some run has no {key!r}.')
        return
    counts = {
        seed: [int(x) for x in facts.class_counts or ()]
        for seed, facts in comparison.facts.items()
    }
    same = len({tuple(x) for x in counts.values()}) == 1
    names = _class_names(finished[0]) if same and is_seg else []
    what = 'pixels' if is_seg else 'images'
    plot_classes(
        finished,
        counts,
        key,
        folder / 'classes.png',
        () if is_seg else shot_bounds(finished[0].cfg),
        names if len(names) <= _MOST_NAMES else (),
        (
            f'training {what} of the class',
            'IoU' if is_seg else 'test accuracy',
        ),
    )


def _class_names(run: Run) -> list[str]:
    leaf = next(leaf_datasets(run.cfg.train_dataloader.dataset))
    given = (leaf.get('metainfo') or {}).get('classes')
    known = getattr(DATASETS.get(leaf['type']), 'METAINFO', {})
    return list(given or known.get('classes') or ())
