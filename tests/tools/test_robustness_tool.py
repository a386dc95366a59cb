"""Robustness by the stock tool and by ours, on images of colours."""

import json

import cv2
import numpy as np
import pytest
from support.imagenet_variants import (
    CORRUPTIONS,
    SEVERITIES,
    right_share_of_renditions,
    write_classifier,
    write_variants,
    wrong_share,
)
from support.paths import CONFIGS
from support.tools import call_here

from mmpaco.cls.corruptions import ALEXNET_CLEAN_ERROR, ALEXNET_ERRORS

pytest.importorskip('mmpretrain')
CHOSEN = ('--severities', *SEVERITIES)


@pytest.fixture(scope='module')
def here(tmp_path_factory):
    """The images, and the classifier that knows them."""
    with pytest.MonkeyPatch.context() as patch:
        folder = write_variants(tmp_path_factory.mktemp('colours'))
        write_classifier(folder, 'small', 900)
        patch.syspath_prepend(folder)
        yield folder


def expected():
    """The errors that the images were made for, from 0 to 1."""
    mean = float(np.mean([wrong_share(severity) for severity in SEVERITIES]))
    theirs = np.array([ALEXNET_ERRORS[name] for name in CORRUPTIONS])
    return {
        'mean-error': mean,
        'mCE': np.mean(mean / theirs),
        'relative-mCE': np.mean(mean / (theirs - ALEXNET_CLEAN_ERROR)),
        'above-clean': mean,
        'GPaCo-table/mCE': mean,
        'GPaCo-table/rel-mCE': np.mean(mean / theirs),
        **{f'error/{name}': mean for name in CORRUPTIONS},
        **{
            f'error/{name}/{severity}': wrong_share(severity)
            for name in CORRUPTIONS
            for severity in SEVERITIES
        },
    }


def test_the_tool_gives_table_and_picture(here):
    out = call_here(
        *(here, 'test_robustness.py', 'imagenet.py', 'imagenet.pth'),
        *(*CHOSEN, '--out', 'found.json', '--picture', 'found.png'),
    )
    assert out.returncode == 0, out.stderr[-3000:]
    found = json.loads((here / 'found.json').read_text())
    assert found['clean'] == 100
    assert found['sketch'] == 50
    assert 0.3 < right_share_of_renditions() < 0.9
    assert found['renditions'] == pytest.approx(
        100 * right_share_of_renditions()
    )
    assert found['corruption'] == pytest.approx(
        {name: 100 * value for name, value in expected().items()}
    )
    a, b = (100 * expected()[name] for name in ('mean-error', 'mCE'))
    row = ['imagenet', '100.0', f'{a:.1f}', f'{b:.1f}']
    row += [f'{found["renditions"]:.1f}', '50.0']
    rows = [line.split() for line in out.stdout.splitlines()]
    assert row in rows
    assert ['corruption', '1', '5', 'mean', 'AlexNet', 'CE'] in rows
    cells = [100 * wrong_share(1), 100 * wrong_share(5), a, 81.9]
    cells.append(a / ALEXNET_ERRORS['fog'])
    assert ['fog', *(f'{x:.1f}' for x in cells)] in rows
    assert cv2.imread(str(here / 'found.png')).std() > 5
    told = ' '.join(out.stdout.split())
    assert 'means over 2 of 15 corruptions, at 4 of 75 severities' in told


def test_only_what_is_there_is_tested(here):
    out = call_here(
        *(here, 'test_robustness.py', 'imagenet.py', 'imagenet.pth'),
        *('--imagenet-c', 'no', '--imagenet-sketch', 'no'),
    )
    assert out.returncode == 0, out.stderr[-3000:]
    row = ['imagenet', '100.0', '-', '-']
    row += [f'{100 * right_share_of_renditions():.1f}', '-']
    assert row in [line.split() for line in out.stdout.splitlines()]


def test_clean_images_that_are_missing_are_told(here):
    text = "_base_ = 'imagenet.py'\ntest_dataloader = dict("
    text += "dataset=dict(data_root='nowhere'))\n"
    (here / 'elsewhere.py').write_text(text)
    out = call_here(
        *(here, 'test_robustness.py', 'elsewhere.py', 'imagenet.pth'),
        *('--imagenet-c', 'no', '--imagenet-sketch', 'no'),
    )
    assert out.returncode == 0, out.stderr[-3000:]
    assert "No clean error: the folder of the config's test" in out.stdout
    row = ['elsewhere', '-', '-', '-']
    row += [f'{100 * right_share_of_renditions():.1f}', '-']
    assert row in [line.split() for line in out.stdout.splitlines()]


@pytest.mark.parametrize(
    'arguments, message',
    (
        (
            'imagenet.py imagenet.pth --imagenet-c a --imagenet-r b '
            '--imagenet-sketch c',
            'none of the folders a, b, c is there',
        ),
        ('small.py small.pth', 'needs a classifier of 1000 classes'),
        ('small.py imagenet.pth', 'is not of the model of the config'),
        (
            'imagenet.py imagenet.pth --imagenet-c data/imagenet/val',
            'holds none of the corruptions',
        ),
        (
            # Not after the hours that ImageNet-C takes.
            'imagenet.py imagenet.pth --imagenet-c data/imagenet/val '
            '--imagenet-r data/imagenet/val',
            'does not hold the 200 classes of ImageNetR',
        ),
        (
            'imagenet.py imagenet.pth --corruptions snow',
            "there is no folder 'data/imagenet-c/snow/1'",
        ),
        (
            'imagenet.py imagenet.pth --corruptions fog --severities 2',
            "there is no folder 'data/imagenet-c/fog/2'",
        ),
        ('imagenet.py imagenet.pth --corrupt', 'at least 32 x 32 pixels'),
    ),
)
def test_what_cannot_be_tested_is_said(here, arguments, message):
    if '--corrupt ' in f'{arguments} ':
        pytest.importorskip('imagecorruptions')
    out = call_here(here, 'test_robustness.py', *arguments.split())
    assert out.returncode == 1
    assert message in out.stderr
    assert 'Traceback' not in out.stderr


@pytest.mark.parametrize(
    'name, options, metrics',
    (
        (
            'imagenet-c',
            {
                'test_dataloader.dataset.severities': list(SEVERITIES),
                'test_evaluator.clean_error': 0.0,
            },
            {f'corruption/{k}': 100 * x for k, x in expected().items()},
        ),
        (
            'imagenet-r',
            {},
            {'accuracy/top1': 100 * right_share_of_renditions()},
        ),
        ('imagenet-sketch', {}, {'accuracy/top1': 50}),
    ),
)
def test_the_stock_tool_takes_the_configs_on_any_classifier(
    here, run_stock, name, options, metrics
):
    found = run_stock(here, name, options)
    assert {k: found[k] for k in metrics} == pytest.approx(metrics)


@pytest.fixture
def run_stock(stock_run, monkeypatch, tmp_path):
    def run(here, name, options):
        monkeypatch.chdir(here)
        monkeypatch.setenv('CLASSIFIER', str(here / 'imagenet.py'))
        stock_run(
            'mmpretrain',
            'test',
            *(CONFIGS / 'robustness' / f'{name}.py', 'imagenet.pth'),
            *('--work-dir', tmp_path, '--out-item', 'metrics'),
            *('--out', tmp_path / 'metrics.json'),
            **options,
        )
        return json.loads((tmp_path / 'metrics.json').read_text())

    return run
