"""Runs of configs that are written already."""

from pathlib import Path

from mmpaco.comparison.runs import Run


def plan_runs(configs, seeds, work_dir, env=None):
    """Give a run for each label and seed, all labels of one seed together."""
    return [
        Run(
            label,
            Path(config),
            seed,
            Path(work_dir).resolve() / label.lower() / f'seed{seed}',
            {**(env or {}), 'SEED': str(seed)},
        )
        for seed in seeds
        for label, config in configs.items()
    ]
