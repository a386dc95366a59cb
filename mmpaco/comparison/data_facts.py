"""What a comparison must know of the training data before it begins."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

from mmpaco.engine.class_counts import count_classes
from mmpaco.files import PathLike, write_text
from mmpaco.methods import Facts
from mmpaco.runner.training_facts import training_facts

__all__ = ['known_facts']


def known_facts(cfg: Config, folder: PathLike) -> Facts:
    """Read the class counts of a config's training set, images or pixels.

    To count the pixels of a large set takes minutes, so they are kept.

    Args:
        cfg (Config): The config.
        folder: Where they are kept.

    Returns:
        Facts: The counts.

    Raises:
        ValueError: If they cannot be known, with the reason.
    """
    text = json.dumps(
        [cfg.get('default_scope'), cfg.train_dataloader.dataset.to_dict()],
        sort_keys=True,
        default=str,
    )
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    return _kept(Path(folder) / f'{name}.json', lambda: _counted(cfg))


def _kept(path: Path, count: Callable[[], Facts]) -> Facts:
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
        return Facts(tuple(found['class_counts']), found['num_samples'])
    facts = count()
    content = {
        'class_counts': facts.class_counts,
        'num_samples': facts.num_samples,
    }
    write_text(path, json.dumps(content) + '\n')
    return facts


def _counted(cfg: Config) -> Facts:
    facts = training_facts(cfg)
    if facts.num_samples is not None and facts.class_counts is None:
        # Those of mmseg, whose pixels are left for here.
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        counts, _ = count_classes(dataset)
        facts = Facts(tuple(map(float, counts)), facts.num_samples)
    if facts.class_counts is None:
        raise ValueError(
            f'{cfg.filename} cannot be trained with: {facts.why_unknown}. A '
            'comparison needs the data; see its train_dataloader'
        )
    return facts
