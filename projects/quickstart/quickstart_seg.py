"""Compare a model with its GPaCo twin on CamVid street images, on a CPU."""

from pathlib import Path

from mmpaco.comparison.pictures import plot_classes
from mmpaco.comparison.results import summarise
from mmpaco.comparison.scheduling import plan_runs, run_all
from mmpaco.comparison.tool import comparison_parser, publish_results
from mmpaco.converters.camvid import convert_camvid
from mmpaco.runner.tool_ending import run_tool
from mmpaco.seg.datasets import CamVidDataset

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'
CONFIGS = ROOT / 'configs'
METHODS = {
    'Baseline': CONFIGS / 'baselines/deeplabv3plus_r18_camvid.py',
    'GPaCo': CONFIGS / 'gpaco/deeplabv3plus_r18_camvid.py',
}
COLUMNS = {'mIoU': 'mIoU', 'rarest 4': 'rare_mIoU', 'accuracy': 'aAcc'}
TITLE = (
    'DeepLabV3+ R18 on the validation part of CamVid, in %: mean IoU of all '
    '11 classes and of the 4 with the fewest training pixels, and accuracy '
    'of the pixels.'
)


def main() -> None:
    parser = comparison_parser(__doc__, 'work_dirs/quickstart-seg')
    parser.add_argument(
        'data',
        help="CamVid in SegNet's split: a folder with "
        'images/{train,val}/*.jpg and annotations/{train,val}/*.png',
    )
    args = parser.parse_args()
    runs = plan_runs(METHODS, range(args.seeds), args.work_dir)
    convert_camvid(args.data, runs[0].cfg.test_dataloader.dataset.data_root)
    run_all(runs, TOOLS, args.jobs)

    settings = {'seeds': args.seeds, 'jobs': args.jobs}
    results = summarise(runs, 'Baseline', settings)
    plot_classes(
        runs,
        {run.seed: run.cfg.test_evaluator.class_counts for run in runs},
        'IoU_classwise',
        args.work_dir / 'classes.png',
        names=CamVidDataset.METAINFO['classes'],
        labels=('training pixels of the class', 'IoU'),
    )
    publish_results(results, COLUMNS, TITLE, args.work_dir)


if __name__ == '__main__':
    run_tool(main)
