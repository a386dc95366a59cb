"""iNaturalist 2018."""

from mmpaco.registry import DATASETS

from .image_list import ListFacts, PublishedDataset


@DATASETS.register_module()
class INaturalist2018(PublishedDataset):
    r"""iNaturalist 2018: 8142 species, named by their labels.

    437,513 images to train and 3 of each class to validate; no list to test
    is published. The label is the number of the image's folder, which is not
    the place of that folder in alphabetical order.

    Args:
        data_root (str): Folder of the lists and images. Defaults to ''.
        split (str): 'train' or 'val'. Defaults to 'train'.
        ann_file (str): The list. Defaults to ``iNaturalist18_{split}.txt``.
        **kwargs: Passed to :class:`ImageListDataset`.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If the list is not the published one.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from mmpaco.registry import DATASETS
        >>> root = Path(tempfile.mkdtemp())
        >>> lines = [f'{i % 8142}/{i}.jpg {i % 8142}' for i in range(3 * 8142)]
        >>> _ = (root / 'iNaturalist18_val.txt').write_text('\n'.join(lines))
        >>> cfg = dict(type='mmpaco.INaturalist2018', split='val')
        >>> dataset = DATASETS.build(dict(cfg, data_root=str(root)))
        >>> len(dataset), len(dataset.metainfo['classes'])
        (24426, 8142)
    """

    METAINFO = dict(classes=tuple(str(label) for label in range(8142)))
    SPLITS = dict(
        train=ListFacts('iNaturalist18_train.txt', 437513, None, None),
        val=ListFacts('iNaturalist18_val.txt', 24426, 3, 3),
    )
