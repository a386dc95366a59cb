"""Promises of the class statistics, against counts made by hand."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmseg.datasets import BaseSegDataset
from support.label_maps import WRONG, photo
from support.paths import TOOLS

from mmpaco.analysis.class_statistics import (
    ClassStatistics,
    class_statistics,
    dataset_from_config,
)
from mmpaco.analysis.class_statistics_picture import (
    plot_class_statistics,
)

TOOL = TOOLS / 'analysis_tools/class_statistics.py'
CLASSES = ('ground', 'wall', 'thing')


@pytest.fixture
def root(tmp_path):
    """Seven masks of ids 0 to 3 and void, the rare ones not in each."""
    rng = np.random.default_rng(0)
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
    for i in range(7):
        ids = rng.choice([0, 1, 255] if i else [0, 1, 2, 3], (5, 4 + i))
        photo(tmp_path / 'images' / f'{i}.jpg', ids.shape)
        save(tmp_path / 'masks' / f'{i}.png', ids)
    return tmp_path


def save(path, ids):
    assert cv2.imwrite(str(path), ids.astype(np.uint8))


def masks(root):
    return [
        cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        for path in sorted((root / 'masks').iterdir())
    ]


LOAD_IMAGE = dict(type='LoadImageFromFile')


def dataset(
    root,
    classes=(*CLASSES, 'rare'),
    load=None,
    load_image=LOAD_IMAGE,
    **options,
):
    return BaseSegDataset(
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        metainfo=dict(classes=classes),
        pipeline=[load_image, load or dict(type='mmseg.LoadAnnotations')],
        **options,
    )


def check(statistics, label_maps, num_classes):
    for c in range(num_classes):
        assert statistics.images[c] == sum((m == c).any() for m in label_maps)
        assert statistics.pixels[c] == sum((m == c).sum() for m in label_maps)
    ignored = sum((m == 255).sum() for m in label_maps)
    assert statistics.ignored_pixels == ignored
    assert statistics.num_images == len(label_maps)
    total = sum(m.size for m in label_maps)
    assert statistics.pixels.sum() + ignored == total


@pytest.mark.parametrize('nproc', [1, 2, 20])
def test_counts_are_those_made_by_hand(root, nproc):
    statistics = class_statistics(dataset(root), nproc)
    check(statistics, masks(root), 4)
    assert statistics.images[3] == 1


def test_zero_is_ignored_where_the_dataset_says_so(root):
    data = dataset(root, CLASSES, reduce_zero_label=True)
    reduced = [
        np.where((m == 0) | (m == 255), 255, m - 1) for m in masks(root)
    ]
    check(class_statistics(data, 1), reduced, 3)


def test_classes_chosen_by_name_are_counted_under_their_new_ids(root):
    class Named(BaseSegDataset):
        METAINFO = dict(classes=(*CLASSES, 'rare'))

    data = Named(
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        metainfo=dict(classes=('rare', 'ground')),
        pipeline=[dict(type='mmseg.LoadAnnotations')],
    )
    ids = {0: 1, 1: 255, 2: 255, 3: 0, 255: 255}
    mapped = [np.vectorize(ids.get)(m) for m in masks(root)]
    check(class_statistics(data, 1), mapped, 2)


def test_wrappers_count_as_what_they_wrap(root):
    twice = ConcatDataset([dataset(root), dataset(root)])
    check(class_statistics(twice, 2), 2 * masks(root), 4)
    repeated = RepeatDataset(dataset(root), 5)
    check(class_statistics(repeated, 2), masks(root), 4)


def test_the_tool_writes_json_and_a_picture(root):
    config = root / 'config.py'
    config.write_text(
        f"""
default_scope = 'mmseg'
train_dataloader = dict(dataset=dict(
    type='BaseSegDataset', data_root={str(root)!r},
    data_prefix=dict(img_path='images', seg_map_path='masks'),
    metainfo=dict(classes={(*CLASSES, 'rare')!r}),
    pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]))
