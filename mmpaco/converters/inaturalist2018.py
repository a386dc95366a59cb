"""The lists of iNaturalist 2018, from the files of its authors."""

import json
from pathlib import Path

from mmpaco.files import PathLike, write_text


def write_inaturalist2018(source: PathLike, out: PathLike) -> int:
    """Write a file of iNaturalist 2018 as a list of images.

    The label of an image is its category, which must also be the number of
    its folder (``.../Plantae/7291/9f8e.jpg``), as in the published lists.

    Args:
        source: ``train2018.json`` or ``val2018.json``.
        out: List to write, whole or not at all.

    Returns:
        Number of images.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, or an image has not one category,
            that of its folder.
    """
    if not Path(source).is_file():
        raise FileNotFoundError(
            f'there is no {source}; give the folder into which '
            f'{Path(source).name} of the 2018 competition was unpacked'
        )
    try:
        with open(source, encoding='utf-8') as file:
            content = json.load(file)
    except ValueError as error:
        raise ValueError(
            f'{source} is no JSON: {error}; get the file again'
        ) from error
    try:
        names = {
            image['id']: image['file_name'] for image in content['images']
        }
        annotations = [
            (annotation['image_id'], annotation['category_id'])
            for annotation in content['annotations']
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'{source} is no train2018.json or val2018.json: {error!r}; '
            'it must have images (id, file_name) and annotations (image_id, '
            'category_id). test2018.json has no labels and makes no list'
        ) from error
    labels = dict(annotations)
    if len(labels) != len(annotations) or labels.keys() != names.keys():
        raise ValueError(
            f'{source} has {len(names)} images and {len(annotations)} '
            f'annotations of {len(labels)} images, expected one of each '
            'image; get the file again'
        )
    for key, name in names.items():
        folder = Path(name).parent.name
        if folder != str(labels[key]):
            raise ValueError(
                f'{source}: {name} has category {labels[key]}, expected that '
                f'of its folder, {folder}; get the files of the 2018 '
                'competition'
            )
    lines = (f'{name} {labels[key]}\n' for key, name in names.items())
    write_text(out, ''.join(lines))
    return len(names)
