"""Lists from files in the layout of tiny-imagenet-200.zip."""

import hashlib
import os
import re
import subprocess
import sys

import pytest
from support.paths import TOOLS

from mmpaco.cls.datasets import ImageListDataset
from mmpaco.converters.tiny_imagenet100 import (
    _CLASSES,
    write_tiny_imagenet100,
)

TOOL = TOOLS / 'dataset_converters/tiny_imagenet100.py'
# Of the lists that the figures of docs/evidence.md were trained and chosen
# on: lines of name and label.
SHA256 = {
    'train_if10': '4ad11a31d738fc3c8660a5cb9658b82d'
    '6ad99893847dbd3f10dd11c87590e790',
    'train_if50': '75aea8bb6cb9c03a2689aeda87472d7c'
    '0a34853c66d1caedca1c586e14abbaa3',
    'train_if100': 'eddd0558bb8d834a22aa67750f75d98b'
    '498bf33a36d34ba92c621ad132efe767',
    'val': '1e7f9144f3d8b2c68ac77a71283b7bb9be92ca032d1574609df6156b3d3db071',
}
OTHER = 'n99999999'


@pytest.fixture(scope='module')
def archive(tmp_path_factory):
    """The folders of the archive: 500 and 50 images a class, one file."""
    root = tmp_path_factory.mktemp('tiny') / 'tiny-imagenet-200'
    image = root.parent / 'image.JPEG'
    image.write_bytes(b'')
    for synset in _CLASSES:
        folder = root / 'train' / synset / 'images'
        folder.mkdir(parents=True)
        for i in range(500):
            os.link(image, folder / f'{synset}_{i}.JPEG')
    folder = root / 'val/images'
    folder.mkdir(parents=True)
    lines = []
    # Images of the 200 classes lie in no order; half are of other classes.
    for i in range(10_000):
        synset = _CLASSES[i * 7 % 200] if i * 7 % 200 < 100 else OTHER
        lines.append(f'val_{i}.JPEG\t{synset}\t0\t32\t44\t62\n')
        os.link(image, folder / f'val_{i}.JPEG')
    (root / 'val/val_annotations.txt').write_text(''.join(lines))
    return root


def run(source, out):
    return subprocess.run(
        [sys.executable, TOOL, source, '--out', out],
        capture_output=True,
        text=True,
        check=False,
    )


def test_lists_are_those_of_the_evidence(archive, tmp_path):
    out = tmp_path / 'out'
    result = run(archive, out)
    assert result.returncode == 0, result.stderr
    assert f'{out}/train_if100.txt: 9754 images' in result.stdout
    # A second call finds its own links.
    write_tiny_imagenet100(archive, out)
    for name, digest in SHA256.items():
        text = (out / f'{name}.txt').read_text()
        names = re.sub(r'^train/n\d+/images/', '', text, flags=re.MULTILINE)
        assert hashlib.sha256(names.encode()).hexdigest() == digest


def test_test_list_is_the_validation_images_of_the_classes(archive, tmp_path):
    write_tiny_imagenet100(archive, tmp_path)
    lines = (tmp_path / 'test.txt').read_text().splitlines()
    expected = [
        f'val/images/val_{i}.JPEG {i * 7 % 200}'
        for i in range(10_000)
        if i * 7 % 200 < 100
    ]
    assert lines == expected


def test_paths_lead_to_the_images(archive, tmp_path):
    write_tiny_imagenet100(archive, tmp_path)
    for name in ('train_if100', 'val', 'test'):
        dataset = ImageListDataset(
            data_root=str(tmp_path),
            ann_file=f'{name}.txt',
            num_classes=100,
            pipeline=[],
        )
        paths = [dataset.get_data_info(i)['img_path'] for i in (0, -1)]
        assert all(map(os.path.isfile, paths))


def test_a_lacking_image_is_named(archive, tmp_path):
    gone = archive / 'train' / _CLASSES[41] / 'images'
    gone = gone / f'{_CLASSES[41]}_77.JPEG'
    kept = tmp_path / 'kept'
    gone.rename(kept)
    try:
        with pytest.raises(FileNotFoundError, match=f'1 of 500.*{gone.name}'):
            write_tiny_imagenet100(archive, tmp_path / 'out')
    finally:
        kept.rename(gone)
    assert not (tmp_path / 'out').exists()


def test_a_folder_above_or_below_is_refused(archive, tmp_path):
    for source in (archive.parent, archive / 'val', tmp_path / 'nothere'):
        with pytest.raises(
            FileNotFoundError, match='give the folder tiny-imagenet-200 itself'
        ):
            write_tiny_imagenet100(source, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_line_ends_of_windows_make_the_same_lists(archive, tmp_path):
    source = tmp_path / 'of windows/tiny-imagenet-200'
    (source / 'val').mkdir(parents=True)
    (source / 'train').symlink_to(archive / 'train')
    (source / 'val/images').symlink_to(archive / 'val/images')
    text = (archive / 'val/val_annotations.txt').read_bytes()
    (source / 'val/val_annotations.txt').write_bytes(
        text.replace(b'\n', b'\r\n')
    )
    for name, folder in (('a b', source), ('b', archive)):
        write_tiny_imagenet100(folder, tmp_path / name)
    written = [(tmp_path / x / 'test.txt').read_text() for x in ('a b', 'b')]
    assert written[0] == written[1]


def test_annotations_that_are_cut_off_are_refused(archive, tmp_path):
    source = tmp_path / 'source'
    (source / 'val').mkdir(parents=True)
    whole = (archive / 'val/val_annotations.txt').read_text()
    cut = source / 'val/val_annotations.txt'
    cut.write_text(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match='expected 5000; unpack'):
        write_tiny_imagenet100(source, tmp_path / 'out')


def test_a_folder_of_another_set_is_left_alone(archive, tmp_path):
    mine = tmp_path / 'train/mine.txt'
    mine.parent.mkdir()
    mine.write_text('mine')
    with pytest.raises(FileExistsError, match='give an empty --out'):
        write_tiny_imagenet100(archive, tmp_path)
    assert mine.read_text() == 'mine'
    assert not (tmp_path / 'train_if100.txt').exists()
