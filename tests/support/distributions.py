"""Environments that hold nothing but the metadata of distributions."""

ONEDL = {
    'torch': '2.14.1',
    'onedl-mmengine': '0.10.12',
    'onedl-mmcv': '2.3.6',
    'onedl-mmsegmentation': '1.4.2',
    'onedl-mmpretrain': '1.3.6',
}
OPENMMLAB = {
    'torch': '2.1.2+cu121',
    'mmengine': '0.10.7',
    'mmcv': '2.1.0',
    'mmsegmentation': '1.2.2',
    'mmpretrain': '1.2.0',
}


def write_metadata(library, distributions):
    """Write into a folder what pip leaves there of each, by version."""
    for name, version in distributions.items():
        folder = library / f'{name.replace("-", "_")}-{version}.dist-info'
        folder.mkdir(parents=True)
        (folder / 'METADATA').write_text(
            f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
        )
