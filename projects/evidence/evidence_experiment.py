"""One training of a grid, and the name of its files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass(frozen=True)
class Experiment:
    """One training of the grid.

    Args:
        label: Name of the method.
        config: Stem of its config below ``configs/``.
        setting: Environment variables that the config reads, by name.
        seed: The seed.
        env: Other environment variables, which are no setting.
        after: Label and config of the first stage, whose checkpoint it starts
            from.
        normalised: Label of the same checkpoint with a tau-normalised
            classifier, if that is wanted, too.
    """

    label: str
    config: str
    setting: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    after: Optional[tuple[str, str]] = None
    normalised: Optional[str] = None

    @property
    def name(self) -> str:
        """Name of its files, the same for the same training."""
        words = [f'{k.lower()}{v}' for k, v in sorted(self.setting.items())]
        return '_'.join([_slug(self.label), *words, f'seed{self.seed}'])

    @property
    def facts(self) -> dict[str, Any]:
        """What its record tells of the job."""
        return {
            'label': self.label,
            'setting': dict(self.setting),
            'config': self.config,
        }


def setting_text(setting: Mapping[str, Any]) -> str:
    """Tell a setting in words, such as 'alpha 0.01, temperature 0.07'."""
    return ', '.join(f'{k.lower()} {v}' for k, v in setting.items())


def _slug(label: str) -> str:
    return re.sub(r'[^a-z0-9.]+', '-', label.lower()).strip('-')
