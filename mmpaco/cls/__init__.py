"""The side of mmpretrain: models, datasets, evaluation.

It never imports mmseg, and works where mmseg is not installed.
"""

from mmpaco.compat import require

require('mmpretrain')