"""
    )
    out, picture = root / 'out.json', root / 'out.png'
    text = subprocess.check_output(
        [
            *(sys.executable, TOOL, config, '--out', out),
            *('--picture', picture, '--nproc', '2'),
        ],
        text=True,
    )
    found = json.loads(out.read_text())
    hand = [sum(int((m == c).sum()) for m in masks(root)) for c in range(4)]
    assert found['pixels'] == hand
    assert found['classes'] == [*CLASSES, 'rare']
    row = next(line for line in text.splitlines() if 'rare' in line)
    assert int(row.split()[-1]) == hand[3]
    assert cv2.imread(str(picture)).std() > 0

    with pytest.raises(ValueError, match='has no val_dataloader'):
        dataset_from_config(config, 'val')
    with pytest.raises(ValueError, match="got 'training'"):
        dataset_from_config(config, 'training')


def test_a_class_without_pixels_can_be_drawn(tmp_path):
    empty = ClassStatistics(
        ['a', 'b'], np.zeros(2, np.int64), np.zeros(2, np.int64), 3, 12
    )
    plot_class_statistics(empty, tmp_path / 'empty.png')
    assert (tmp_path / 'empty.png').stat().st_size


def test_few_images_are_drawn_on_a_plain_axis_from_zero(tmp_path, drawn):
    counts = np.array([12, 11, 10])
    few = ClassStatistics(
        ['a', 'b', 'c'],
        pixels=10**counts,
        images=counts,
        num_images=12,
        ignored_pixels=3,
    )
    plot_class_statistics(few, tmp_path / 'few.png')
    pixels, images = drawn[0].axes
    assert pixels.get_xscale() == 'log'
    assert images.get_xscale() == 'linear'
    bars = [(bar.get_x(), bar.get_width()) for bar in images.patches]
    assert bars == [(0, 12), (0, 11), (0, 10)]


@pytest.mark.parametrize('nproc', [1, 2])
def test_a_label_beyond_the_classes_is_told_with_its_file(root, nproc):
    with pytest.raises(ValueError, match=r'0.png holds the labels \[3\]'):
        class_statistics(dataset(root, CLASSES), nproc)


def test_a_missing_annotation_is_told_with_its_file(root):
    data = dataset(root)
    (root / 'masks/4.png').unlink()
    with pytest.raises(FileNotFoundError, match='masks/4.png'):
        class_statistics(data, 2)


def test_what_cannot_be_counted_is_refused(root, tmp_path):
    data = dataset(root)
    with pytest.raises(ValueError, match='nproc must be at least 1'):
        class_statistics(data, 0)
    with pytest.raises(ValueError, match='names no classes'):
        class_statistics(dataset(root, ()))
    with pytest.raises(TypeError, match='loads label maps'):
        class_statistics(dataset(root, load=dict(type='LoadImageFromFile')))
    with pytest.raises(ValueError, match='is empty; check its data_root'):
        class_statistics(
            dataset(root, img_suffix='.jpeg', serialize_data=False)
        )

    class Other:
        metainfo = dict(classes=CLASSES)

    with pytest.raises(TypeError, match='Other has no labels'):
        class_statistics(Other())


@pytest.mark.parametrize('write', WRONG)
def test_a_label_map_of_another_kind_is_told_with_its_file(root, write):
    write(root / 'masks/5.png')
    with pytest.raises(ValueError, match=r'masks/5\.png') as error:
        class_statistics(dataset(root), 2)
    assert error.match(WRONG[write])


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-20])


def turned(path):
    photo(path, cv2.imread(str(path)).shape[:2], 3)


def on_its_side(path):
    photo(path, cv2.imread(str(path)).shape[:2], 6)


def larger(path):
    photo(path, (50, 50))


DAMAGE = {
    cut_off: 'truncated',
    turned: 'EXIF orientation 3',
    on_its_side: 'EXIF orientation 6',
    larger: 'must be equal',
}


@pytest.mark.parametrize('damage', DAMAGE)
def test_an_image_that_training_takes_for_another_is_told(root, damage):
    damage(root / 'images/3.jpg')
    with pytest.raises(ValueError, match=r'images/3\.jpg') as error:
        class_statistics(dataset(root), 2)
    assert error.match(DAMAGE[damage])
    check(
        class_statistics(dataset(root), 1, check_images=False), masks(root), 4
    )


def test_an_image_that_does_not_turn_may_have_an_orientation(root):
    turned(root / 'images/3.jpg')
    plain = dict(LOAD_IMAGE, color_type='color_ignore_orientation')
    check(class_statistics(dataset(root, load_image=plain), 1), masks(root), 4)


def test_a_label_map_made_for_the_turned_image_is_right(root):
    path = root / 'images/3.jpg'
    height, width = cv2.imread(str(path)).shape[:2]
    photo(path, (width, height), 8)
    check(class_statistics(dataset(root), 1), masks(root), 4)


def test_a_missing_image_is_told(root):
    data = dataset(root)
    (root / 'images/2.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'images/2\.jpg'):
        class_statistics(data, 1)


@pytest.mark.parametrize('ignored', [2, 254, -1, 300])
def test_another_ignored_label_is_known(root, ignored):
    """A label of no class is no longer ignored then, and told."""
    data = dataset(root, ignore_index=ignored)
    with pytest.raises(ValueError, match=rf'\[255\].*{ignored} is ignored'):
        class_statistics(data, 1)
    for path in (root / 'masks').iterdir():
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        save(
            path,
            np.where(ids == 255, ignored if 0 < ignored < 255 else 0, ids),
        )
    found = class_statistics(data, 1)
    hand = sum(int((m == ignored).sum()) for m in masks(root))
    assert found.ignored_pixels == hand
    assert found.pixels.sum() + hand == sum(m.size for m in masks(root))


def config_of(root, extra='', scope='mmseg', kind='BaseSegDataset'):
    path = root / 'other.py'
    path.write_text(
        f"""
default_scope = {scope!r}
train_dataloader = val_dataloader = dict(dataset=dict(
    type={kind!r}, data_root={str(root)!r}, ignore_index=254,
    data_prefix=dict(img_path='images', seg_map_path='masks'),
    metainfo=dict(classes=('a', 'b')),
    pipeline=[dict(type='LoadAnnotations')]))
{extra}
"""
    )
    return path


@pytest.mark.parametrize(
    'extra, split, name',
    [
        ("model = dict(decode_head=dict(type='Head'))", 'train', 'Head'),
        (
            "model = dict(decode_head=[dict(type='One', ignore_index=254),"
            "dict(type='Two', ignore_index=253)])",
            'train',
            'Two',
        ),
        ("val_evaluator = [dict(type='IoUMetric')]", 'val', 'IoUMetric'),
    ],
)
def test_heads_and_metrics_ignore_what_the_dataset_does(
    root, extra, split, name
):
    with pytest.raises(ValueError, match=f'ignore_index=254, but {name}'):
        dataset_from_config(config_of(root, extra), split)


def test_they_agree_if_they_are_told(root):
    extra = "model = dict(decode_head=dict(ignore_index=254, type='Head'))"
    assert dataset_from_config(config_of(root, extra)).ignore_index == 254


def test_a_config_of_mmpretrain_is_refused(root):
    with pytest.raises(TypeError, match=r'other\.py is one of mmpretrain'):
        dataset_from_config(config_of(root, scope='mmpretrain'))
