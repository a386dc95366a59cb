"""Class counts of a config's training set, where it is."""

import pytest
from mmengine.config import Config
from support.small_cls import jpegs
from support.tiny import write_tiny

from mmpaco.runner.training_facts import training_facts

pytest.importorskip('mmpretrain')


def facts(dataset):
    return training_facts(
        Config(
            dict(
                default_scope='mmpretrain',
                model=dict(head=dict(num_classes=2)),
                train_dataloader=dict(dataset=dataset),
            )
        )
    )


def leaf(folder):
    return dict(type='CustomDataset', data_root=str(folder / 'data'))


def test_classes_are_counted_through_wrappers(tmp_path):
    write_tiny(tmp_path)
    (tmp_path / 'data' / 'light' / '0.png').unlink()
    found = facts(leaf(tmp_path))
    assert found.class_counts == (16.0, 15.0)
    assert found.num_samples == 31
    assert found.why_unknown == ''
    wrapped = dict(
        type='RepeatDataset',
        times=3,
        dataset=dict(type='ConcatDataset', datasets=[leaf(tmp_path)] * 2),
    )
    assert facts(wrapped).class_counts == (32.0, 30.0)


def test_data_that_are_not_there_are_no_error(tmp_path):
    found = facts(leaf(tmp_path))
    assert found.class_counts is None
    assert found.why_unknown == f'{tmp_path / "data"} is not there'
    # Where a folder is, but not what it should hold.
    (tmp_path / 'data').mkdir()
    assert 'cannot be read' in facts(leaf(tmp_path)).why_unknown
    missing = dict(type='NoSuchDataset', data_root=str(tmp_path))
    assert 'NoSuchDataset' in facts(missing).why_unknown
    for label in range(3):
        (tmp_path / 'data' / str(label)).mkdir()
        (tmp_path / 'data' / str(label) / 'x.jpg').write_bytes(next(jpegs()))
    assert 'num_classes' in facts(leaf(tmp_path)).why_unknown


@pytest.mark.parametrize('kind', ('CIFAR10', 'MNIST'))
def test_nothing_is_downloaded(kind, tmp_path, monkeypatch):
    def download(*args, **kwargs):
        raise AssertionError('it is downloaded')

    for name in ('cifar', 'mnist'):
        module = f'mmpretrain.datasets.{name}.download_and_extract_archive'
        monkeypatch.setattr(module, download)
    found = facts(dict(type=kind, data_root=str(tmp_path), split='train'))
    assert found.class_counts is None
    assert 'cannot be read' in found.why_unknown
    assert 'it is downloaded' not in found.why_unknown
