"""Read a loss in the scalars of a training, and fail if it is not finite."""

import json
import math
import sys
from pathlib import Path

(file,) = Path(sys.argv[1]).glob('*/vis_data/scalars.json')
first = json.loads(file.read_text().splitlines()[0])
losses = {k: v for k, v in first.items() if sys.argv[2] in k}
if not losses or not all(map(math.isfinite, losses.values())):
    raise RuntimeError(f'expected a finite {sys.argv[2]}, got {first}')
print(losses)
