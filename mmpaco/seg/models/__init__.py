"""Auxiliary heads, and segmentors that hand a feature over to them."""

from .gpaco_aux_head import GPaCoAuxHead
from .gpaco_encoder_decoder import (
    GPaCoCascadeEncoderDecoder,
    GPaCoEncoderDecoder,
)

__all__ = [
    'GPaCoAuxHead',
    'GPaCoCascadeEncoderDecoder',
    'GPaCoEncoderDecoder',
]
