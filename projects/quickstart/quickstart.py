"""Compare GPaCo with two baselines on a small long-tailed MNIST, on a CPU.

Each seed draws another long tail.
"""

import warnings
from pathlib import Path

from mmengine.registry import init_default_scope

from mmpaco.comparison.pictures import plot_classes, plot_curves
from mmpaco.comparison.results import summarise
from mmpaco.comparison.scheduling import plan_runs, run_all
from mmpaco.comparison.tool import comparison_parser, publish_results
from mmpaco.converters.mnist5k import write_mnist5k
from mmpaco.registry import METRICS
from mmpaco.runner.tool_ending import run_tool

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'
CONFIGS = ROOT / 'configs'
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


def main() -> None:
    parser = comparison_parser(__doc__, 'work_dirs/quickstart')
    args = parser.parse_args()
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
    counts = {seed: metric.class_counts for seed, metric in shot.items()}
    recall = 'single-label/recall_classwise'
    classes = args.work_dir / 'classes.png'
    plot_classes(runs, counts, recall, classes, (few, many))
    plot_curves(runs, 'shot/all', args.work_dir / 'curves.png')
    publish_results(results, COLUMNS, title, args.work_dir)


if __name__ == '__main__':
    run_tool(main)
