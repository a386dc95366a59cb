"""Lists and images from pickles in the layout of cifar-100-python.tar.gz."""

import hashlib
import pickle
import shutil
import struct
from random import Random

import numpy as np
import pytest
from mmpretrain.datasets import CIFAR100
from PIL import Image
from support.tools import call_here

from mmpaco.cls.datasets import ImageListDataset
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
# Few, to be quick: the draw is of the others.
TESTED = 2


def string(text):
    """As Python 2 pickles its str, which are bytes today."""
    if len(text) < 256:
        return b'U' + bytes([len(text)]) + text
    return b'T' + struct.pack('<i', len(text)) + text


def write_python2(path, images, names, labels):
    """Write what Python 2 made of a dict with an array of numpy 1."""
    head = [b'\x80\x02}(']
    head += [string(b'filenames'), b'(', *map(string, names), b'l']
    head += [string(b'fine_labels'), b'(']
    head += [b'K' + bytes([label]) for label in labels]
    head += [b'l', string(b'data'), b'cnumpy.core.multiarray\n_reconstruct\n']
    head += [b'(cnumpy\nndarray\nK\x00\x85', string(b'b'), b'tR(K\x01']
    head += [b'J' + struct.pack('<i', size) for size in images.shape]
    head += [b'\x86cnumpy\ndtype\n(', string(b'u1'), b'K\x00K\x01tR(K\x03']
    head += [string(b'|'), b'NNN', 2 * (b'J' + struct.pack('<i', -1))]
    head += [b'K\x00tb\x89T', struct.pack('<i', images.nbytes)]
    with path.open('wb') as file:
        file.write(b''.join(head))
        images.tofile(file)
        file.write(b'tbu.')


