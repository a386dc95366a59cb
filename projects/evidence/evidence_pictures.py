"""Pictures of a grid."""

from collections.abc import Sequence
from pathlib import Path

from evidence_description import Results
from evidence_tables import GROUPS

from mmpaco.analysis.class_values_picture import plot_class_values
from mmpaco.analysis.gradient_norm import plot_gradient_norms
from mmpaco.comparison.overview_picture import plot_overview


def _finished(results: Results, methods: Sequence[str]) -> dict:
    found = results.of(methods)
    return {label: records for label, records in found.items() if records}


def classes_picture(
    results: Results, path: Path, methods: Sequence[str]
) -> None:
    """Draw the test accuracy of each class against its training images.

    Args:
        results: What is known of the grid.
        path: PNG to write; none if no method has been run.
        methods: Labels of what is drawn, as far as it has been run.
    """
    values = {
        label: [(results.counts, x['test']['classes']) for x in records]
        for label, records in _finished(results, methods).items()
    }
    if values:
        plot_class_values(values, path, (20, 100))


def overview_picture(
    results: Results, path: Path, methods: Sequence[str]
) -> None:
    """Draw the accuracy of each seed in each group of classes.

    Without times: the machine was not as busy with each.

    Args:
        results: What is known of the grid.
        path: PNG to write; none if no method has been run.
        methods: Labels of what is drawn, as far as it has been run. The first
            is the one that the others are compared with.
    """
    shown = {
        label: {
            'runs': [{'metrics': record['test']} for record in records],
            'time_ratio': None,
        }
        for label, records in _finished(results, methods).items()
    }
    if shown:
        plot_overview(
            {'reference': next(iter(shown)), 'methods': shown},
            {x: x for x in (*GROUPS[1:], GROUPS[0])},
            path,
        )


def gradients_picture(
    results: Results, path: Path, methods: Sequence[str]
) -> None:
    """Draw the gradient norm of each class, of the first seed.

    Args:
        results: What is known of the grid.
        path: PNG to write; none if no method has been run.
        methods: Labels of what is drawn, as far as it has norms.
    """
    norms = {
        label: records[0]['gradient_norm']
        for label, records in _finished(results, methods).items()
        if 'gradient_norm' in records[0]
    }
    if norms:
        plot_gradient_norms(norms, results.counts, path)
