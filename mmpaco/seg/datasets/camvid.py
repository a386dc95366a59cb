"""CamVid in the split of SegNet."""

from typing import Any

from mmseg.datasets import BaseSegDataset

from mmpaco.registry import DATASETS

__all__ = ['CamVidDataset']


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """CamVid, street images with 11 classes.

    The masks hold the class ids 0 to 10, and 255 where nothing was labelled.
    In SegNet's masks that is id 11: ``tools/dataset_converters/camvid.py``
    turns it into 255, which all of mmseg ignores.

    Args:
        img_suffix (str): Suffix of the images. Defaults to '.jpg'.
        seg_map_suffix (str): Suffix of the masks. Defaults to '.png'.
        **kwargs: Passed to ``BaseSegDataset``.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from mmpaco.registry import DATASETS
        >>> root = Path(tempfile.mkdtemp())
        >>> Image.new('RGB', (48, 36)).save(root / 'street.jpg')
        >>> Image.new('L', (48, 36), color=3).save(root / 'street.png')
        >>> dataset = DATASETS.build(dict(
        ...     type='mmpaco.CamVidDataset', data_root=str(root),
        ...     pipeline=[dict(type='mmseg.LoadAnnotations')]))
        >>> mask = dataset[0]['gt_seg_map']
        >>> mask.shape, dataset.metainfo['classes'][mask[0, 0]]
        ((36, 48), 'road')
    """

    METAINFO = dict(
        classes=(
            'sky',
            'building',
            'pole',
            'road',
            'pavement',
            'tree',
            'sign',
            'fence',
            'car',
            'pedestrian',
            'bicyclist',
        ),
        palette=[
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    )

    def __init__(
        self,
        img_suffix: str = '.jpg',
        seg_map_suffix: str = '.png',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs
        )
