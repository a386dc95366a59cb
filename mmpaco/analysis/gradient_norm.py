"""How strongly each class pulls at its row of the classifier."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from torch import Tensor, nn

from mmpaco.files import PathLike
from mmpaco.losses import as_class_counts
from mmpaco.runner.config_files import ConfigLike, read_config
from mmpaco.runner.loaded_runner import loaded_runner

from .pictures import (
    COLOURS,
    MOST_POINTS,
    legend,
    new_figure,
    save,
    smooth,
)


def _classifier(model: nn.Module) -> nn.Linear:
    classifier = getattr(getattr(model, 'head', None), 'fc', None)
    if not isinstance(classifier, nn.Linear):
        raise ValueError(
            'gradient norms need a head with a linear classifier `fc`, such '
            'as LinearClsHead or mmpaco.GPaCoHead, but got '
            f'{type(getattr(model, "head", model)).__name__}'
        )
    return classifier


def gradient_norms(
    config: ConfigLike,
    checkpoint: PathLike,
    max_iters: Optional[int] = None,
    trust: bool = False,
) -> np.ndarray:
    """Average the norm of the gradient at each class's classifier row.

    One epoch of the config's own training (its images, augmentations, batch
    size, loss, class prior and queue) at a learning rate of zero, with the
    class weights with which it ended. At each
    iteration the loss has a gradient with regard to the weight of the last
    layer, of shape (C, D); the L2 norms of its rows are averaged over the
    iterations.

    Parametric Contrastive Learning, Cui et al., ICCV 2021, figure 2 (and
    TPAMI 2023, figure 2), who sort the classes by their training images.

    Args:
        config (str | PathLike | Config): The config that trained the
            checkpoint.
        checkpoint (str | PathLike): A local file.
        max_iters (int, optional): Iterations after which to stop. Defaults
            to None, that is one epoch.
        trust (bool): Whether to read a checkpoint that could run code.
            Defaults to False.

    Returns:
        np.ndarray: Mean norms of shape (C, ), float64, by class index.

    Raises:
        TypeError: If the config is not one of mmpretrain.
        ValueError: If the head has no linear classifier ``fc``, its loss has
            no gradient there, or the checkpoint is not that of the config.
    """
    if max_iters is not None and max_iters < 1:
        raise ValueError(f'max_iters must be positive, but got {max_iters}')
    cfg = read_config(config, 'mmpretrain', ('train_dataloader',))
    settings: dict[str, Any] = dict(
        # Plainly: no accumulation, no clipping and no scale of a loss.
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        param_scheduler=None,
        train_cfg=(
            dict(by_epoch=True, max_epochs=1)
            if max_iters is None
            else dict(by_epoch=False, max_iters=max_iters)
        ),
        val_cfg=None,
        val_dataloader=None,
        val_evaluator=None,
        test_cfg=None,
        test_dataloader=None,
        test_evaluator=None,
        auto_scale_lr=None,
        train_dataloader=_finite_loader(cfg),
    )
    with loaded_runner(config, checkpoint, trust, **settings) as runner:
        weight = _classifier(runner.model).weight
        for hook in runner.hooks:
            if hasattr(hook, 'stay_at_end'):
                # The loss as it was when the training ended. One that counts
                # iterations has no epoch but the first.
                hook.stay_at_end(cfg.train_cfg.get('max_epochs', 1))
        sums = torch.zeros(len(weight), dtype=torch.float64)
        num_iters = 0

        def note(gradient: Tensor) -> None:
            nonlocal num_iters, sums
            num_iters += 1
            sums = sums.to(gradient.device)
            sums += gradient.double().norm(dim=1)

        if weight.requires_grad:
            weight.register_hook(note)  # type: ignore[no-untyped-call]
            runner.train()
        if not num_iters or not bool(sums.any()):
            raise ValueError(
                f'the loss of {type(runner.model.head).__name__} has no '
                'gradient at its classifier, as in the first stage of SupCon; '
                'give the config and the checkpoint of the second stage, '
                'which trains the classifier'
            )
    return (sums / num_iters).cpu().numpy()


def _finite_loader(cfg: Config) -> ConfigDict:
    loader = cfg.train_dataloader
    if loader.get('sampler', {}).get('type') == 'InfiniteSampler':
        loader.sampler = dict(type='DefaultSampler', shuffle=True)
    return loader


def plot_gradient_norms(
    norms: Mapping[str, Sequence[float]],
    counts: Sequence[int],
    path: PathLike,
) -> None:
    """Draw gradient norms from the most frequent class to the rarest.

    Of more than 50 classes, the mean with the neighbours stands out.

    Args:
        norms (Mapping[str, Sequence[float]]): Norms by class index, for each
            name of the legend.
        counts (Sequence[int]): Training images by class index.
        path (str | PathLike): PNG to write.

    Raises:
        TypeError: If counts are not real numbers.
        ValueError: If one is negative, infinite or nan, or all are zero.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    order = np.argsort(-as_class_counts(counts).numpy(), kind='stable')
    rank = np.arange(1, len(order) + 1)
    figure, ax = new_figure()
    for i, (name, values) in enumerate(norms.items()):
        style: dict[str, Any] = dict(
            color=COLOURS[i % len(COLOURS)],
            linestyle='-' if i < len(COLOURS) else '--',
        )
        ranked = np.asarray(values, dtype=float)[order]
        if len(order) > MOST_POINTS:
            ax.plot(rank, ranked, linewidth=0.5, alpha=0.3, **style)
        ax.plot(rank, smooth(ranked), linewidth=1.5, label=name, **style)
    ax.set_yscale('log')
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter('{x:g}')
    ax.yaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(1, len(order))
    ax.set_xlabel('class, from the most frequent to the rarest')
    ax.set_ylabel("mean gradient norm of the class's row")
    legend(figure, ax)
    save(figure, path)
