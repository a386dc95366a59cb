"""Lists and images from pickles in the layout of cifar-100-python.tar.gz."""

import hashlib
import pickle
import shutil
from random import Random

import numpy as np
import pytest
from mmpretrain.datasets import CIFAR100
from PIL import Image
from support.cifar100_archive import (
    TESTED,
    name_of,
    number_of,
    pixels_of,
    write_archive,
)
from support.tools import call_here

from mmpaco.cls.datasets import ImageListDataset
from mmpaco.converters import cifar100_lt
from mmpaco.converters.cifar100_lt import write_cifar100_lt

TOOL = 'dataset_converters/cifar100_lt.py'
CLASSES = CIFAR100.METAINFO['classes']
SIZES = {
    'train_if10': 19_573,
    'train_if50': 12_608,
    'train_if100': 10_847,
    'val': 1972,
}
# Lines of label and place in the sorted names of the class, as in the lists
# that docs/evidence_cifar100-lt.md is about.
SHA256 = {
    'train_if10': 'ebb280ebe721aa4b7d6b023601e5db7b'
    '0af51302ef57935b61456ce9596e749e',
    'train_if50': 'f3f402745f7e0ecd8dd0d2650ac664c2'
    '66255cd7658507475fb77da4ccabad66',
    'train_if100': 'd53aa25a7ac242fbac5486568e8ade7a'
    '78eea4be416460af186fde99d866b7b9',
    'val': '1e5855293b0d9f2eb303382f1e59ac2cb2db12a16b305fcf21dd3c80ba0a48b2',
}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The folder written from 100 classes, and what was saved as images.

    They are not written: to remove so many takes minutes on some disks.
    """
    saved = {}

    def save(image, path):
        image = np.asarray(image)
        saved[path] = int(image[0, 0] @ [1, 256, 65536])

    root = tmp_path_factory.mktemp('whole')
    out = root / 'cifar100_lt'
    with pytest.MonkeyPatch.context() as patch:
        source = write_archive(root / 'cifar-100-python', patch, 100)
        patch.setattr(Image.Image, 'save', save)
        result = call_here(root, TOOL, source, '--out', out)
    assert result.returncode == 0, result.stderr
    for name, size in SIZES.items():
        assert f'{out}/{name}.txt: {size} images' in result.stdout
    shutil.rmtree(source)
    return out, saved


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Three classes of 500 images."""
    monkeypatch.setattr(cifar100_lt, '_CLASSES', CLASSES[:3])
    return write_archive(tmp_path / 'cifar-100-python', monkeypatch, 3)


@pytest.fixture
def written(archive, tmp_path):
    out = tmp_path / 'written'
    assert write_cifar100_lt(archive, out)['test.txt'] == 3 * TESTED
    return out


def listed(out, *names):
    """Number of the image of each path of some lists."""
    return {
        path: number_of(int(label), int(path[: -len('.png')].split('_')[-2]))
        for name in names
        for path, label in map(
            str.split, (out / f'{name}.txt').read_text().splitlines()
        )
    }


def shuffled(random):
    """500 places, each swapped with one that is not above it."""
    places = list(range(500))
    for last in range(499, 0, -1):
        while True:
            other = random.getrandbits((last + 1).bit_length())
            if other <= last:
                break
        places[last], places[other] = places[other], places[last]
    return places


def expected():
    """Label and place of the images of each list."""
    random, lists = Random(0), {name: [] for name in SIZES}
    for label in range(100):
        places = shuffled(random)
        pairs = [(label, place) for place in places]
        for factor in (10, 50, 100):
            count = int(500 / factor ** (label / 99) + 1e-6)
            lists[f'train_if{factor}'] += pairs[:count]
        kept = int(500 / 10 ** (label / 99) + 1e-6)
        lists['val'] += pairs[kept:][-20:]
    return lists


def test_lists_are_those_of_the_evidence(whole):
    out, _ = whole
    lists = expected()
    for name, digest in SHA256.items():
        text = ''.join(f'{label} {place}\n' for label, place in lists[name])
        assert hashlib.sha256(text.encode()).hexdigest() == digest
    lists['test'] = [(c, i) for c in range(100) for i in range(TESTED)]
    for name, pairs in lists.items():
        part = 'test' if name == 'test' else 'train'
        text = ''.join(
            f'{part}/{CLASSES[label]}/{name_of(label, place)} {label}\n'
            for label, place in pairs
        )
        assert (out / f'{name}.txt').read_text() == text
    text = ''.join(f'{name}\n' for name in CLASSES)
    assert (out / 'classes.txt').read_text() == text


def test_each_listed_image_and_no_other_is_written_to_its_path(whole):
    out, saved = whole
    numbers = listed(out, 'train_if10', 'val', 'test')
    assert len(numbers) == 19_573 + 1972 + 100 * TESTED
    assert saved == {out / path: numbers[path] for path in numbers}


