"""Compare the papers' methods on 100 long-tailed classes of Tiny-ImageNet.

Settings are chosen on the validation list; the test list is only reported.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from evidence_grid import Experiment, Grid
from evidence_record import last_validation
from evidence_report import (
    GROUPS,
    Claim,
    adjusted_accuracy,
    adjusted_table,
    by_label,
    claims_table,
    fill,
    methods_table,
    overview,
    steepness,
    steepness_table,
    trials_table,
)

from mmpaco.analysis.class_values_picture import plot_class_values
from mmpaco.analysis.gradient_norm import plot_gradient_norms
from mmpaco.comparison.overview_picture import plot_overview
from mmpaco.files import write_text
from mmpaco.runner.loaded_runner import training_counts
from mmpaco.runner.tool_arguments import whole_number
from mmpaco.runner.tool_ending import run_tool

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs'
RECORDS = Path(__file__).resolve().parent / 'records'
SETUP = 'resnet14-w16_tiny-imagenet100-lt'
RATES = [{'LR': '0.1'}, {'LR': '0.05'}]
TEMPERATURES = [{'TEMPERATURE': '0.07'}, {'TEMPERATURE': '0.2'}]
# As on CIFAR-100-LT and on ImageNet-LT.
STRENGTHS = [
    {'ALPHA': '0.01', 'TEMPERATURE': '0.07'},
    {'ALPHA': '0.05', 'TEMPERATURE': '0.2'},
]
ALPHAS = ('0.01', '0.05', '0.2')
NORMALISED = 'τ-normalised'
ONE_VIEW = 'GPaCo, one view'
NORM = 'batch norm in the projector'
MULTI_TASK = 'Multi-task'
TRIALS = [
    Experiment(label, f'{config}{SETUP}', setting, **options)
    for label, config, settings, options in (
        ('GPaCo', 'gpaco/', STRENGTHS, {}),
        ('Balanced Softmax', 'baselines/balanced-softmax_', RATES, {}),
        ('PaCo', 'paco/', STRENGTHS, {}),
        (
            'Cross-entropy',
            'baselines/cross-entropy_',
            RATES,
            {'normalised': NORMALISED},
        ),
        (
            MULTI_TASK,
            'baselines/multi-task-balanced-softmax_',
            TEMPERATURES,
            {},
        ),
        (
            'SupCon',
            'baselines/supcon-stage2_',
            TEMPERATURES,
            {
                'after': (
                    'SupCon, stage 1',
                    f'baselines/supcon-stage1_{SETUP}',
                )
            },
        ),
    )
    for setting in settings
]
FIRST_STAGES = {
    'decoupling-stage1': 'Decoupling, stage 1',
    'mislas-stage1': 'MiSLAS, stage 1',
}
# As released, untuned here.
COMPARED = [
    Experiment(
        label,
        f'compared/{name}_{SETUP}',
        after=first and (FIRST_STAGES[first], f'compared/{first}_{SETUP}'),
    )
    for label, name, first in (
        ('Focal', 'focal', None),
        ('CB-Focal', 'cb-focal', None),
        ('LDAM-DRW', 'ldam-drw', None),
        ('cRT', 'crt', 'decoupling-stage1'),
        ('LWS', 'lws', 'decoupling-stage1'),
        ('MiSLAS', 'mislas-stage2', 'mislas-stage1'),
        ('De-confound-TDE', 'tde', None),
        ('ResLT', 'reslt', None),
        ('RIDE', 'ride', None),
        ('BBN', 'bbn', None),
    )
]
# With more than one seed.
NUM_REPEATED = 3
BESIDE = ('Cross-entropy', 'Balanced Softmax', 'GPaCo')
ORDER = (
    'Cross-entropy',
    'SupCon',
    NORMALISED,
    'Balanced Softmax',
    MULTI_TASK,
    'PaCo',
    'GPaCo',
)
# On the front page: one of each kind, with three seeds.
FRONT = (
    'Cross-entropy',
    'Balanced Softmax',
    'PaCo',
    'GPaCo',
    'MiSLAS',
    'RIDE',
)
CLAIMS = [
    Claim(f'GPaCo is better than {other}', 'GPaCo', other)
    for other in ('PaCo', MULTI_TASK, 'Balanced Softmax', 'Cross-entropy')
]
CLAIMS += [
    Claim('two views are better than one', 'GPaCo', ONE_VIEW),
    Claim('a queue of 1024 is better than none', 'GPaCo', 'GPaCo, no queue'),
    Claim(
        'a queue of 4096 is better than one of 1024',
        'GPaCo, queue 4096',
        'GPaCo',
    ),
    Claim(
        'at imbalance 10, GPaCo is better than Balanced Softmax',
        'GPaCo, imbalance 10',
        'Balanced Softmax, imbalance 10',
    ),
]
GRADIENTS = [Claim('steeper for SupCon than for PaCo', 'SupCon', 'PaCo')]


def finals(chosen: dict[str, Experiment], seeds: int) -> list[Experiment]:
    """The main comparison: the chosen settings with every seed."""
    return [
        replace(job, seed=seed)
        for seed in range(seeds)
        for job in chosen.values()
    ]


def repeated(grid: Grid, seeds: int) -> list[Experiment]:
    """The best of the compared systems on the validation list, more seeds."""
    known = [job for job in COMPARED if grid.record(job) is not None]
    known.sort(key=lambda job: -last_validation(grid.record(job) or {}))
    return [
        replace(job, seed=seed)
        for seed in range(1, seeds)
        for job in known[:NUM_REPEATED]
    ]


def ablations(chosen: dict[str, Experiment]) -> list[Experiment]:
    """What differs from the chosen setting, one seed each."""
    gpaco = chosen['GPaCo']

    def changed(job: Experiment, what: str, **setting: str) -> Experiment:
        label = f'{job.label}, {what}'
        return replace(
            job,
            label=label,
            setting={**job.setting, **setting},
            normalised=None,
        )

    return [
        replace(gpaco, label=ONE_VIEW, config=f'gpaco/{SETUP}_one-view'),
        replace(
            gpaco,
            label=f'GPaCo, {NORM}',
            config=f'gpaco/{SETUP}_projector-norm',
        ),
        replace(
            chosen['SupCon'],
            label=f'SupCon, {NORM}',
            config=f'baselines/supcon-stage2_{SETUP}_projector-norm',
            after=(
                f'SupCon, {NORM}, stage 1',
                f'baselines/supcon-stage1_{SETUP}_projector-norm',
            ),
        ),
        changed(gpaco, 'no queue', QUEUE='0'),
        changed(gpaco, 'queue 4096', QUEUE='4096'),
        *(
            changed(gpaco, f'alpha {alpha}', ALPHA=alpha)
            for alpha in ALPHAS
            if alpha != gpaco.setting['ALPHA']
        ),
        *(
            changed(chosen[label], 'imbalance 10', IMBALANCE='10')
            for label in ('Cross-entropy', 'Balanced Softmax', 'GPaCo')
        ),
    ]


def class_counts() -> list[int]:
    """Training images of each class, kept beside the records."""
    path = RECORDS / 'class_counts.json'
    if not path.exists():
        config = ROOT / 'configs' / f'{TRIALS[0].config}.py'
        counts = [int(x) for x in training_counts(config)]
        write_text(path, json.dumps(counts) + '\n')
    found: list[int] = json.loads(path.read_text(encoding='utf-8'))
    return found


def write(
    grid: Grid, chosen: dict[str, Experiment], jobs: list[Experiment]
) -> None:
    """Write the tables and pictures of docs/evidence.md."""
    records = by_label(
        grid.known(jobs + [grid.normalised(j) for j in jobs if j.normalised])
    )
    counts = class_counts()
    methods = {label: records.get(label, []) for label in ORDER}
    first_seed = methods['GPaCo'][:1]
    others = {j.label: records.get(j.label, []) for j in ablations(chosen)}
    compared = {
        label: records.get(label, [])
        for label in (*BESIDE, *(job.label for job in COMPARED))
    }
    fill(
        DOCS / 'evidence.md',
        {
            'trials': trials_table(grid.known(TRIALS), chosen),
            'methods': methods_table(methods),
            'claims': claims_table(CLAIMS, records),
            'adjusted': '\n\n'.join(
                [
                    adjusted_table({**methods, **others}),
                    claims_table(
                        CLAIMS,
                        records,
                        'adjusted test accuracy, points',
                        adjusted_accuracy,
                    ),
                ]
            ),
            'compared': methods_table(compared),
            'compared adjusted': adjusted_table(compared),
            'ablations': methods_table({'GPaCo': first_seed, **others}),
            'gradients': '\n\n'.join(
                [
                    steepness_table(methods, counts),
                    claims_table(
                        GRADIENTS,
                        records,
                        'difference of these ratios',
                        lambda record: steepness(record, counts),
                    ),
                ]
            ),
        },
    )
    ran = {label: group for label, group in methods.items() if group}
    for groups, name in ((methods, 'classes'), (compared, 'compared')):
        plot_class_values(
            {
                label: [(counts, x['test']['classes']) for x in group]
                for label, group in groups.items()
                if group
            },
            DOCS / 'images' / f'evidence_{name}.png',
            (20, 100),
        )
    everything = {**methods, **compared}
    shown = {label: everything[label] for label in FRONT}
    for name, group in (('overview', everything), ('front', shown)):
        plot_overview(
            overview(group, ORDER[0]),
            {x: x for x in (*GROUPS[1:], GROUPS[0])},
            DOCS / 'images' / f'evidence_{name}.png',
        )
    plot_gradient_norms(
        {
            label: group[0]['gradient_norm']
            for label, group in ran.items()
            if 'gradient_norm' in group[0]
        },
        counts,
        DOCS / 'images' / 'evidence_gradients.png',
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='Called again, it repeats nothing that is finished.',
    )
    parser.add_argument('--seeds', type=whole_number, default=3)
    parser.add_argument(
        '--jobs',
        type=whole_number,
        default=2,
        help='trainings at a time, on one core each (default: %(default)s)',
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        default='work_dirs/evidence',
        help='checkpoints and logs go here (default: %(default)s)',
    )
    parser.add_argument(
        '--report',
        action='store_true',
        help='train nothing, only write tables and pictures of what there is',
    )
    args = parser.parse_args()
    grid = Grid(
        ROOT / 'configs',
        ROOT / 'tools',
        args.work_dir,
        RECORDS,
        args.jobs,
    )
    if not args.report:
        grid.train(TRIALS)
    chosen = grid.choose(TRIALS)
    jobs = finals(chosen, args.seeds) + ablations(chosen) + COMPARED
    if not args.report:
        grid.train(jobs)
        grid.train(repeated(grid, args.seeds))
    jobs += repeated(grid, args.seeds)
    write(grid, chosen, jobs)


if __name__ == '__main__':
    run_tool(main, 'call it again: finished runs are not repeated')
