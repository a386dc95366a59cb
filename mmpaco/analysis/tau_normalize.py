"""Classifier weights divided by a power of their norm, after training.

Decoupling Representation and Classifier for Long-Tailed Recognition, Kang et
al., ICLR 2020, https://arxiv.org/abs/1910.09217 (tau-normalised classifier)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmpretrain.models.heads.margin_head import NormProduct

from mmpaco.cls.models.scaled_head import ScaledClsHead
from mmpaco.cls.models.tau_norm import normalize
from mmpaco.files import PathLike, check_apart, whole_file
from mmpaco.runner.checkpoint import load_checkpoint
from mmpaco.runner.config_files import ConfigLike, read_config

from .trained_classifier import (
    balanced_accuracy,
    features_and_labels,
    load_classifier,
)

if TYPE_CHECKING:
    from rich.console import Group

TAUS = tuple(round(0.1 * i, 1) for i in range(11))


@dataclass(frozen=True)
class TauSearch:
    """What :func:`search_tau` found.

    Args:
        tau (float): The tau that was chosen.
        accuracy (dict[float, float]): Balanced accuracy on the validation
            set in percent, by tau.
        trained (float): That of the classifier as it was trained.
        num_images (int): Validation images.
        num_classes (int): The class count C.
        num_evaluated (int): Classes that have a validation image.
    """

    tau: float
    accuracy: dict[float, float]
    trained: float
    num_images: int
    num_classes: int
    num_evaluated: int


def search_tau(
    config: ConfigLike,
    checkpoint: PathLike,
    out: PathLike,
    taus: Sequence[float] = TAUS,
    trust: bool = False,
) -> TauSearch:
    """Normalise the classifier of a checkpoint, with the best tau.

    That is the one of the best balanced accuracy on the config's validation
    set, the smallest of several. Classes without a validation image have no
    say. The bias is dropped, as in the paper. The test set is not touched.

    Args:
        config (str | Path | Config): A config of mmpretrain whose head is a
            ``LinearClsHead``, such as ``mmpaco.GPaCoHead``.
        checkpoint (str | Path): What it has trained.
        out (str | Path): The checkpoint to write. The same config reads it;
            it resumes no training.
        taus (Sequence[float]): The powers to try. Defaults to 0, 0.1, ... 1.
        trust (bool): Whether to read a checkpoint that may run code.
            Defaults to False.

    Returns:
        TauSearch: The tau, and the accuracy of all.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        TypeError: If the config is not one of mmpretrain, or the head is no
            ``LinearClsHead``, classifies by cosines, scales its scores, or
            divides its weights itself.
        ValueError: If the checkpoint is unsafe or not of this model, there
            is no validation set, a tau is negative or there is none, or
            ``out`` is the checkpoint itself.
    """
    if not taus or not all(0 <= tau < float('inf') for tau in taus):
        raise ValueError(
            f'taus must be one or more numbers from 0 on, but got {taus}'
        )
    check_apart(out, checkpoint)
    cfg = read_config(config, 'mmpretrain', ('model',))
    content = load_checkpoint(checkpoint, trust)
    states = content.get('state_dict', content)
    model = load_classifier(cfg, checkpoint, content=content, linear=True)
    if isinstance(model.head.fc, NormProduct):
        raise TypeError(
            f'{type(model.head).__name__} classifies by cosines, for which '
            'the length of the weights has no part in the scores; tau is for '
            'a head with a plain linear layer'
        )
    at_test = getattr(model.head, 'test_tau', None)
    if at_test is not None:
        raise TypeError(
            f'{type(model.head).__name__} divides its weights at test '
            f'already, with test_tau={at_test}; set model.head.test_tau=None '
            'in the config to find a tau, and to use what is written'
        )
    if isinstance(model.head, ScaledClsHead):
        raise TypeError(
            'mmpaco.ScaledClsHead scales its scores, so the length of the '
            'weights is not all that their size depends on; tau is for a head '
            'with a plain linear layer, such as that of the first stage'
        )
    features, labels = features_and_labels(model, cfg, 'val')
    fc = model.head.fc
    weight = fc.weight.detach()
    with torch.no_grad():
        trained = balanced_accuracy(fc(features), labels)
        accuracy = {
            float(tau): balanced_accuracy(
                features @ normalize(weight, tau).t(), labels
            )
            for tau in taus
        }
    best = max(sorted(accuracy), key=lambda tau: accuracy[tau])
    states = dict(states)
    states['head.fc.weight'] = normalize(weight, best).cpu()
    if fc.bias is not None:
        states['head.fc.bias'] = torch.zeros_like(fc.bias.detach()).cpu()
    meta = {**content.get('meta', {}), 'tau': best}
    with whole_file(out) as part:
        torch.save(dict(meta=meta, state_dict=states), part)
    return TauSearch(
        tau=best,
        accuracy=accuracy,
        trained=trained,
        num_images=len(labels),
        num_classes=len(weight),
        num_evaluated=len(np.unique(labels)),
    )


def tau_table(search: TauSearch) -> 'Group':
    """Make a table of the accuracies for a terminal.

    Args:
        search (TauSearch): From :func:`search_tau`.

    Returns:
        What rich prints.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column('tau', no_wrap=True)
    table.add_column('%', justify='right')
    table.add_row('as trained', f'{search.trained:.2f}')
    for tau, accuracy in search.accuracy.items():
        chosen = ' (chosen)' if tau == search.tau else ''
        table.add_row(f'{tau:g}{chosen}', f'{accuracy:.2f}')
    return Group(
        f'Balanced accuracy on {search.num_images} validation images of '
        f'{search.num_evaluated} of {search.num_classes} classes',
        table,
    )
