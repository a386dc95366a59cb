"""What a comparison must know of the training data before it begins."""

from collections.abc import Sequence
from typing import Any

from mmpaco.files import PathLike
from mmpaco.methods import Facts
from mmpaco.runner.training_facts import training_facts

from .config_reading import load_config

__all__ = ['known_facts']


def known_facts(path: PathLike, seeds: Sequence[int]) -> dict[int, Facts]:
    """Read the class counts of a config's training set, images or pixels.

    Args:
        path: The config.
        seeds (Sequence[int]): The seeds.

    Returns:
        dict[int, Facts]: The counts, by seed.

    Raises:
        ValueError: If they cannot be known, with the reason.
    """
    found: dict[int, Facts] = {}
    read: list[tuple[Any, Facts]] = []
    for seed in seeds:
        cfg = load_config(path, {'SEED': str(seed)})
        dataset = cfg.train_dataloader.dataset
        facts = next((x for known, x in read if known == dataset), None)
        if facts is None:
            facts = training_facts(cfg)
            read.append((dataset, facts))
        if facts.class_counts is None:
            raise ValueError(
                f'{path} cannot be trained with: {facts.why_unknown}. A '
                'comparison needs the data; see its train_dataloader'
            )
        found[seed] = facts
    return found
