"""Classifier weights divided by a power of their norm, after training.

Decoupling Representation and Classifier for Long-Tailed Recognition, Kang et
al., ICLR 2020, https://arxiv.org/abs/1910.09217 (tau-normalised classifier)
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner
from mmpretrain.models.heads import LinearClsHead
from torch import Tensor, nn

from mmpaco.engine import shot_accuracy
from mmpaco.engine.checkpoint import load_checkpoint
from mmpaco.engine.loaded_runner import (
    TRAINING_ONLY,
    ConfigLike,
    load_weights,
    read_config,
)
from mmpaco.files import PathLike, whole_file
from mmpaco.registry import MODELS

if TYPE_CHECKING:
    from rich.console import Group

TAUS = tuple(round(0.1 * i, 1) for i in range(11))


@dataclass(frozen=True)
class TauSearch:
    """What :func:`convert` found.

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


def normalize(weight: Tensor, tau: float) -> Tensor:
    r"""Divide the weights of each class by a power of their norm.

    Args:
        weight (Tensor): One row for each class, of shape (C, D).
        tau (float): The power: 0 changes nothing, 1 makes unit rows.

    Returns:
        Tensor: :math:`w_c / \|w_c\|^\tau`, of shape (C, D). A row of zeros
        stays.
    """
    norm = weight.norm(dim=1, keepdim=True)
    return weight / norm.masked_fill(norm == 0, 1) ** tau


def convert(
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
        TypeError: If the head is no ``LinearClsHead``.
        ValueError: If the checkpoint is unsafe or not of this model, there
            is no validation set, a tau is negative or there is none, or
            ``out`` is the checkpoint itself.
    """
    if not taus or not all(0 <= tau < float('inf') for tau in taus):
        raise ValueError(
            f'taus must be one or more numbers from 0 on, but got {taus}'
        )
    if Path(out).resolve() == Path(checkpoint).resolve():
        raise ValueError(
            f'{out} would overwrite the checkpoint, and what it takes to '
            'resume its training; name another file'
        )
    cfg = read_config(config)
    if cfg.get('val_dataloader') is None:
        raise ValueError(
            'tau is chosen on the validation set, but the config has no '
            'val_dataloader; add one that is not the test set'
        )
    content = load_checkpoint(checkpoint, trust)
    states = content.get('state_dict', content)
    model = _load(cfg, checkpoint, trust)
    features, labels = _features(
        model, Runner.build_dataloader(cfg.val_dataloader)
    )
    fc = model.head.fc
    weight = fc.weight.detach()
    with torch.no_grad():
        trained = _balanced_accuracy(fc(features), labels)
        accuracy = {
            float(tau): _balanced_accuracy(
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


def _load(cfg: Config, checkpoint: PathLike, trust: bool) -> nn.Module:
    model_cfg = copy.deepcopy(cfg.model)
    if cfg.get('data_preprocessor') is not None:
        # As mmengine's runner does.
        model_cfg.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(model_cfg)
    head = getattr(model, 'head', None)
    if not isinstance(head, LinearClsHead):
        raise TypeError(
            'tau-normalisation needs a LinearClsHead, whose classifier is one '
            f'linear layer, but the config has {type(head).__name__}'
        )
    load_weights(model, checkpoint, trust, TRAINING_ONLY)
    return model.to(get_device()).eval()


@torch.no_grad()
def _features(
    model: nn.Module, loader: torch.utils.data.DataLoader
) -> tuple[Tensor, np.ndarray]:
    """What the classifier sees of each validation image, and the labels."""
    features, labels = [], []
    for batch in loader:
        data = model.data_preprocessor(batch, False)
        features.append(
            model.head.pre_logits(model.extract_feat(data['inputs'])).float()
        )
        labels += [int(sample.gt_label) for sample in data['data_samples']]
    return torch.cat(features), np.asarray(labels)


def _balanced_accuracy(scores: Tensor, labels: np.ndarray) -> float:
    num_classes = scores.shape[1]
    right = labels[scores.argmax(1).cpu().numpy() == labels]
    counts = np.bincount(labels, minlength=num_classes)
    correct = np.bincount(right, minlength=num_classes)
    return shot_accuracy(correct, counts, counts, 0, 0)['all']


def report(search: TauSearch) -> 'Group':
    """Make a table of the accuracies for a terminal.

    Args:
        search (TauSearch): From :func:`convert`.

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
