"""The corruptions of ImageNet-C, done to any image."""

import contextlib
import inspect
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmpaco.cls.corruptions import (
    CORRUPTIONS,
    chosen_corruptions,
    chosen_severities,
)
from mmpaco.registry import TRANSFORMS

__all__ = ['Corrupt']

_PACKAGE = 'imagecorruptions-imaug'
# These two have a generator of their own.
_SEEDED = ('impulse_noise', 'glass_blur')
_SMALLEST = 32


@TRANSFORMS.register_module()
class Corrupt(BaseTransform):
    """Corrupts an image as those of ImageNet-C are.

    The package ``imagecorruptions-imaug`` does it; docs/robustness.md says
    where its images differ from the published files. It stands behind what
    resizes and crops, for the image is corrupted as the network sees it. What
    is random is drawn from the seed and the image, so that an image is
    corrupted in the same way wherever and whenever it is read.

    A grey image is corrupted as a coloured one, of which green is kept.

    Args:
        corruption (str): One of the 15 of ImageNet-C, such as
            ``'motion_blur'``.
        severity (int): From 1 to 5.
        seed (int): Of what is random. Defaults to 0.
        channel_order (str): That of a coloured image, ``'bgr'``, in which
            mmcv loads it, or ``'rgb'``. Defaults to ``'bgr'``.

    Raises:
        ImportError: If the package is not installed.
        ValueError: If an argument is unknown.

    Example:
        >>> import numpy as np
        >>> from mmpaco.registry import TRANSFORMS
        >>> step = TRANSFORMS.build(dict(
        ...     type='mmpaco.Corrupt', corruption='contrast', severity=5))
        >>> image = np.tile(np.uint8([0, 200]), (32, 16))
        >>> results = step(dict(img=image))
        >>> results['img'][0, :4].tolist(), results['corruption']
        ([95, 105, 95, 105], 'contrast')
    """

    def __init__(
        self,
        corruption: str,
        severity: int,
        seed: int = 0,
        channel_order: str = 'bgr',
    ) -> None:
        (self.corruption,) = chosen_corruptions([corruption])
        (self.severity,) = chosen_severities([severity])
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(
                f'seed must be a whole number from 0, but got {seed!r}'
            )
        if channel_order not in ('bgr', 'rgb'):
            raise ValueError(
                "channel_order must be 'bgr' or 'rgb', but got "
                f'{channel_order!r}'
            )
        self.seed = seed
        self.channel_order = channel_order
        _package()

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Corrupt ``img``.

        Args:
            results (dict): With ``img``, uint8 of shape (H, W), (H, W, 1) or
                (H, W, 3).

        Returns:
            dict: The same, with ``img`` of the same shape, ``corruption`` and
            ``severity``.

        Raises:
            TypeError: If the image is none of these.
            ValueError: If it is smaller than 32 x 32 pixels.
        """
        results['img'] = self._corrupted(results['img'])
        results['corruption'] = self.corruption
        results['severity'] = self.severity
        return results

    def _corrupted(self, image: Any) -> 'np.ndarray[Any, Any]':
        _check(image)
        is_grey = image.ndim == 2 or image.shape[2] == 1
        colours = np.repeat(np.atleast_3d(image), 3 if is_grey else 1, axis=2)
        turned = self.channel_order == 'bgr' and not is_grey
        if turned:
            colours = colours[..., ::-1]
        colours = np.ascontiguousarray(colours)
        seed = self._seed_of(colours)
        options = {'seed': seed} if self.corruption in _SEEDED else {}
        with _numpy_seed(seed):
            result: np.ndarray[Any, Any] = _package().corrupt(
                colours, self.severity, self.corruption, **options
            )
        if is_grey:
            return result[..., 1].reshape(image.shape).copy()
        return np.ascontiguousarray(result[..., ::-1] if turned else result)

    def _seed_of(self, image: 'np.ndarray[Any, Any]') -> int:
        numbers = np.random.SeedSequence(
            [
                self.seed,
                zlib.crc32(image.tobytes()),
                CORRUPTIONS.index(self.corruption),
                self.severity,
            ]
        )
        return int(numbers.generate_state(1)[0])

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(corruption={self.corruption!r}, '
            f'severity={self.severity}, seed={self.seed}, '
            f'channel_order={self.channel_order!r})'
        )


def _package() -> Any:
    try:
        import imagecorruptions
    except ImportError as error:
        raise ImportError(
            f'corruptions need the package {_PACKAGE}, which cannot be '
            f'imported ({error}); install it with "pip install {_PACKAGE}"'
        ) from error
    glass_blur = imagecorruptions.corruption_dict['glass_blur']
    if 'seed' not in inspect.signature(glass_blur).parameters:
        raise ImportError(
            f'corruptions need the package {_PACKAGE}, but the older '
            'imagecorruptions is installed, whose glass blur cannot be '
            'seeded; "pip uninstall imagecorruptions", then "pip install '
            f'{_PACKAGE}"'
        )
    return imagecorruptions


def _check(image: Any) -> None:
    shape: tuple[int, ...] = getattr(image, 'shape', ())
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or len(shape) not in (2, 3)
        or (len(shape) == 3 and shape[2] not in (1, 3))
    ):
        raise TypeError(
            'expected an image of uint8 and of shape (H, W), (H, W, 1) or '
            f'(H, W, 3), but got {getattr(image, "dtype", type(image))} of '
            f'shape {tuple(shape)}; corrupt before it is normalised'
        )
    if min(shape[:2]) < _SMALLEST:
        raise ValueError(
            f'the corruptions need images of at least {_SMALLEST} x '
            f'{_SMALLEST} pixels, but got {shape[0]} x {shape[1]}; enlarge '
            'or pad them in the pipeline'
        )


@contextlib.contextmanager
def _numpy_seed(seed: int) -> Iterator[None]:
    """Seed numpy's global generator, of which the package draws."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
