"""The segmentation quickstart as it is, on few images and iterations."""

import importlib.util
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.image import imread
from support.paths import PROJECTS

TOOL = PROJECTS / 'quickstart/quickstart_seg.py'
SHORT = """
_base_ = {config!r}
train_cfg = dict(max_iters=4, val_interval=4)
train_dataloader = dict(batch_size=2)
default_hooks = dict(
    logger=dict(interval=2), checkpoint=dict(interval=2)
)
"""


@pytest.fixture
def quickstart(tmp_path, monkeypatch):
    """The module of the tool, with trainings of four iterations."""
    spec = importlib.util.spec_from_file_location('quickstart_seg', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for label, config in module.METHODS.items():
        short = tmp_path / f'{label}.py'
        short.write_text(SHORT.format(config=str(config)))
        module.METHODS[label] = short
    monkeypatch.chdir(tmp_path)
    return module


@pytest.fixture
def data(tmp_path):
    """Street scenes in SegNet's layout: a horizontal band for each class."""
    random = np.random.default_rng(0)
    mask = np.repeat(np.arange(12, dtype=np.uint8), 30)[:, None]
    mask = np.repeat(mask, 480, axis=1)
    for split, number in (('train', 4), ('val', 2)):
        for kind in ('images', 'annotations'):
            (tmp_path / 'camvid' / kind / split).mkdir(parents=True)
        for i in range(number):
            noise = random.integers(0, 30, (*mask.shape, 3))
            image = (noise + 20 * mask[..., None]).astype(np.uint8)
            for kind, array, suffix in (
                ('images', image, 'jpg'),
                ('annotations', mask, 'png'),
            ):
                path = tmp_path / 'camvid' / kind / split / f'{i}.{suffix}'
                assert cv2.imwrite(str(path), array)
    return tmp_path / 'camvid'


def test_quickstart_trains_tests_and_reports(
    quickstart, data, monkeypatch, capsys
):
    monkeypatch.setattr(sys, 'argv', ['tool', str(data), '--seeds', '1'])
    with pytest.warns(UserWarning, match='4 images in train, expected 367'):
        quickstart.main()
    shown = capsys.readouterr().out
    results = Path('work_dirs/quickstart-seg')
    stored = json.loads((results / 'results.json').read_text())
    for label in ('Baseline', 'GPaCo'):
        (run,) = stored['methods'][label]['runs']
        metrics = run['metrics']
        iou = np.array(metrics['IoU_classwise'])
        assert iou.shape == (11,) and run['iterations'] == 4
        # Pole, fence, pedestrian and bicyclist, by the config's counts.
        rare = np.nanmean(iou[[2, 7, 9, 10]])
        assert metrics['rare_mIoU'] == pytest.approx(rare, abs=0.02)
        lines = [line.split() for line in shown.splitlines()]
        (row,) = (line for line in lines if line[:1] == [label])
        cells = [f'{metrics[key]:.1f}' for key in ('mIoU', 'rare_mIoU')]
        assert row[1:3] == cells
    assert imread(results / 'classes.png').min() < 0.5

    before = {p: p.stat().st_mtime_ns for p in results.glob('*/seed0/*')}
    with pytest.warns(UserWarning, match='2 images in val, expected 101'):
        quickstart.main()
    assert '2 of 2 runs are finished already' in capsys.readouterr().out
    assert before == {
        p: p.stat().st_mtime_ns for p in results.glob('*/seed0/*')
    }
