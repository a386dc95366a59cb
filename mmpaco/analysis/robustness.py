"""How a trained classifier does on corrupted and on unusual images."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.fileio import dump

from mmpaco.cls.corruptions import CORRUPTIONS, SEVERITIES
from mmpaco.files import PathLike, whole_file
from mmpaco.methods.training_data import leaf_datasets, type_name
from mmpaco.registry import DATASETS
from mmpaco.runner.config_files import ConfigLike, read_config
from mmpaco.runner.loaded_runner import TRAINING_ONLY, loaded_runner

__all__ = ['FOLDERS', 'Robustness', 'robustness', 'robustness_if_corrupted']

# Where the configs look for the images, too.
FOLDERS = {
    'imagenet-c': 'data/imagenet-c',
    'imagenet-r': 'data/imagenet-r',
    'imagenet-sketch': 'data/imagenet-sketch',
}
_IMAGENET = 1000


@dataclass(frozen=True)
class Robustness:
    """What was measured, in percent.

    Args:
        clean (float, optional): Top-1 accuracy on the config's test set.
        corruption (dict[str, float]): Metrics of ``mmpaco.CorruptionError``
            without their prefix; empty if none was measured.
        renditions (float, optional): Top-1 accuracy on ImageNet-R.
        sketch (float, optional): Top-1 accuracy on ImageNet-Sketch.
    """

    clean: Optional[float] = None
    corruption: dict[str, float] = field(default_factory=dict)
    renditions: Optional[float] = None
    sketch: Optional[float] = None

    @property
    def means(self) -> dict[str, float]:
        """The error under each corruption."""
        return {
            name: self.corruption[f'error/{name}']
            for name in CORRUPTIONS
            if f'error/{name}' in self.corruption
        }

    def levels(self, corruption: str) -> dict[int, float]:
        """Give the errors under a corruption, by severity.

        Args:
            corruption (str): Its name.

        Returns:
            dict[int, float]: The errors.
        """
        keys = {level: f'error/{corruption}/{level}' for level in SEVERITIES}
        return {
            level: self.corruption[key]
            for level, key in keys.items()
            if key in self.corruption
        }

    def write(self, path: PathLike) -> None:
        """Write a JSON file.

        Args:
            path: Its path.
        """
        with whole_file(path) as part:
            dump(asdict(self), part, file_format='json', indent=2)


def robustness(
    config: ConfigLike,
    checkpoint: PathLike,
    folders: Optional[Mapping[str, PathLike]] = None,
    corruptions: Optional[Sequence[str]] = None,
    severities: Sequence[int] = SEVERITIES,
    trust: bool = False,
) -> Robustness:
    """Test a classifier of ImageNet on ImageNet-C, -R and -Sketch.

    Of these sets and the config's own test set, whichever is there is tested,
    by the test pipeline of the config.

    Args:
        config: The config of the classifier, or its path.
        checkpoint: Its weights.
        folders (Mapping[str, PathLike], optional): Folders of the three
            sets. Defaults to ``FOLDERS``.
        corruptions (Sequence[str], optional): As in ``mmpaco.ImageNetC``.
        severities (Sequence[int]): As in ``mmpaco.ImageNetC``.
        trust (bool): Whether to read a checkpoint that could run code.
            Defaults to False.

    Returns:
        Robustness: What was measured.

    Raises:
        TypeError: If the config is not one of mmpretrain.
        FileNotFoundError: If none of the three sets is there.
        ValueError: If the classifier has not 1000 classes, or a set is not as
            published.
        RuntimeError: If there are several processes.
    """
    cfg = _read(config)
    chosen = dict(corruptions=corruptions, severities=severities)
    wanted = {**FOLDERS, **(folders or {})}
    roots = {k: str(v) for k, v in wanted.items() if Path(v).is_dir()}
    if not roots:
        raise FileNotFoundError(
            'none of the folders '
            f'{", ".join(str(x) for x in wanted.values())} is there; unpack '
            'ImageNet-C, ImageNet-R or ImageNet-Sketch, or corrupt the '
            "config's own test images instead (docs/robustness.md)"
        )
    pipeline = _pipeline(cfg)
    top1 = dict(type='mmpaco.SubsetAccuracy', num_classes=_IMAGENET)
    own = cfg.test_dataloader.dataset
    clean = renditions = sketch = None
    found: dict[str, float] = {}

    def test(dataset: Any, metric: dict[str, Any]) -> dict[str, float]:
        return _test(cfg, checkpoint, dataset, metric, trust)

    def images(kind: str, name: str, **options: Any) -> dict[str, Any]:
        return dict(
            type=f'mmpaco.{kind}',
            data_root=roots[name],
            pipeline=pipeline,
            **options,
        )

    if Path(own.get('data_root') or '.').is_dir():
        clean = test(own, top1)['accuracy/top1']
    if 'imagenet-r' in roots:
        renditions = test(
            images('ImageNetR', 'imagenet-r'),
            dict(top1, classes='imagenet-r'),
        )['accuracy/top1']
    if 'imagenet-sketch' in roots:
        sketch = test(images('ImageNetSketch', 'imagenet-sketch'), top1)[
            'accuracy/top1'
        ]
    # Last, since it takes hours: a fault in the others is told before.
    if 'imagenet-c' in roots:
        found = test(
            images('ImageNetC', 'imagenet-c', **chosen),
            _corruption_error(clean, num_classes=_IMAGENET),
        )
    return Robustness(clean, _unprefixed(found), renditions, sketch)


def robustness_if_corrupted(
    config: ConfigLike,
    checkpoint: PathLike,
    corruptions: Optional[Sequence[str]] = None,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    trust: bool = False,
) -> Robustness:
    """Test a classifier on its own test images, clean and corrupted.

    There is no reference whose errors on these images are known, and so no
    mCE.

    Args:
        config: The config of the classifier, or its path.
        checkpoint: Its weights.
        corruptions (Sequence[str], optional): As in
            ``mmpaco.CorruptedDataset``.
        severities (Sequence[int]): As in ``mmpaco.CorruptedDataset``.
        seed (int): Of what is random. Defaults to 0.
        trust (bool): Whether to read a checkpoint that could run code.
            Defaults to False.

    Returns:
        Robustness: What was measured.

    Raises:
        TypeError: If the config is not one of mmpretrain, or its test
            pipeline does not pack one image of uint8.
        ImportError: If imagecorruptions-imaug is not installed.
        ValueError: If a choice is unknown, or the images are smaller than
            32 x 32 pixels.
        RuntimeError: If there are several processes.
    """
    cfg = _read(config)
    own = cfg.test_dataloader.dataset
    # Before the clean images are tested, whatever is wrong with it.
    corrupted = dict(
        type='mmpaco.CorruptedDataset',
        dataset=own,
        corruptions=corruptions,
        severities=severities,
        seed=seed,
        channel_order=_channel_order(cfg),
    )
    DATASETS.build(corrupted)[0]
    accuracy = _test(
        cfg, checkpoint, own, dict(type='mmpaco.SubsetAccuracy'), trust
    )['accuracy/top1']
    found = _test(
        *(cfg, checkpoint, corrupted),
        _corruption_error(accuracy, reference=None),
        trust,
    )
    return Robustness(accuracy, _unprefixed(found))


def _read(config: ConfigLike) -> Config:
    if get_world_size() > 1:
        raise RuntimeError(
            'robustness is measured in one process, but this is one of '
            f'{get_world_size()}; start it without a launcher, or test '
            'configs/robustness/ with tools/dist_test.sh'
        )
    return read_config(
        config, 'mmpretrain', ('model', 'test_dataloader.dataset')
    )


def _pipeline(cfg: Config) -> Any:
    pipeline = cfg.test_dataloader.dataset.get('pipeline')
    if pipeline is None:
        raise ValueError(
            f'{cfg.filename or "the config"} has no '
            'test_dataloader.dataset.pipeline, by which other images are '
            'tested; give a config whose test set is no wrapper'
        )
    return pipeline


def _channel_order(cfg: Config) -> str:
    # What a wrapper joins is loaded in one way.
    leaf = next(iter(leaf_datasets(cfg.test_dataloader.dataset)))
    steps = leaf.get('pipeline') or []
    names = [type_name(step) for step in steps]
    if 'LoadImageFromFile' in names:
        # It loads BGR, whatever the network is given in the end.
        turns = sum(
            bool(step.get(key, False))
            for name, key in (
                ('NumpyToPIL', 'to_rgb'),
                ('RandomResizedCropToPIL', 'to_rgb'),
                ('PILToNumpy', 'to_bgr'),
                ('PILToPlanes', 'to_bgr'),
            )
            for step, other in zip(steps, names)
            if other == name
        )
        return 'rgb' if turns % 2 else 'bgr'
    # Of images that a data set holds, it is told by what the network is given.
    # mmengine takes the model's own preprocessor whole, or the shared one.
    used = cfg.model.get('data_preprocessor', cfg.get('data_preprocessor'))
    return 'bgr' if (used or {}).get('to_rgb', False) else 'rgb'


def _corruption_error(
    accuracy: Optional[float], **options: Any
) -> dict[str, Any]:
    error = None if accuracy is None else 1 - accuracy / 100
    return dict(type='mmpaco.CorruptionError', clean_error=error, **options)


def _test(
    cfg: Config,
    checkpoint: PathLike,
    dataset: Any,
    metric: dict[str, Any],
    trust: bool,
) -> dict[str, float]:
    loader = copy.deepcopy(cfg.test_dataloader)
    loader.dataset = dataset
    with loaded_runner(
        cfg,
        checkpoint,
        trust,
        TRAINING_ONLY,
        test_dataloader=loader,
        test_evaluator=metric,
        test_cfg=cfg.get('test_cfg') or {},
    ) as runner:
        found: dict[str, float] = runner.test()
    return found


def _unprefixed(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name.partition('/')[2]: x for name, x in metrics.items()}
