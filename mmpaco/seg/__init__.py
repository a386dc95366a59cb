"""The side of mmseg: models, datasets, evaluation.

It never imports mmpretrain, and works where mmpretrain is not installed.
"""

from mmpaco.compat import require

require('mmseg')
