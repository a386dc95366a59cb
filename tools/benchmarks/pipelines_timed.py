"""Both pipelines, from images to a batch, whole or with a clock in steps."""

from pathlib import Path
from time import process_time
from typing import Any, Callable, Optional

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.dataset import default_collate
from mmpretrain.registry import MODELS
from PIL import Image
from pipelines_release import Pair, release_view, stack_views

from mmpaco.runner.config_files import read_config

CONFIGS = Path(__file__).parents[2] / 'configs/_base_'
PARTS = {
    'LoadImageFromFile': 'decode',
    'NumpyToPIL': 'conversions',
    'PILToNumpy': 'conversions',
    'PILToPlanes': 'conversions',
    'MultiView': 'copies, rest',
    'RandomCrop': 'crop',
    'RandomResizedCrop': 'crop',
    'RandomFlip': 'flip',
    'RandomHorizontalFlip': 'flip',
    'ColorJitter': 'jitter',
    'RandomApply': 'jitter',
    'RandomGrayscale': 'grayscale',
    'GaussianBlur': 'blur',
    'PackInputs': 'packing',
}
Step = Callable[[Any], Any]
Seconds = dict[str, float]


class Timed:
    """A step that adds its seconds to those of its part.

    What steps inside of it take is theirs alone.
    """

    running: list[float] = []

    def __init__(self, part: str, step: Step, spent: Seconds) -> None:
        self.part, self.step, self.spent = part, step, spent

    def __call__(self, given: Any) -> Any:
        self.running.append(0.0)
        start = process_time()
        out = self.step(given)
        took = process_time() - start
        self.spent[self.part] += took - self.running.pop()
        if self.running:
            self.running[-1] += took
        return out


class Ours:
    """The pipeline of the configs, with the preprocessor of its data set."""

    def __init__(self, name: str, pair: Pair, spent: Optional[Seconds]):
        path = CONFIGS / f'pipelines/two_views/{name}.py'
        cfg = read_config(path, 'mmpretrain', ['train_pipeline'])
        data = 'imagenet-lt' if pair.size == 224 else 'cifar100-lt'
        options = read_config(CONFIGS / f'datasets/{data}.py', 'mmpretrain')
        self.pipeline: Any = Compose(cfg.train_pipeline)
        self.batch: Any = MODELS.build(
            dict(
                options.data_preprocessor,
                type='mmpaco.MultiViewDataPreprocessor',
            )
        )
        self.collate = default_collate
        if spent is not None:
            self._time(spent)

    def _time(self, spent: Seconds) -> None:
        inside = [
            view
            for step in self.pipeline.transforms
            for view in getattr(step, 'pipelines', [])
        ]
        for steps in (self.pipeline, *inside):
            steps.transforms = [
                Timed(part_of(step), step, spent) for step in steps.transforms
            ]
        self.collate = Timed('preprocessor', self.collate, spent)
        self.batch = Timed('preprocessor', self.batch, spent)

    def load(self, images: list) -> list:
        """What a worker of the data loader does."""
        key = 'img' if isinstance(images[0], np.ndarray) else 'img_path'
        return [self.pipeline({key: image, 'gt_label': 0}) for image in images]

    def join(self, samples: list) -> torch.Tensor:
        """What is left, which the device of the model normalises."""
        with torch.no_grad():
            return self.batch(self.collate(samples))['inputs']


class Release:
    """The same views, as the papers' release has them."""

    def __init__(self, _: str, pair: Pair, spent: Optional[Seconds]):
        self.views = [release_view(pair.size, *view) for view in pair.views]
        source: tuple[str, Step] = (
            ('decode', self._decode)
            if pair.size == 224
            else ('conversions', Image.fromarray)
        )
        self.stack: Step = stack_views
        if spent is not None:
            self.views = [
                [(part, Timed(part, step, spent)) for part, step in view]
                for view in self.views
            ]
            source = ('', Timed(*source, spent))
            self.stack = Timed('preprocessor', self.stack, spent)
        self.source = source[1]

    @staticmethod
    def _decode(path: str) -> Image.Image:
        with open(path, 'rb') as file:
            return Image.open(file).convert('RGB')

    def load(self, images: list) -> list:
        """What a worker of the data loader does, which normalises, too."""
        samples = []
        for image in images:
            loaded = self.source(image)
            views = []
            for steps in self.views:
                view = loaded
                for _, step in steps:
                    view = step(view)
                views.append(view)
            samples.append(views)
        return samples

    def join(self, samples: list) -> torch.Tensor:
        """What is left."""
        return self.stack(samples)


def part_of(step: Any) -> str:
    name = type(getattr(step, 't', step)).__name__
    return PARTS.get(name, name)
