"""Training images per class of a config, of its path and of the config."""

from mmengine.config import Config

from mmpaco.runner.loaded_runner import training_counts


def test_the_training_set_is_counted_over_all_classes_of_the_head(
    tiny_config, log
):
    path = tiny_config() / 'tiny.py'
    assert training_counts(path).tolist() == [16, 16]
    cfg = Config.fromfile(str(path))
    cfg.train_dataloader.dataset.indices = 22
    assert training_counts(cfg).tolist() == [16, 6]
    assert 'no training images' not in log()
    cfg.model.head.num_classes = 3
    assert training_counts(cfg).tolist() == [16, 6, 0]
    assert '1 of 3 classes have no training images (2)' in log()
