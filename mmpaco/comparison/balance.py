"""A comparison with the balance of frequent and rare classes taken out.

A method may be better because its features are, or because it shares out
accuracy among frequent and rare classes in another way. The second is had for
nothing, by a shift of the scores after training.
"""

import statistics
from collections.abc import Callable, Mapping
from typing import Any, Optional

from mmengine.config import Config

from mmpaco.files import PathLike
from mmpaco.methods import toolbox_of

from .compare import Comparison
from .report import markdown_table, mean_and_spread
from .statements import compare_methods
from .validation import has_validation

__all__ = ['Adjust', 'balanced_page', 'take_balance_out']

_NAME = 'mean accuracy of all classes with the balance taken out'

#: Gives, of a config and a checkpoint, what
#: :func:`mmpaco.analysis.logit_adjustment.best_adjustment` gives, which this
#: room may not import.
Adjust = Callable[[Config, PathLike], Any]


def take_balance_out(comparison: Comparison, adjust: Adjust) -> Optional[str]:
    """Test each finished run with the balance that validation chooses.

    What is found is noted in the record of the run.

    Args:
        comparison (Comparison): A comparison whose runs have ended.
        adjust (Callable): Finds the balance.

    Returns:
        str: Why it cannot be done for any run, or None.
    """
    if toolbox_of(comparison.common) != 'mmpretrain':
        return 'this is done for classifiers alone'
    if not has_validation(comparison.common):
        return (
            'the config has no validation set beside its test set, on which '
            'alone the shift could be chosen'
        )
    for run in comparison.runs:
        checkpoint = run.checkpoint
        if not run.finished or 'adjusted' in run.record or checkpoint is None:
            continue
        print(f'{run}: choosing its balance on the validation set', flush=True)
        try:
            found = adjust(run.cfg, checkpoint)
        except (TypeError, ValueError) as error:
            run.note(not_adjusted=str(error))
            continue
        run.note(
            adjusted={
                'strength': found.strength,
                'all': round(found.test, 3),
            }
        )
    return None


def balanced_page(
    results: Mapping[str, Any], why_not: Optional[str]
) -> list[str]:
    """Tell what is left of the differences with the balance taken out.

    Args:
        results: From :func:`~mmpaco.comparison.results.summarise`.
        why_not: From :func:`take_balance_out`.

    Returns:
        list[str]: A table in Markdown and sentences.
    """
    if why_not is not None:
        return [f'The balance is not taken out: {why_not}.']
    rows = []
    said = []
    for label, method in results['methods'].items():
        found = [x for x in method['runs'] if 'adjusted' in x]
        why = [
            x['not_adjusted']
            for x in method['runs']
            if 'not_adjusted' in x and 'adjusted' not in x
        ]
        if why:
            said.append(f'The balance of {label} is not taken out: {why[0]}.')
        if found:
            strengths = [x['adjusted']['strength'] for x in found]
            rows.append(
                [
                    label,
                    mean_and_spread([x['metrics']['shot/all'] for x in found]),
                    mean_and_spread([x['adjusted']['all'] for x in found]),
                    f'{statistics.fmean(strengths):.2g}',
                ]
            )
    if not rows:
        return said
    head = ['method', 'as trained', 'balance taken out', 'strength']
    return [
        'With the balance taken out: from the scores a multiple of the log '
        'of the class frequencies is subtracted, the strength, which is '
        'chosen for each run on the validation set; a negative one favours '
        'frequent classes. A difference that goes '
        'away was one of balance, and not of features, as far as these seeds '
        'can tell.',
        markdown_table(head, rows),
        *said,
        *compare_methods(
            results, lambda x: (x.get('adjusted') or {}).get('all'), _NAME
        ),
    ]
