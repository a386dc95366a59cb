"""Time the views of the configs against those of the papers' release.

Those of the release are written with torchvision and timm, on Pillow images
(for AutoAugment on CIFAR, torchvision's stands in for the policy of the
release). Both start at the bytes of a JPEG file, or at an array of 32 x 32
pixels for CIFAR, and end at the batch that the model gets: ours with
PackInputs and the data preprocessor, that of the release with ToTensor and
Normalize. What a worker of the data loader does is timed by itself, too: ours
leaves the normalisation to the device of the model. They take turns in one
process with one thread, as in such a worker, and the seconds are those in
which the processor works. The parts are timed in turns of their own. The
release needs timm.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import cv2
import mmengine
import numpy as np
import torch
from PIL import Image
from pipelines_release import PAIRS, photographs
from pipelines_timed import Ours, Release, Seconds

from mmpaco.runner.tool_arguments import whole_number
from mmpaco.runner.tool_ending import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--pairs',
        nargs='+',
        choices=PAIRS,
        default=list(PAIRS),
        metavar='PAIR',
        help=f'of {", ".join(PAIRS)} (default: all)',
    )
    parser.add_argument(
        '--images',
        nargs='+',
        type=Path,
        metavar='FILE',
        help="JPEG files (default: scikit-learn's two photographs)",
    )
    parser.add_argument(
        '--batch',
        type=whole_number,
        default=32,
        help='images of a turn (default: %(default)s)',
    )
    parser.add_argument(
        '--repeats',
        type=whole_number,
        default=9,
        help='turns of each (default: %(default)s)',
    )
    return parser.parse_args()


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def compare(name: str, images: list, batch: int, repeats: int) -> None:
    """Time both pipelines of a pair by turns, and print it."""
    pair = PAIRS[name]
    chosen = [images[i % len(images)] for i in range(batch)]
    spent = {kind: defaultdict(float) for kind in ('ours', 'release')}
    loads: dict[str, list[float]] = {kind: [] for kind in spent}
    whole: dict[str, list[float]] = {kind: [] for kind in spent}
    parts: dict[str, list[Seconds]] = {kind: [] for kind in spent}
    made = dict(ours=Ours, release=Release)
    plain = {kind: made[kind](name, pair, None) for kind in spent}
    timed = {kind: made[kind](name, pair, spent[kind]) for kind in spent}
    # The first round warms up.
    for i in range(repeats + 1):
        for kind, taken in spent.items():
            seed(i)
            start = time.process_time()
            samples = plain[kind].load(chosen)
            loaded = time.process_time()
            plain[kind].join(samples)
            end = time.process_time()
            seed(i)
            taken.clear()
            timed[kind].join(timed[kind].load(chosen))
            if i > 0:
                loads[kind].append((loaded - start) / batch)
                whole[kind].append((end - start) / batch)
                parts[kind].append(dict(taken))
    print_pair(name, batch, loads, whole, parts)


def print_pair(
    name: str,
    batch: int,
    loads: dict[str, list[float]],
    whole: dict[str, list[float]],
    parts: dict[str, list[Seconds]],
) -> None:
    print(f'\n{name}')
    for what, seconds in (('in the loader', loads), ('in all', whole)):
        ratios = [x / y for x, y in zip(seconds['ours'], seconds['release'])]
        print(
            f'  {what}: {statistics.median(ratios):.2f} of the release '
            f'({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} turns)'
        )
    print(f'  {"":14}{"ours":>8}{"release":>9}')
    rates = [1 / statistics.median(loads[x]) for x in ('ours', 'release')]
    print(f'  {"loaded / s":14}{rates[0]:8.0f}{rates[1]:9.0f}')
    means = {
        kind: {
            part: 1e6 * sum(x.get(part, 0) for x in turns) / len(turns) / batch
            for turn in turns
            for part in turn
        }
        for kind, turns in parts.items()
    }
    for part in dict.fromkeys([*means['release'], *means['ours']]):
        cells = [means[x].get(part, 0) for x in ('ours', 'release')]
        print(f'  {part:14}{cells[0]:8.0f}{cells[1]:9.0f}')
    sums = [sum(means[x].values()) for x in ('ours', 'release')]
    print(f'  {"us in all":14}{sums[0]:8.0f}{sums[1]:9.0f}', flush=True)


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(
            f'{path} is missing or is not an image; give JPEG files'
        )
    return np.ascontiguousarray(image[..., ::-1])


def main() -> None:
    args = parse_args()
    # As in the workers of a data loader.
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    found = [read(x) for x in args.images] if args.images else photographs()
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(x) for x in args.images or ()]
        if not paths:
            for i, image in enumerate(found):
                paths.append(f'{folder}/{i}.jpg')
                Image.fromarray(image).save(paths[-1], quality=95)
        small = [
            np.array(Image.fromarray(x).resize((32, 32), Image.Resampling.BOX))
            for x in found
        ]
        print(
            f'{args.batch} images of two views in a turn, torch '
            f'{torch.__version__}, mmengine {mmengine.__version__}'
        )
        for name in args.pairs:
            images = paths if PAIRS[name].size == 224 else small
            compare(name, images, args.batch, args.repeats)


if __name__ == '__main__':
    run_tool(main)
