"""The tutorials run as they stand, but for shorter trainings."""

import json
import re

import pytest
import torch
from support.pages import code, follow

ONE_EPOCH = (
    ('max_epochs=30, val_interval=30', 'max_epochs=1, val_interval=1'),
    ('epoch_30.pth', 'epoch_1.pth'),
)


def assert_printed(page, number, printed):
    """What a page says that a command prints is what it printed."""
    shown = code(page, 'text')[number].split()
    found = ' '.join(x for x in printed if isinstance(x, str)).split()
    assert ' '.join(shown) in ' '.join(found)


@pytest.fixture(scope='module')
def own_images(tmp_path_factory):
    """Give the folder in which the first tutorial was followed."""
    pytest.importorskip('mmpretrain')
    folder = tmp_path_factory.mktemp('own-images')
    printed = follow('tutorials/own-images.md', folder, ONE_EPOCH)
    return folder, printed


def test_own_images(own_images):
    from matplotlib.image import imread

    folder, printed = own_images
    for number in (1, 2):  # The check of the list, and what was decided.
        assert_printed('tutorials/own-images.md', number, printed)
    assert imread(folder / 'work_dirs/classes.png').min() < 0.5
    # A class by its name, and its score.
    name, score = re.search(
        r'([a-z]+) ([\d.]+)$', printed[-1].strip()
    ).groups()
    assert (folder / 'data/digits/train' / name).is_dir()
    assert 0 < float(score) <= 1


def test_own_images_by_hand_are_those_by_the_command(own_images):
    from mmengine.config import Config

    folder, _ = own_images
    by_hand, by_command = (
        Config.fromfile(folder / f'digits_{how}.py')
        for how in ('by_hand', 'gpaco')
    )
    # Of what is measured in training, which the base says.
    del by_command.model.head.topk
    for key in by_command:
        assert by_hand[key] == by_command[key], key


def test_own_segmentation(tmp_path):
    pytest.importorskip('mmseg')
    from mmengine.config import Config

    printed = follow(
        'tutorials/own-segmentation.md',
        tmp_path,
        (
            ('max_iters=400, val_interval=400', 'max_iters=2, val_interval=2'),
            ('iter_400.pth', 'iter_2.pth'),
        ),
    )
    assert_printed('tutorials/own-segmentation.md', 1, printed)
    counted = json.loads((tmp_path / 'notes.json').read_text())['pixels']
    cfg = Config.fromfile(tmp_path / 'notes.py')
    assert cfg.val_evaluator.class_counts == counted
    assert '(64, 64) [' in printed[-1]


def test_pytorch(own_images):
    folder, _ = own_images
    printed = follow(
        'tutorials/pytorch.md', folder, [('epochs = 15', 'epochs = 1')]
    )
    alone, in_two = printed[2], printed[4]
    assert alone.count('class ') == in_two.count('class ') == 10


def test_a_network_of_timm_is_such_a_backbone():
    timm = pytest.importorskip('timm')
    backbone = timm.create_model('resnet18', num_classes=0)
    images = torch.zeros(2, 3, 32, 32)
    assert backbone(images).shape == (2, backbone.num_features)


@pytest.mark.slow
def test_which_method(own_images):
    folder, _ = own_images
    printed = follow(
        'tutorials/which-method.md', folder, [('--seeds 3', '--seeds 1')]
    )
    assert 'gpaco' in printed[0]
    results = folder / 'work_dirs/compare/digits/results.json'
    methods = json.loads(results.read_text())['methods']
    assert [*methods] == ['cross-entropy', 'balanced-softmax', 'gpaco']
    assert all(len(method['runs']) == 1 for method in methods.values())
