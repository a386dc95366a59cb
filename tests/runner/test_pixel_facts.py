"""Promises of the pixel counts that are read of a config's data."""

from pathlib import Path

import cv2
import mmseg
import numpy as np
import pytest
from mmengine.config import Config

from mmpaco.runner import training_facts as module
from mmpaco.runner.training_facts import training_facts

STOCK = Path(mmseg.__file__).parent / '.mim' / 'configs'
FCN = STOCK / 'fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py'


@pytest.fixture
def cfg(tmp_path):
    """A stock config, wrapped, and six label maps of it."""
    rng = np.random.default_rng(0)
    for i in range(6):
        for kind, suffix in (
            ('leftImg8bit', '_leftImg8bit'),
            ('gtFine', '_gtFine_labelTrainIds'),
        ):
            path = tmp_path / f'{kind}/train/aachen/aachen_{i}{suffix}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            # Of the class of its number, and ignored in one row.
            labels = np.full((8, 10), i, np.uint8)
            labels[0] = 255
            labels[1, rng.integers(10)] = 18
            cv2.imwrite(str(path), labels)
    cfg = Config.fromfile(FCN)
    cfg.train_dataloader.dataset.data_root = str(tmp_path)
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset', times=3, dataset=cfg.train_dataloader.dataset
    )
    return cfg


def test_all_pixels_of_few_label_maps_are_counted(cfg):
    facts = training_facts(cfg)
    assert facts.class_counts == (*[69.0] * 6, *[0.0] * 12, 6.0)
    assert facts.num_samples == 6 and facts.source == ''


def test_of_many_label_maps_some_are_read(cfg, monkeypatch):
    monkeypatch.setattr(module, '_LABEL_MAPS', 3)
    facts = training_facts(cfg)
    assert facts.source == 'in 3 of 6 label maps'
    assert [i for i, x in enumerate(facts.class_counts) if x] == [0, 2, 5, 18]


def test_labels_that_are_no_class_are_told(cfg):
    cfg.model.decode_head.num_classes = 4
    facts = training_facts(cfg)
    assert facts.class_counts is None
    assert '4 classes' in facts.why_unknown


def test_data_that_are_not_there_are_told(cfg):
    cfg.train_dataloader.dataset.dataset.data_root = '/no/such/folder'
    facts = training_facts(cfg)
    assert facts.why_unknown == '/no/such/folder is not there'
