"""The mmseg side: auxiliary head, segmentors and metric.

This room never imports mmpretrain, and works where mmpretrain is not
installed.
"""

from mmpaco.compat import require

require('mmseg')

from .gpaco_aux_head import GPaCoAuxHead  # noqa: E402
from .gpaco_encoder_decoder import (  # noqa: E402
    GPaCoCascadeEncoderDecoder,
    GPaCoEncoderDecoder,
)
from .rare_iou_metric import RareIoUMetric  # noqa: E402

__all__ = [
    'GPaCoAuxHead',
    'GPaCoCascadeEncoderDecoder',
    'GPaCoEncoderDecoder',
    'RareIoUMetric',
]
