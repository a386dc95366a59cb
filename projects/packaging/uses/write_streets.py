"""Write two images for training and two for validation, as CamVid's are."""

import sys
from pathlib import Path

import cv2
import numpy as np

rng = np.random.default_rng(0)
for split in ('train', 'val'):
    for i in range(2):
        image = rng.integers(0, 256, (180, 240, 3), np.uint8)
        mask = (
            rng.integers(0, 11, (6, 8), np.uint8).repeat(30, 0).repeat(30, 1)
        )
        for kind, suffix, array in (
            ('images', 'jpg', image),
            ('annotations', 'png', mask),
        ):
            folder = Path(sys.argv[1]) / kind / split
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f'{i}.{suffix}'), array)
