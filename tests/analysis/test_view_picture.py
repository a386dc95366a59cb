"""Pictures of pipelines, as a user draws them."""

import sys
from itertools import groupby

import cv2
import numpy as np
import pytest
from support.paths import TOOLS

pytest.importorskip('matplotlib')

from mmpaco.analysis.view_picture import draw_views

TOOL = TOOLS / 'analysis_tools/show_pipeline.py'
KEEP = """
view = [
    dict(type='NumpyToPIL', to_rgb={bgr}),
    dict(type='PILToNumpy', to_bgr={bgr}),
]
"""


def panels(path, colour):
    """Count runs of a colour (RGB) along the lines that have most of it.

    Runs of a few pixels are letters.
    """
    hit = (cv2.imread(str(path))[..., ::-1] == colour).all(axis=-1)
    counts = []
    for lines in (hit, hit.T):
        line = lines[lines.sum(axis=1).argmax()]
        runs = [len(list(run)) for value, run in groupby(line) if value]
        counts.append(sum(length > 20 for length in runs))
    return tuple(counts)


@pytest.fixture
def blue(tmp_path):
    image = np.zeros((120, 150, 3), np.uint8)
    image[..., 0] = 255
    paths = [str(tmp_path / f'{i}.png') for i in range(3)]
    for path in paths:
        assert cv2.imwrite(path, image)
    return paths


@pytest.mark.parametrize('bgr', [True, False])
def test_a_pipeline_is_drawn_in_its_colours(tmp_path, blue, bgr):
    config, out = tmp_path / 'keep.py', tmp_path / 'out.png'
    config.write_text(KEEP.format(bgr=bgr))
    draw_views(config, out, blue, draws=4)
    # An image and four views of it, of each of three images.
    assert panels(out, (0, 0, 255)) == (5, 3)


def test_the_tool_draws_what_its_options_say(run, tmp_path, blue):
    config, out = tmp_path / 'keep.py', tmp_path / 'out.jpg'
    config.write_text(KEEP.format(bgr=True))
    options = ('--draws', 1, '--size', 32, '--images', *blue[:2])
    run(sys.executable, TOOL, config, out, *options)
    draw_views(config, tmp_path / 'same.jpg', blue[:2], draws=1, size=32)
    assert out.read_bytes() == (tmp_path / 'same.jpg').read_bytes()
    assert out.read_bytes()[:2] == b'\xff\xd8'


def test_the_views_of_a_config_are_drawn_from_its_training_set(
    tmp_path, mnist_config
):
    config, out = tmp_path / 'config.py', tmp_path / 'out.png'
    mnist_config('gpaco/lenet5_mnist5k-lt.py').dump(str(config))
    draw_views(config, out, num_images=4, draws=2)
    # A digit and two views of it, each drawn twice.
    assert panels(out, (0, 0, 0)) == (5, 4)


def test_a_seed_gives_a_picture_again(tmp_path, blue):
    pipelines = TOOL.parents[2] / 'configs/_base_/pipelines'
    pictures = []
    for seed in (1, 1, 2):
        path = tmp_path / 'picture.png'
        draw_views(pipelines / 'cifar_sim.py', path, blue, size=32, seed=seed)
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize(
    'text, options, error, words',
    [
        (KEEP.format(bgr=True), dict(), ValueError, 'give images'),
        ('seed = 1', dict(), ValueError, 'neither a train_dataloader'),
        (
            'train_dataloader = dict(dataset=dict(pipeline=[]))',
            dict(),
            ValueError,
            'has no pipeline',
        ),
        (
            KEEP.format(bgr=True),
            dict(images=['nothing.png']),
            FileNotFoundError,
            'nothing.png is missing',
        ),
        (
            KEEP.format(bgr=True),
            dict(draws=0),
            ValueError,
            'draws must be positive, but got 0',
        ),
        (
            KEEP.format(bgr=True),
            dict(size=0),
            ValueError,
            'size must be positive, but got 0',
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(tmp_path, text, options, error, words):
    config = tmp_path / 'config.py'
    config.write_text(text)
    with pytest.raises(error, match=words):
        draw_views(config, tmp_path / 'out.png', **options)
