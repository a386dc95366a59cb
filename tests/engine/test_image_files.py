"""What is refused because training would make something else of it."""

import io

import numpy as np
import pytest
from PIL import Image
from support.label_maps import (
    IDS,
    RIGHT,
    WRONG,
    one_bit,
    palette,
    photo,
    rgb,
    sixteen_bits,
    small_palette,
)

from mmpaco.engine.image_files import (
    ImageFacts,
    check_pair,
    decode_image,
    load_label_map,
    read_label_map,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'map.png'


@pytest.fixture
def load(path):
    """Load the label map by the step of a stock pipeline."""
    pytest.importorskip('mmseg')
    from mmseg.datasets.transforms import LoadAnnotations

    def load_by(backend, kind=LoadAnnotations):
        info = dict(
            seg_map_path=str(path), reduce_zero_label=False, seg_fields=[]
        )
        return load_label_map(kind(imdecode_backend=backend), info)

    return load_by


@pytest.mark.parametrize('write', RIGHT)
def test_ids_are_read_as_by_a_stock_pipeline(path, load, write):
    write(path)
    np.testing.assert_array_equal(read_label_map(path), IDS)
    np.testing.assert_array_equal(load('pillow'), IDS)


@pytest.mark.parametrize('write', WRONG)
def test_what_training_would_garble_is_refused_with_its_file(
    path, load, write
):
    write(path)
    for read in (lambda: read_label_map(path), lambda: load('pillow')):
        with pytest.raises(ValueError, match=WRONG[write]) as error:
            read()
        assert str(path) in str(error.value)


@pytest.mark.parametrize('write', [one_bit, palette, small_palette, rgb])
def test_another_backend_has_its_own_ways(path, load, write):
    """OpenCV stretches single bits, and turns palettes into colours."""
    write(path)
    with pytest.raises(ValueError, match='map.png'):
        load('cv2')


def test_sixteen_bits_of_small_ids_are_right_by_any_backend(path, load):
    sixteen_bits(path)
    np.testing.assert_array_equal(load('cv2'), IDS)


def test_a_step_of_ones_own_may_read_what_it_likes(path, load):
    pytest.importorskip('mmseg')
    import cv2
    from mmseg.datasets.transforms import LoadAnnotations

    class LoadColours(LoadAnnotations):
        def _load_seg_map(self, results):
            image = cv2.imread(results['seg_map_path'])
            results['gt_seg_map'] = image[..., 0].astype(np.int16)

    rgb(path)
    np.testing.assert_array_equal(load('pillow', LoadColours), IDS)


def test_what_is_missing_is_no_value_error(path, load):
    for read in (lambda: read_label_map(path), lambda: load('pillow')):
        with pytest.raises(FileNotFoundError, match=r'map\.png'):
            read()


def test_a_cut_off_image_is_refused(tmp_path):
    path = tmp_path / 'photo.jpg'
    photo(path, (40, 60))
    content = path.read_bytes()
    assert decode_image(path, content) == ImageFacts((40, 60), 1)
    for left in (len(content) // 2, len(content) - 20, 100, 0):
        with pytest.raises(ValueError, match=r'photo\.jpg'):
            decode_image(path, content[:left])


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('orientation', [None, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_size_and_orientation_are_those_of_the_loader(
    tmp_path, orientation, suffix
):
    mmcv = pytest.importorskip('mmcv')
    path = tmp_path / f'photo{suffix}'
    photo(path, (40, 60), orientation)
    facts = decode_image(path, path.read_bytes())
    assert facts.size == mmcv.imread(path).shape[:2]
    turned = orientation is not None and 1 < orientation < 9
    assert facts.orientation == (orientation if turned else 1)


@pytest.mark.parametrize(
    'size, orientation, of_map, match',
    [
        ((4, 6), 1, (4, 6), None),
        ((4, 6), 1, (6, 4), 'must be equal'),
        ((4, 6), 1, (4, 5), 'must be equal'),
        # Only a map that was made for the turned image is of its size.
        ((6, 4), 6, (6, 4), None),
        ((6, 4), 6, (4, 6), 'EXIF orientation 6'),
        # The sizes do not tell.
        ((4, 4), 8, (4, 4), 'EXIF orientation 8'),
        ((4, 6), 3, (4, 6), 'EXIF orientation 3'),
        ((4, 6), 2, (4, 6), 'EXIF orientation 2'),
    ],
)
def test_a_label_map_lies_on_its_image(size, orientation, of_map, match):
    facts = ImageFacts(size, orientation)
    if match is None:
        check_pair('a.jpg', facts, 'a.png', of_map)
        return
    with pytest.raises(ValueError, match=match) as error:
        check_pair('a.jpg', facts, 'a.png', of_map)
    assert 'a.jpg' in str(error.value) and 'a.png' in str(error.value)


@pytest.mark.parametrize('kind', ('jpeg', 'png', 'webp', 'tiff'))
@pytest.mark.parametrize('orientation', (1, 3, 6))
def test_the_orientation_of_every_format_is_seen(kind, orientation):
    """Pillow drops that of a TIFF when it loads it."""
    exif = Image.Exif()
    exif[0x112] = orientation
    content = io.BytesIO()
    pixels = np.zeros((4, 6, 3), np.uint8)
    Image.fromarray(pixels).save(content, format=kind, exif=exif)
    size = (6, 4) if orientation == 6 else (4, 6)
    assert decode_image('x', content.getvalue()) == ImageFacts(
        size, orientation
    )
