"""How strong the contrast between pixels is, told once."""

from typing import Optional

from torch import Tensor

from mmpaco.contrast_strength import PIXELS
from mmpaco.engine.host_copy import HostCopy
from mmpaco.engine.strength_report import report_strength


class PixelStrength:
    """Logs alpha x K of the pixels of the first batch.

    K is that of the images: what an anchor of a class has as positives, on
    average. A device is not waited for: the line comes with a later batch.

    Args:
        alpha (float): Weight of a positive.
        num_classes (int): The class count C.
    """

    def __init__(self, alpha: float, num_classes: int) -> None:
        self.alpha = alpha
        self.num_classes = num_classes
        self._is_told = False
        self._counts: Optional[HostCopy] = None
        self._num_contrasts = 0

    def __call__(self, labels: Tensor) -> None:
        """Look at a batch, as long as nothing was told.

        Args:
            labels (Tensor): Classes of the N pixels of each image that take
                part, (B, N); those that are not a class are ignored.
        """
        if self._is_told:
            return
        if self._counts is None:
            self._num_contrasts = labels.shape[1] - 1
            self._counts = HostCopy(self._count(labels))
        if self._counts.is_there():
            counts, self._counts = self._counts.read().double(), None
            # A batch without labels tells nothing; the next one may.
            self._is_told = bool(counts.any())
            self._report(counts)

    def _count(self, labels: Tensor) -> Tensor:
        """Pixels of each class in each image, of shape (B, C)."""
        num_classes = self.num_classes
        counts = labels.new_zeros(len(labels), num_classes + 1)
        is_class = (labels >= 0) & (labels < num_classes)
        index = labels.where(is_class, labels.new_full((), num_classes))
        counts.scatter_add_(1, index, labels.new_ones(labels.shape))
        return counts[:, :num_classes]

    def _report(self, counts: Tensor) -> None:
        anchors = counts.sum(0)
        positives = (counts * (counts - 1)).sum(0) / anchors.clamp(min=1)
        shares = positives / max(1, self._num_contrasts)
        report_strength(
            self.alpha,
            shares.tolist(),
            self._num_contrasts,
            'the first batch',
            PIXELS,
        )
