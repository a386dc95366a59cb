"""Robustness on one's own images, its table and its picture."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from support.imagenet_variants import MODULE, write_classifier
from support.scope import enter_scope

from mmpaco.analysis.robustness import (
    Robustness,
    _channel_order,
    robustness_if_corrupted,
)
from mmpaco.analysis.robustness_picture import plot_robustness
from mmpaco.analysis.robustness_table import (
    corruption_table,
    paper_row,
    summary,
)
from mmpaco.cls.corruptions import CORRUPTIONS, SEVERITIES

FULL = Robustness(
    clean=79.7,
    corruption={
        'mean-error': 50.9,
        'mCE': 64.4,
        'GPaCo-table/mCE': 50.9,
        'GPaCo-table/rel-mCE': 64.4,
        **{f'error/{c}': 50.0 for c in CORRUPTIONS},
        **{f'error/{c}/{s}': 10.0 * s for c in CORRUPTIONS for s in range(6)},
    },
    renditions=41.1,
    sketch=30.9,
)


def test_the_row_is_that_of_the_paper():
    head, row = paper_row('GPaCo R50', FULL).splitlines()
    assert head.split() == ['ImageNet', 'mCE', 'rel.', 'mCE', 'R', 'Sketch']
    assert row.split()[2:] == ['79.7', '50.9', '64.4', '41.1', '30.9']
    row = paper_row('x', Robustness(sketch=3.0)).splitlines()[1]
    assert row.split() == ['x', *'----', '3.0']


def test_summary_says_whose_mce_it_is():
    text = summary(FULL)
    assert "mean error (the paper's mCE)" in text
    assert "mCE, AlexNet = 100 (the paper's rel. mCE)" in text
    assert 'by their definition' not in text
    corruption = {'mean-error': 5.0, 'error/fog': 5.0, 'error/fog/1': 5.0}
    text = summary(Robustness(corruption=corruption))
    assert 'paper' not in text
    assert 'over 1 of 15 corruptions, at 1 of 75 severities' in text
    found = Robustness(corruption=corruption)
    assert corruption_table(found).splitlines()[0].split() == [
        *('corruption', '1', 'mean'),
    ]


def test_the_picture_has_a_row_for_each_corruption(tmp_path, drawn):
    plot_robustness(FULL, 'gpaco', tmp_path / 'x.png')
    assert cv2.imread(str(tmp_path / 'x.png')).std() > 5
    (ax,) = drawn[0].axes
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert labels == [c.replace('_', ' ') for c in CORRUPTIONS]
    # Of errors that lie close together, or are all 0, none is on the edge.
    for errors in ([80.0, 82.0], [0.0, 0.0]):
        corruption = dict(zip(('error/fog', 'error/fog/1'), errors))
        found = Robustness(clean=100 - errors[1], corruption=corruption)
        plot_robustness(found, 'x', tmp_path / 'x.png')
        left, right = drawn[-1].axes[0].get_xlim()
        assert left == 0 and right - max(errors) >= 0.02 * right
    with pytest.raises(ValueError, match='nothing to draw'):
        plot_robustness(Robustness(clean=1.0), 'x', tmp_path / 'y.png')


@pytest.fixture
def few(tmp_path, monkeypatch):
    """A classifier of three colours, with grey pictures of 32 pixels."""
    pytest.importorskip('imagecorruptions')
    enter_scope('mmpretrain')
    (tmp_path / 'mean_colour.py').write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    write_classifier(tmp_path, 'few', 3)
    data = tmp_path / 'data'
    for label, name in enumerate('abc'):
        (data / name).mkdir(parents=True)
        for i in range(2):
            # Red tells the class, and the other colours are level.
            image = np.full((32, 32, 3), 100 + i, np.uint8)
            image[..., 2] = 60 * label
            cv2.imwrite(str(data / name / f'{i}.png'), image)
    cfg = Config.fromfile(tmp_path / 'few.py')
    own = cfg.test_dataloader.dataset
    cfg.test_dataloader.dataset = dict(
        type='CustomDataset', data_root=str(data), pipeline=own.pipeline
    )
    return cfg


def test_any_classifier_is_tested_on_its_own_images(few, tmp_path):
    chosen = dict(corruptions=['contrast', 'gaussian_noise'])
    found = robustness_if_corrupted(few, tmp_path / 'few.pth', **chosen)
    assert list(found.means) == ['gaussian_noise', 'contrast']
    assert set(found.levels('contrast')) == set(SEVERITIES)
    # The classes have red of 0, 10 and 20, the pictures 0, 60 and 120.
    assert found.clean == pytest.approx(200 / 3)
    assert not [x for x in found.corruption if 'mCE' in x]
    error = 100 - found.clean
    # Less contrast leaves the mean colour as it is.
    assert found.levels('contrast') == pytest.approx(
        dict.fromkeys(SEVERITIES, error)
    )
    assert found.corruption['above-clean'] == pytest.approx(
        found.corruption['mean-error'] - error
    )
    again = robustness_if_corrupted(few, tmp_path / 'few.pth', **chosen)
    assert again == found
    found.write(tmp_path / 'x.json')
    assert json.loads((tmp_path / 'x.json').read_text())['clean'] == (
        pytest.approx(200 / 3)
    )


@pytest.mark.parametrize(
    'step',
    (
        dict(
            type='TestTimeAug',
            transforms=[[dict(type='RandomFlip', prob=1.0)]] * 2
            + [[dict(type='PackInputs')]],
        ),
        None,
    ),
)
def test_a_pipeline_that_packs_no_image_is_told_before_a_test(
    few, tmp_path, step
):
    steps = [dict(type='LoadImageFromFile'), *([step] if step else [])]
    few.test_dataloader.dataset.pipeline = steps
    with pytest.raises(TypeError, match='ends in PackInputs and packs one'):
        robustness_if_corrupted(few, tmp_path / 'no.pth')


LOADED = [dict(type='LoadImageFromFile')]
AS_PIL = dict(type='NumpyToPIL', to_rgb=True)


@pytest.mark.parametrize(
    'pipeline, own, shared, order',
    [
        # Weights of Caffe take the images as they are loaded.
        (LOADED, None, dict(to_rgb=False), 'bgr'),
        (LOADED, None, dict(to_rgb=True), 'bgr'),
        ([dict(type='mmpretrain.LoadImageFromFile')], None, None, 'bgr'),
        ([*LOADED, AS_PIL, dict(type='PILToNumpy')], None, None, 'rgb'),
        (
            [*LOADED, AS_PIL, dict(type='PILToNumpy', to_bgr=True)],
            *(None, dict(to_rgb=True), 'bgr'),
        ),
        # CIFAR's are RGB in memory.
        ([], None, dict(to_rgb=False), 'rgb'),
        ([], None, dict(to_rgb=True), 'bgr'),
        ([], dict(mean=[0.0]), dict(to_rgb=True), 'rgb'),
    ],
)
@pytest.mark.parametrize('is_wrapped', [False, True])
def test_images_are_corrupted_in_the_order_they_are_loaded_in(
    pipeline, own, shared, order, is_wrapped
):
    dataset = dict(type='CustomDataset', pipeline=pipeline)
    if is_wrapped:
        dataset = dict(type='RepeatDataset', times=1, dataset=dataset)
    model = {} if own is None else dict(data_preprocessor=own)
    cfg = Config(
        dict(
            model=model,
            data_preprocessor=shared,
            test_dataloader=dict(dataset=dataset),
        )
    )
    assert _channel_order(cfg) == order