def name_of(label, place):
    """Names sort by their place, but not by the length of the first word."""
    word = ('bos_taurus', 'cow', 'kine_s')[place // 200]
    return f'{word}_s_{place:06}_{label}.png'


def pixels_of(number):
    """An image that no other number has, with other colours and no symmetry.

    uint8 of shape (3, 32, 32).
    """
    image = np.arange(3 * 32 * 32).reshape(3, 32, 32) // 7 % 256
    image[:, 0, 0] = number % 256, number // 256 % 256, number // 65536
    return image.astype(np.uint8)


def number_of(label, place):
    return 500 * label + place


def write_split(path, numbers):
    images = np.tile(pixels_of(0).reshape(-1), (len(numbers), 1))
    for channel in range(3):
        images[:, 1024 * channel] = numbers >> 8 * channel & 255
    pairs = [divmod(number, 500) for number in numbers.tolist()]
    names = [name_of(*pair).encode() for pair in pairs]
    write_python2(path, images, names, [label for label, _ in pairs])


@pytest.fixture(scope='module')
def known():
    """Lets MD5 sums be those of other files."""
    with pytest.MonkeyPatch.context() as patch:

        def know(folder):
            for name in ('train', 'test'):
                digest = hashlib.md5((folder / name).read_bytes()).hexdigest()
                patch.setattr(CIFAR100, f'{name}_list', [[name, digest]])

        yield know


@pytest.fixture(scope='module')
def archive(tmp_path_factory, known):
    folder = tmp_path_factory.mktemp('cifar') / 'cifar-100-python'
    folder.mkdir()
    random = np.random.RandomState(5)
    tested = (500 * np.arange(100)[:, None] + np.arange(TESTED)).reshape(-1)
    write_split(folder / 'train', random.permutation(50_000))
    write_split(folder / 'test', random.permutation(tested))
    known(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope='module')
def written(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp('written') / 'cifar100_lt'
    result = call_here(out.parent, TOOL, archive, '--out', out)
    assert result.returncode == 0, result.stderr
    for name, size in SIZES.items():
        assert f'{out}/{name}.txt: {size} images' in result.stdout
    yield out
    shutil.rmtree(out)


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


def test_lists_are_those_of_the_evidence(written):
    lists = expected()
    lists['test'] = [(c, i) for c in range(100) for i in range(TESTED)]
    for name, pairs in lists.items():
        part = 'test' if name == 'test' else 'train'
        text = ''.join(
            f'{part}/{CLASSES[label]}/{name_of(label, place)} {label}\n'
            for label, place in pairs
        )
        assert (written / f'{name}.txt').read_text() == text
    for name, digest in SHA256.items():
        text = ''.join(f'{label} {place}\n' for label, place in lists[name])
        assert hashlib.sha256(text.encode()).hexdigest() == digest
    text = ''.join(f'{name}\n' for name in CLASSES)
    assert (written / 'classes.txt').read_text() == text


def test_no_image_to_validate_is_trained_on(written):
    lines = {
        name: (written / f'{name}.txt').read_text().splitlines()
        for name in SIZES
    }
    assert not {*lines['val']} & {*lines['train_if10']}
    assert {*lines['train_if100']} < {*lines['train_if50']}
    assert {*lines['train_if50']} < {*lines['train_if10']}


def test_only_what_is_listed_is_written_and_shows_the_same(written):
    paths = {
        path: int(path.rpartition('_')[0].rpartition('_')[2])
        for name in ('train_if10', 'val', 'test')
        for path, _ in map(
            str.split, (written / f'{name}.txt').read_text().splitlines()
        )
    }
    found = {
        path.relative_to(written).as_posix() for path in written.rglob('*.png')
    }
    assert found == set(paths)
    for path, place in sorted(paths.items())[::61]:
        label = CLASSES.index(path.split('/')[1])
        with Image.open(written / path) as image:
            assert image.mode == 'RGB'
            np.testing.assert_array_equal(
                np.asarray(image).transpose(2, 0, 1),
                pixels_of(number_of(label, place)),
            )


def test_the_image_list_reads_them(written):
    dataset = ImageListDataset(
        data_root=str(written),
        ann_file='train_if100.txt',
        num_classes=100,
        pipeline=[dict(type='LoadImageFromFile')],
    )
    counts = np.bincount(dataset.get_gt_labels())
    assert counts[[0, 1, 99]].tolist() == [500, 477, 5]
    # Files keep the colours; the loader gives them the other way round.
    label, place = expected()['train_if100'][7]
    np.testing.assert_array_equal(
        dataset[7]['img'][..., ::-1].transpose(2, 0, 1),
        pixels_of(number_of(label, place)),
    )


def test_another_call_writes_what_is_lacking_alone(archive, written):
    def state():
        return {
            path: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in written.rglob('*.png')
        }

    before = state()
    gone, cut, empty = list(before)[::9000]
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


def test_other_lists_and_images_are_left_alone(archive, tmp_path):
    path = tmp_path / 'val.txt'
    path.write_text('mine.png 0\n')
    with pytest.raises(FileExistsError, match=r'val\.txt.*empty --out'):
        write_cifar100_lt(archive, tmp_path)
    assert path.read_text() == 'mine.png 0\n'
    path.unlink()
    # The same image in another size.
    path = tmp_path / 'test/apple' / name_of(0, 1)
    path.parent.mkdir(parents=True)
    Image.new('RGB', (64, 64)).save(path)
    content = path.read_bytes()
    with pytest.raises(FileExistsError, match=f'{path.name}.*empty --out'):
        write_cifar100_lt(archive, tmp_path)
    assert path.read_bytes() == content
    assert [x for x in tmp_path.rglob('*') if x.is_file()] == [path]


def test_a_folder_above_and_cifar10_are_refused(archive, tmp_path):
    cifar10 = tmp_path / 'cifar-10-batches-py'
    cifar10.mkdir()
    (cifar10 / 'data_batch_1').write_bytes(b'')
    for source in (archive.parent, cifar10, tmp_path / 'nothere'):
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
    (tmp_path / 'train').write_bytes(b'\x80\x02')
    (tmp_path / 'test').symlink_to(archive / 'test')
    result = call_here(tmp_path, TOOL, '.')
    assert result.returncode == 1
    assert 'train is not that of CIFAR-100' in result.stderr
    assert 'Traceback' not in result.stderr