def test_no_image_to_validate_is_trained_on(whole):
    out, _ = whole
    lists = {name: set(listed(out, name)) for name in SIZES}
    assert not lists['val'] & lists['train_if10']
    assert lists['train_if100'] < lists['train_if50'] < lists['train_if10']


def test_images_show_what_the_archive_has(written):
    numbers = listed(written, 'train_if10', 'val', 'test')
    assert set(numbers) == {
        path.relative_to(written).as_posix() for path in written.rglob('*.png')
    }
    for path, number in numbers.items():
        with Image.open(written / path) as image:
            assert image.mode == 'RGB'
            found = np.asarray(image).transpose(2, 0, 1)
        np.testing.assert_array_equal(found, pixels_of(number))


def test_the_image_list_reads_them(written):
    dataset = ImageListDataset(
        data_root=str(written),
        ann_file='train_if100.txt',
        num_classes=3,
        pipeline=[dict(type='LoadImageFromFile')],
    )
    assert np.bincount(dataset.get_gt_labels()).tolist() == [500, 50, 5]
    # Files keep the colours; the loader gives them the other way round.
    number = list(listed(written, 'train_if100').values())[7]
    np.testing.assert_array_equal(
        dataset[7]['img'][..., ::-1].transpose(2, 0, 1), pixels_of(number)
    )


def test_another_call_writes_what_is_lacking_alone(archive, written):
    def state():
        return {
            path: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in written.rglob('*.png')
        }

    before = state()
    gone, cut, empty = list(before)[::300]
    gone.unlink()
    cut.write_bytes(before[cut][0][:-30])
    empty.write_bytes(b'')
    write_cifar100_lt(archive, written)
    after = state()
    assert {path: x for path, (x, _) in after.items()} == {
        path: x for path, (x, _) in before.items()
    }
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {gone, cut, empty}


@pytest.mark.parametrize('place', (11, 36))
def test_a_damaged_image_is_none(tmp_path, place):
    """One whose header has another length, and one whose data has."""
    path = tmp_path / 'image.png'
    pixels = np.full((32, 32, 3), 7, np.uint8)
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(cifar100_lt._pixels(path), pixels)
    content = bytearray(path.read_bytes())
    content[place] = 5
    path.write_bytes(content)
    assert cifar100_lt._pixels(path) is None


def test_other_lists_and_images_are_left_alone(archive, tmp_path):
    out = tmp_path / 'out'
    path = out / 'val.txt'
    out.mkdir()
    path.write_text('mine.png 0\n')
    with pytest.raises(FileExistsError, match=r'val\.txt.*empty --out'):
        write_cifar100_lt(archive, out)
    assert path.read_text() == 'mine.png 0\n'
    path.unlink()
    # The same image in another size.
    path = out / 'test/apple' / name_of(0, 1)
    path.parent.mkdir(parents=True)
    Image.new('RGB', (64, 64)).save(path)
    content = path.read_bytes()
    with pytest.raises(FileExistsError, match=f'{path.name}.*empty --out'):
        write_cifar100_lt(archive, out)
    assert path.read_bytes() == content
    assert [x for x in out.rglob('*') if x.is_file()] == [path]


def test_a_folder_above_and_cifar10_are_refused(archive, tmp_path):
    cifar10 = tmp_path / 'cifar-10-batches-py'
    cifar10.mkdir()
    (cifar10 / 'data_batch_1').write_bytes(b'')
    for source in (archive.parent, cifar10, archive / 'train'):
        with pytest.raises(
            FileNotFoundError, match='give the folder cifar-100-python itself'
        ):
            write_cifar100_lt(source, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_a_pickle_of_somebody_else_is_not_opened(archive, tmp_path):
    ran = tmp_path / 'ran'
    content = pickle.dumps(Code(ran))
    pickle.loads(content)
    ran.unlink()
    for name, others in (('train', 'test'), ('test', 'train')):
        source = tmp_path / name
        source.mkdir()
        (source / name).write_bytes(content)
        (source / others).symlink_to(archive / others)
        digest = hashlib.md5(content).hexdigest()
        with pytest.raises(ValueError, match=f'{digest}, expected .* unpack'):
            write_cifar100_lt(source, tmp_path / 'out')
    assert not ran.exists()
    assert not (tmp_path / 'out').exists()


def test_a_file_that_was_cut_off_is_refused(archive, tmp_path):
    path = archive / 'train'
    path.write_bytes(path.read_bytes()[:-1])
    result = call_here(tmp_path, TOOL, archive)
    assert result.returncode == 1
    assert 'train is not that of CIFAR-100' in result.stderr
    assert 'Traceback' not in result.stderr
