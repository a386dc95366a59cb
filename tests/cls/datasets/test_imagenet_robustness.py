"""The layouts of ImageNet-C, -R and -Sketch, and what is wrong with them."""

import shutil

import pytest
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES
from support.imagenet_variants import CORRUPTIONS, SEVERITIES, write_variants
from support.scope import enter_scope

from mmpaco.cls.datasets import ImageNetC, ImageNetR, ImageNetSketch
from mmpaco.cls.imagenet_classes import IMAGENET_R_CLASSES, WNIDS

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_variants(tmp_path_factory.mktemp('variants')) / 'data'


def test_labels_are_those_of_the_names():
    """By classes whose WordNet ids are known everywhere."""
    assert len(WNIDS) == len(set(WNIDS)) == 1000
    assert list(WNIDS) == sorted(WNIDS)
    assert len(set(IMAGENET_R_CLASSES)) == 200
    for wnid, name in (
        ('n01440764', 'tench'),
        ('n02123045', 'tabby'),
        ('n02504458', 'African elephant'),
        ('n03255030', 'dumbbell'),
        ('n07753592', 'banana'),
        ('n15075141', 'toilet tissue'),
    ):
        assert name in IMAGENET_CATEGORIES[WNIDS.index(wnid)]


def test_all_corruptions_are_read_in_one_pass(data):
    found = ImageNetC(
        str(data / 'imagenet-c'), severities=SEVERITIES, pipeline=PIPELINE
    )
    assert len(found) == 4000
    # In the order of the benchmark.
    pairs = [(c, s) for c in CORRUPTIONS for s in SEVERITIES]
    for index in (0, 999, 1000, 3141, 3999):
        sample = found[index]['data_samples']
        pair = pairs[index // 1000]
        assert (sample.corruption, sample.severity) == pair
        assert int(sample.gt_label) == index % 1000
        parts = (*map(str, pair), WNIDS[index % 1000], '0.JPEG')
        assert sample.img_path == str(data.joinpath('imagenet-c', *parts))


def test_a_choice_is_read(data):
    root = str(data / 'imagenet-c')
    found = ImageNetC(root, corruptions=['contrast'], severities=[5])
    assert {(x['corruption'], x['severity']) for x in found} == {
        ('contrast', 5)
    }
    assert len(found) == 1000


def test_renditions_have_labels_of_all_classes(data):
    found = ImageNetR(str(data / 'imagenet-r'))
    assert found.get_gt_labels().tolist() == list(IMAGENET_R_CLASSES)
    assert len(found.metainfo['classes']) == 1000
    sketch = ImageNetSketch(str(data / 'imagenet-sketch'))
    assert sketch.get_gt_labels().tolist() == list(range(1000))


def test_what_is_missing_is_told(data, log):
    root = str(data / 'imagenet-c')
    ImageNetC(root, severities=SEVERITIES)
    assert f'{root} lacks gaussian_noise, shot_noise' in log()
    assert 'over the other 2 of 15 corruptions' in log()
    assert 'fog/1 has 1000 images, and not the 50000' in log()
    assert 'and 3 more' in log()
    before = log()
    ImageNetC(root, corruptions=CORRUPTIONS, severities=SEVERITIES)
    assert 'lacks' not in log()[len(before) :]


@pytest.mark.parametrize(
    'make, error, message',
    (
        (lambda x: ImageNetC(str(x / 'no')), FileNotFoundError, 'no folder'),
        (lambda x: ImageNetR(str(x / 'no')), FileNotFoundError, 'no folder'),
        (
            # One folder too deep.
            lambda x: ImageNetC(str(x)),
            ValueError,
            'holds none of the corruptions.*but imagenet, imagenet-c',
        ),
        (
            lambda x: ImageNetC(str(x / 'imagenet-c/fog')),
            ValueError,
            'none of the corruptions.*but 1, 5;',
        ),
        (
            lambda x: ImageNetC(str(x / 'imagenet-c'), ['fog']),
            FileNotFoundError,
            "no folder '.*fog/2'",
        ),
        (
            lambda x: ImageNetC(str(x / 'imagenet-c'), ['frost']),
            FileNotFoundError,
            "no folder '.*frost/1'",
        ),
        (
            lambda x: ImageNetR(str(x / 'imagenet-sketch')),
            ValueError,
            'does not hold the 200 classes.*has beside them 800 folders, such '
            'as n01440764',
        ),
        (
            lambda x: ImageNetSketch(str(x / 'imagenet-r')),
            ValueError,
            'does not hold the 1000 classes.*it lacks 800 folders',
        ),
        (lambda x: ImageNetC(str(x), ['rain']), ValueError, 'must be some of'),
        (lambda x: ImageNetC(str(x), []), ValueError, 'must be some of'),
        (
            lambda x: ImageNetC(str(x), ['fog', 'fog']),
            ValueError,
            'each once',
        ),
        (
            lambda x: ImageNetC(str(x), severities=[0]),
            ValueError,
            'severities must be some of',
        ),
    ),
)
def test_what_is_wrong_is_said(data, make, error, message):
    with pytest.raises(error, match=message):
        make(data)


def test_a_damaged_image_is_named(data, tmp_path):
    for wnid in WNIDS:
        (tmp_path / wnid).mkdir()
    with pytest.raises(ValueError, match='no image in them'):
        ImageNetSketch(str(tmp_path), pipeline=PIPELINE)
    (tmp_path / WNIDS[3] / 'a.JPEG').write_bytes(b'no image')
    shutil.copy(data / f'imagenet/val/{WNIDS[3]}/0.JPEG', tmp_path / WNIDS[4])
    found = ImageNetSketch(str(tmp_path), pipeline=PIPELINE)
    assert int(found[1]['data_samples'].gt_label) == 4
    with pytest.raises(RuntimeError, match=f'{WNIDS[3]}/a.JPEG cannot be'):
        found[0]
    (tmp_path / WNIDS[3] / 'a.JPEG').unlink()
    with pytest.raises(FileNotFoundError, match='a.JPEG cannot be'):
        found[0]
