"""Lists of real images, and the lists of the long-tailed benchmarks."""

import time
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import (
    ClassBalancedDataset,
    ConcatDataset,
    RepeatDataset,
)
from mmengine.runner import Runner
from mmpretrain.datasets import BaseDataset, KFoldDataset
from PIL import Image
from support.scope import enter_scope
from torch.utils.data import DataLoader, Subset

from mmpaco.cls.datasets import LongTailedDataset
from mmpaco.cls.datasets.image_list import (
    ImageListDataset,
    ImageNetLT,
    PlacesLT,
)
from mmpaco.cls.datasets.image_list_reader import read_image_list
from mmpaco.cls.datasets.inaturalist import INaturalist2018
from mmpaco.engine.class_counts import count_labels
from mmpaco.registry import DATASETS

LINE_ENDS = ('\n', '\r\n', '\r')
# Three classes of 6, 3 and 1 images.
LABELS = [0] * 6 + [1] * 3 + [2]


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


@pytest.fixture
def root(tmp_path):
    """A folder of JPEGs in folders of their classes, and train.txt."""
    lines = []
    for i, label in enumerate(LABELS):
        name = f'images/class {label}/no {i}.jpg'
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((8, 9, 3), 20 * i, np.uint8)
        assert cv2.imwrite(str(path), image)
        lines.append(f'{name} {label}\n')
    (tmp_path / 'train.txt').write_text(''.join(lines))
    return tmp_path


def config(root, **options):
    return dict(
        type='mmpaco.ImageListDataset',
        ann_file='train.txt',
        data_root=str(root),
        pipeline=[dict(type='LoadImageFromFile')],
        **options,
    )


@pytest.mark.parametrize('lazy_init', (False, True))
@pytest.mark.parametrize('serialize_data', (False, True))
def test_images_and_labels_are_those_of_the_list(
    root, lazy_init, serialize_data
):
    dataset = DATASETS.build(
        config(root, lazy_init=lazy_init, serialize_data=serialize_data)
    )
    assert dataset._fully_initialized is not lazy_init
    labels = dataset.get_gt_labels()
    assert labels.dtype == np.int64 and labels.tolist() == LABELS
    assert len(dataset) == len(LABELS)
    for i in range(len(LABELS)):
        item = dataset[i]
        assert abs(item['img'].mean() - 20 * i) < 3
        assert item['gt_label'] == LABELS[i]
        assert dataset.get_cat_ids(i) == [LABELS[i]]


def test_prefix_is_where_the_paths_start(root):
    text = (root / 'train.txt').read_text().replace('images/', '')
    (root / 'lists').mkdir()
    (root / 'lists' / 'short.txt').write_text(text)
    options = dict(config(root), ann_file='lists/short.txt')
    dataset = DATASETS.build(dict(options, data_prefix='images'))
    assert dataset[9]['img'].shape == (8, 9, 3)


def test_number_and_names_of_classes(root):
    def classes(**options):
        return DATASETS.build(config(root, **options)).CLASSES

    assert classes() is None
    assert classes(num_classes=3) == ('0', '1', '2')
    assert classes(classes=['a', 'b', 'c'], num_classes=3) == ('a', 'b', 'c')
    assert classes(metainfo=dict(classes=('a', 'b', 'c'))) == ('a', 'b', 'c')
    with pytest.raises(ValueError, match='num_classes=4, but 3 class names'):
        classes(classes=['a', 'b', 'c'], num_classes=4)
    with pytest.raises(ValueError, match='at least 1'):
        classes(num_classes=0)


@pytest.mark.parametrize('serialize_data', (False, True))
@pytest.mark.parametrize('indices', (None, 7, -4, [9, 0, 3]))
def test_labels_are_those_of_the_stock_method(root, indices, serialize_data):
    options = config(root, indices=indices, serialize_data=serialize_data)
    dataset = DATASETS.build(options)
    for part in (dataset, dataset.get_subset([2, 0]), dataset.get_subset(-2)):
        expected = BaseDataset.get_gt_labels(part)
        assert part.get_gt_labels().tolist() == expected.tolist()
    dataset.get_subset_(2)
    expected = BaseDataset.get_gt_labels(dataset)
    assert dataset.get_gt_labels().tolist() == expected.tolist()
    assert dataset.get_subset([]).get_gt_labels().tolist() == []


