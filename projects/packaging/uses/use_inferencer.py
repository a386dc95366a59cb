"""Name one image with what the quickstart trained."""

import sys
from pathlib import Path

import numpy as np
from mmpretrain import ImageClassificationInferencer

checkpoint = next(Path(sys.argv[1]).glob('gpaco/seed0/epoch_*.pth'))
inferencer = ImageClassificationInferencer(
    str(Path(sys.argv[1]) / 'configs' / 'gpaco.py'),
    pretrained=str(checkpoint),
    device='cpu',
)
# Of one channel, as MNIST's images are.
image = np.zeros((28, 28), np.uint8)
image[4:24, 13:16] = 255
(result,) = inferencer(image)
scores = np.asarray(result['pred_scores'])
if scores.shape != (10,) or abs(scores.sum() - 1) > 1e-4:
    raise RuntimeError(f'expected ten scores with the sum 1, got {scores}')
print(result['pred_class'], result['pred_score'])
