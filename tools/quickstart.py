"""Compare GPaCo with two baselines on a small long-tailed MNIST, on a CPU."""

import argparse
import warnings
from pathlib import Path

from mmengine.registry import init_default_scope
from rich.console import Console

from mmpaco.cls.datasets.idx import write_mnist5k
from mmpaco.engine.comparison import plan_runs, run_all
from mmpaco.engine.comparison_pictures import plot_classes, plot_curves
from mmpaco.engine.comparison_report import summarise, table, write_report
from mmpaco.registry import METRICS

TOOLS = Path(__file__).resolve().parent
CONFIGS = TOOLS.parent / 'configs'
METHODS = {
    'Cross-entropy': CONFIGS / 'baselines/cross-entropy_lenet5_mnist5k-lt.py',
    'Balanced Softmax': CONFIGS
    / 'baselines/balanced-softmax_lenet5_mnist5k-lt.py',
    'GPaCo': CONFIGS / 'gpaco/lenet5_mnist5k-lt.py',
}
COLUMNS = {
    'many': 'shot/many',
    'medium': 'shot/medium',
    'few': 'shot/few',
    'all': 'shot/all',
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='Called again, it repeats nothing that is finished.',
    )
    parser.add_argument(
        '--seeds',
        type=int,
        default=1,
        help='trainings of each method; each draws another long tail '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=2,
        help='trainings at a time, on one core each (default: %(default)s)',
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        default='work_dirs/quickstart',
        help='where all results go (default: %(default)s)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    runs = plan_runs(METHODS, range(args.seeds), args.work_dir)
    write_mnist5k(runs[0].cfg.test_dataloader.dataset.data_root)
    run_all(runs, TOOLS, args.jobs)

    # Raised by the stock MNIST class, which never writes to its images.
    warnings.filterwarnings('ignore', 'The given NumPy array is not writable')
    init_default_scope('mmpretrain')
    shot = {r.seed: METRICS.build(r.cfg.test_evaluator[0]) for r in runs}
    few, many = shot[0].few_shot, shot[0].many_shot
    title = (
        'Test accuracy in %, mean over the classes with more than '
        f'{many} (many), {few} to {many} (medium), fewer than {few} (few) '
        'training images.'
    )
    settings = {'seeds': args.seeds, 'jobs': args.jobs, 'groups': [few, many]}
    results = summarise(runs, 'Cross-entropy', settings)
    write_report(results, COLUMNS, title, args.work_dir)
    counts = {seed: metric.class_counts for seed, metric in shot.items()}
    recall = 'single-label/recall_classwise'
    classes = args.work_dir / 'classes.png'
    plot_classes(runs, counts, recall, (few, many), classes)
    plot_curves(runs, 'shot/all', args.work_dir / 'curves.png')
    Console().print(table(results, COLUMNS, title))
    for path in sorted(args.work_dir.glob('*.*')):
        print(path)


if __name__ == '__main__':
    main()