def test_counts_through_wrappers(root):
    options = config(root, num_classes=4, test_mode=True)
    dataset = DATASETS.build(options)

    def counts(wrapped):
        return count_labels(wrapped, 4).tolist()

    assert count_labels(dataset).tolist() == [6, 3, 1, 0]
    assert counts(ConcatDataset([options, dataset])) == [12, 6, 2, 0]
    assert counts(RepeatDataset(dataset, times=3)) == [6, 3, 1, 0]
    balanced = ClassBalancedDataset(dataset, oversample_thr=0.9)
    assert counts(balanced) == [6, 3, 1, 0] and len(balanced) > 10
    assert counts(Subset(dataset, [0, 9, 8])) == [1, 1, 1, 0]
    fold = KFoldDataset(options, fold=4, num_splits=5)
    assert counts(fold) == [6, 2, 0, 0]
    drawn = LongTailedDataset(config(root), factor=6)
    assert counts(drawn) == [6, 2, 1, 0]


def test_runner_trains_on_a_list_and_sets_its_prior(mnist_config, tmp_path):
    """The stock Runner, LeNet-5 and images of 32 x 32 in two folders."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), np.arange(11, 1, -1))
    lines = []
    for i, label in enumerate(labels):
        path = tmp_path / 'digits' / f'{i % 2}' / f'{i}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        image = random.integers(0, 255, (32, 32)).astype(np.uint8)
        assert cv2.imwrite(str(path), image)
        lines.append(f'{i % 2}/{i}.png {label}\n')
    (tmp_path / 'digits' / 'train.txt').write_text(''.join(lines))
    cfg = mnist_config('baselines/balanced-softmax_lenet5_mnist5k-lt.py')
    cfg.train_dataloader.dataset = config(tmp_path / 'digits', num_classes=10)
    cfg.train_dataloader.dataset.pipeline = [
        dict(type='LoadImageFromFile', color_type='grayscale'),
        dict(type='PackInputs'),
    ]
    runner = Runner.from_cfg(cfg)
    runner.train()
    prior = runner.model.head.loss_module.prior
    assert prior.class_counts.tolist() == list(range(11, 1, -1))


PATHS = st.lists(
    st.from_regex(r'[a-zä]+( [a-z]+){0,2}/\.?[A-Z.-]*[0-9]', fullmatch=True),
    min_size=1,
    unique=True,
)


@settings(max_examples=100, deadline=None)
@given(PATHS, st.data())
def test_list_is_read_whatever_its_spaces_and_line_ends(
    tmp_path_factory, paths, data
):
    def some(*values):
        return data.draw(st.sampled_from(values))

    labels, rows, lines = [], [], []
    for path in paths:
        rows += [' ', '\t'][: some(0, 1, 2)]
        labels.append(data.draw(st.integers(0, 2**31 - 1)))
        before = some('', ' ', './', 'x/../', './/')
        rows.append(f'{before}{path}{some(" ", "  ", chr(9))}{labels[-1]}')
        lines.append(len(rows))
    text = ''.join(row + some('', ' ') + some(*LINE_ENDS) for row in rows)
    file = tmp_path_factory.getbasetemp() / 'drawn.txt'
    file.write_bytes((some('', '\ufeff') + text).encode())
    listed = read_image_list(str(file))
    assert listed.paths == paths
    assert listed.labels.tolist() == labels
    assert listed.lines.tolist() == lines
    assert listed.problems == []


@pytest.mark.parametrize('end', ('', '\n', '\r\n\r\n\n', '\n \n\n'))
def test_end_of_the_list_does_not_matter(tmp_path, end):
    file = tmp_path / 'train.txt'
    file.write_bytes(f'a.jpg 0\n\nb.jpg 1{end}'.encode())
    listed = read_image_list(str(file))
    assert listed.paths == ['a.jpg', 'b.jpg']
    assert listed.lines.tolist() == [1, 3]


@pytest.mark.parametrize(
    'line, kind, text',
    (
        ('b.jpg', 'line without a label', "'b.jpg' is one field"),
        ('4', 'line without a label', "'4' is one field"),
        ('b c.jpg', 'label that is no integer', "'c.jpg' of 'b' is no int"),
        ('b.jpg 1.0', 'label that is no integer', "'1.0' of 'b.jpg'"),
        ('b.jpg 1_0', 'label that is no integer', "'1_0' of 'b.jpg'"),
        ('b.jpg ' + '9' * 5000, 'label that is no integer', 'no integer'),
        ('b.jpg -1', 'label out of range', 'label -1 .* expected 0 to 2'),
        ('b.jpg 3', 'label out of range', 'label 3 .* expected 0 to 2'),
        ('a.jpg 0', 'path listed twice', "'a.jpg' is in line 2 already"),
        ('./a.jpg 1', 'path listed twice', "'a.jpg' is in line 2 already"),
        ('/b.jpg 1', 'absolute path', "'/b.jpg' is absolute"),
        (r'C:\b.jpg 1', 'absolute path', 'is absolute'),
        ('s3://b/b.jpg 1', 'absolute path', "'s3://b/b.jpg' is absolute"),
        ('../b.jpg 1', 'path out of the root', "'../b.jpg' climbs out"),
        (r'..\b.jpg 1', 'path out of the root', 'climbs out of the root'),
        ('.. 1', 'path out of the root', "'..' climbs out"),
        ('c/../../b.jpg 1', 'path out of the root', "'../b.jpg' climbs out"),
    ),
)
def test_wrong_line_is_told_with_file_and_number(tmp_path, line, kind, text):
    file = tmp_path / 'train.txt'
    file.write_text(f'\na.jpg 0\n\n{line}\nc.jpg 1\nd.jpg 2\n')
    with pytest.raises(ValueError, match=f'{file}:4: .*{text}'):
        ImageListDataset(str(file), num_classes=3)
    listed = read_image_list(str(file), 3)
    assert [(x.kind, x.line) for x in listed.problems] == [(kind, 4)]
    repeated = kind == 'path listed twice'
    assert len(listed.paths) == len(listed.lines) == 3 + repeated


def test_first_problems_are_told_and_the_others_counted(tmp_path):
    file = tmp_path / 'train.txt'
    file.write_text(''.join(f'{i}.jpg x\n' for i in range(1, 9)))
    with pytest.raises(ValueError, match=':5: .*\n  and 3 more\n.*check_list'):
        ImageListDataset(str(file))


def test_label_without_a_known_number_of_classes_is_bounded(tmp_path):
    file = tmp_path / 'train.txt'
    file.write_text('a.jpg 2147483648\n')
    with pytest.raises(ValueError, match=r':1: .*expected 0 to 2147483647'):
        ImageListDataset(str(file))


@pytest.mark.parametrize('text', ('', '\ufeff', ' \n\r\n'))
def test_empty_list_is_refused(tmp_path, text):
    file = tmp_path / 'train.txt'
    file.write_text(text, encoding='utf-8')
    for num_classes in (None, 3):
        with pytest.raises(ValueError, match=f'{file}: the list names no im'):
            ImageListDataset(str(file), num_classes)


def test_class_without_images_is_refused_in_training(tmp_path):
    file = tmp_path / 'train.txt'
    file.write_text('a.jpg 1\n')
    with pytest.raises(ValueError, match='2 of 3 classes have no image: 0, 2'):
        ImageListDataset(str(file), num_classes=3)
    with pytest.raises(ValueError, match='0, 2, .*, 10 and 9 more'):
        ImageListDataset(str(file), num_classes=20)
    assert len(ImageListDataset(str(file))) == 1
    assert len(ImageListDataset(str(file), num_classes=3, test_mode=True)) == 1


def test_missing_list_and_other_encodings_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='no.txt.*ann_file'):
        ImageListDataset('no.txt', data_root=str(tmp_path))
    file = tmp_path / 'train.txt'
    for encoding, line in (('latin-1', 2), ('utf-16', 1)):
        file.write_bytes('a.jpg 0\r\nä.jpg 1\r\n'.encode(encoding))
        with pytest.raises(ValueError, match=f'{file}:{line}: .* UTF-8'):
            ImageListDataset(str(file))


def damage(path, kind):
    if kind == 'missing':
        path.unlink()
    elif kind == 'empty':
        path.write_bytes(b'')
    elif kind == 'no image':
        path.write_bytes(b'<html>not found</html>')
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize('workers', (0, 1))
@pytest.mark.parametrize('backend', ('cv2', 'pillow'))
@pytest.mark.parametrize('kind', ('missing', 'empty', 'no image', 'cut'))
def test_image_that_cannot_be_read_is_named_with_its_line(
    root, kind, backend, workers
):
    if (kind, backend) == ('cut', 'cv2') and cv2.__version__ < '5':
        pytest.skip('OpenCV before 5 takes half an image for a whole one')
    name = 'images/class 1/no 7.jpg'
    damage(root / name, kind)
    options = config(root)
    options['pipeline'][0]['imdecode_backend'] = backend
    dataset = DATASETS.build(options)
    assert dataset[6]['gt_label'] == 1
    loader = DataLoader(Subset(dataset, [7]), num_workers=workers)
    error = FileNotFoundError if kind == 'missing' else RuntimeError
    told = f'{root}/train.txt:8: {root / name} cannot be loaded'
    with pytest.raises(error, match=told):
        next(iter(loader))


def published(facts, num_classes):
    """Draw labels that agree with what is published about a list."""
    largest, smallest = facts.largest or 1000, facts.smallest or 2
    counts = np.full(num_classes, smallest)
    spare = facts.images - counts.sum()
    for label in range(num_classes):
        added = min(spare, largest - smallest)
        counts[label] += added
        spare -= added
    assert spare == 0
    return np.repeat(np.arange(num_classes), counts)


def write_list(path, labels):
    # Names as long as those of iNaturalist 2018.
    path.write_text(
        ''.join(
            f'images/{label}/{i:032}.jpg {label}\n'
            for i, label in enumerate(labels.tolist())
        )
    )


@pytest.mark.parametrize(
    'num_images',
    (100_000, pytest.param(1_000_000, marks=pytest.mark.slow)),
)
def test_long_lists_are_read_whole_and_checked_to_the_last_line(
    tmp_path, num_images
):
    """Shows the time (``pytest -s``)."""
    labels = np.arange(num_images) % 8142
    file = tmp_path / 'train.txt'
    write_list(file, labels)
    start = time.perf_counter()
    dataset = ImageListDataset(str(file), 8142)
    print(f'{num_images} images: {time.perf_counter() - start:.1f} s')
    assert len(dataset) == num_images
    assert count_labels(dataset).tolist() == np.bincount(labels).tolist()
    for i in (0, num_images - 1):
        info = dataset.get_data_info(i)
        assert info['gt_label'] == labels[i]
        assert info['img_path'] == f'images/{labels[i]}/{i:032}.jpg'

    with file.open('a') as lines:
        lines.write(f'images/0/{0:032}.jpg 0\n')
    message = f'{file}:{num_images + 1}: .* is in line 1 already'
    with pytest.raises(ValueError, match=message):
        ImageListDataset(str(file))


@pytest.mark.slow
def test_a_million_images_take_less_than_a_gibibyte(tmp_path):
    """At most, while the list is read; shows both (``pytest -s``)."""
    file = tmp_path / 'train.txt'
    write_list(file, np.arange(1_000_000) % 8142)
    tracemalloc.start()
    try:
        dataset = ImageListDataset(str(file), 8142)
        kept, peak = (x >> 20 for x in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
    print(f'{len(dataset)} images: {peak} MiB at most, {kept} MiB kept')
    assert kept < 256 and peak < 1024


@pytest.mark.parametrize(
    'dataset, split, name, total, extremes',
    (
        (ImageNetLT, 'train', 'ImageNet_LT_train.txt', 115846, (1280, 5)),
        (ImageNetLT, 'val', 'ImageNet_LT_val.txt', 20000, (20, 20)),
        (ImageNetLT, 'test', 'ImageNet_LT_test.txt', 50000, (50, 50)),
        (PlacesLT, 'train', 'Places_LT_train.txt', 62500, (4980, 5)),
        (PlacesLT, 'val', 'Places_LT_val.txt', 7300, (20, 20)),
        (PlacesLT, 'test', 'Places_LT_test.txt', 36500, (100, 100)),
        (INaturalist2018, 'train', 'iNaturalist18_train.txt', 437513, None),
        (INaturalist2018, 'val', 'iNaturalist18_val.txt', 24426, (3, 3)),
    ),
)
def test_published_lists_are_told_from_others(
    tmp_path, dataset, split, name, total, extremes
):
    num_classes = {ImageNetLT: 1000, PlacesLT: 365, INaturalist2018: 8142}
    labels = published(dataset.SPLITS[split], num_classes[dataset])
    write_list(tmp_path / name, labels)
    options = dict(
        type=f'mmpaco.{dataset.__name__}', data_root=str(tmp_path), split=split
    )
    data = DATASETS.build(options)
    assert len(data) == total
    counts = count_labels(data)
    assert len(counts) == len(data.CLASSES) == num_classes[dataset]
    assert extremes in (None, (counts.max(), counts.min()))

    write_list(tmp_path / name, labels[:-1])
    with pytest.raises(ValueError, match='ImageListDataset') as raised:
        DATASETS.build(options)
    if split == 'train' and dataset is not INaturalist2018:
        told = f'{dataset.__name__}, split train: images {total - 1}, expected'
        assert f'{told} {total}' in str(raised.value)


def test_right_total_with_wrong_classes_is_refused(tmp_path):
    labels = published(ImageNetLT.SPLITS['val'], 1000)
    labels[0] = 999
    write_list(tmp_path / 'mine.txt', labels)
    options = dict(data_root=str(tmp_path), ann_file='mine.txt')
    message = 'largest class 21, expected 20; images of the smallest 19'
    with pytest.raises(ValueError, match=f'mine.txt is not .*{message}'):
        ImageNetLT(split='val', **options)
    with pytest.raises(ValueError, match='split must be one of train, val, '):
        ImageNetLT(split='trainval', **options)
    with pytest.raises(ValueError, match='train, val, but got .test.'):
        INaturalist2018(split='test', **options)
    assert len(ImageListDataset(num_classes=1000, **options)) == 20000


def test_classes_of_imagenet_lt_have_their_names():
    data = ImageNetLT(lazy_init=True)
    assert data.CLASSES[0].startswith('tench')
    assert data.CLASSES[999].startswith('toilet')


@pytest.mark.parametrize(
    'options, shape',
    (
        (dict(), (16, 8, 3)),
        (dict(color_type='color_ignore_orientation'), (8, 16, 3)),
    ),
)
def test_a_photograph_is_upright_unless_it_is_read_as_released(
    tmp_path, options, shape
):
    """As docs/datasets.md and docs/differences.md say."""
    image = Image.new('RGB', (16, 8))
    exif = image.getexif()
    exif[0x0112] = 6  # The camera was turned by a quarter.
    image.save(tmp_path / 'a.jpg', exif=exif)
    (tmp_path / 'train.txt').write_text('a.jpg 0')
    step = dict(type='LoadImageFromFile', **options)
    dataset = DATASETS.build(dict(config(tmp_path), pipeline=[step]))
    assert dataset[0]['img'].shape == shape
