"""Real runs of the shipped configs on real images."""

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner, find_latest_checkpoint
from support import spoiling_neck  # noqa: F401

from mmpaco.engine.class_counts import count_labels

GPACO = 'gpaco/lenet5_mnist5k-lt.py'
PACO = 'paco/lenet5_mnist5k-lt.py'


class InterruptHook(Hook):
    """Is the user who stops iteration 3, before its keys are collected."""

    def __init__(self):
        self.is_done = False

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        if batch_idx == 2 and not self.is_done:
            self.is_done = True
            raise KeyboardInterrupt


def train(cfg):
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def head_of(runner):
    return runner.model.head


@pytest.mark.parametrize('accumulate', (1, 3))
@pytest.mark.parametrize('config', (GPACO, PACO))
def test_every_image_enters_the_queue_once_an_epoch(
    mnist_config, config, accumulate
):
    """Also the ragged last batch, and under gradient accumulation."""
    cfg = mnist_config(config)
    cfg.model.head.queue_length = 2000
    cfg.optim_wrapper.accumulative_counts = accumulate
    runner = train(cfg)
    counts = count_labels(runner.train_dataloader.dataset)
    queue, prior = head_of(runner).queue, head_of(runner).prior
    rows, labels = queue.contents()
    assert np.array_equal(np.bincount(labels, minlength=10), counts)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)))
    assert prior.class_counts.tolist() == counts.tolist()


def test_interrupted_run_continues_with_queue_and_prior(mnist_config):
    cfg = mnist_config(GPACO)
    cfg.model.head.queue_length = 1500
    cfg.default_hooks.checkpoint.interval = 1
    first = train(cfg)
    before = {k: v.clone() for k, v in first.model.state_dict().items()}

    cfg = mnist_config(GPACO)
    cfg.model.head.queue_length = 1500
    cfg.train_cfg.max_epochs = 2
    cfg.resume = True
    second = Runner.from_cfg(cfg)
    second.load_or_resume()
    for name, value in second.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    second.train()
    queue = head_of(second).queue
    assert int(queue.filled) == 1500
    # 988 rows of each epoch, so the second one starts at 988 and wraps.
    assert int(queue.pointer) == 2 * 988 - 1500
    kept = slice(2 * 988 - 1500, 988)
    assert torch.equal(queue.rows[kept], before['head.queue.rows'][kept])


@pytest.mark.parametrize(
    'key, value, name, shapes',
    [
        ('queue_length', 900, 'head.queue.rows', '(1500, 128) and (900, 128)'),
        (
            'projector',
            dict(out_channels=32),
            'head.queue.rows',
            '(1500, 128) and (1500, 32)',
        ),
        ('num_classes', 12, 'head.fc.weight', '(10, 120) and (12, 120)'),
    ],
)
def test_resuming_another_model_is_refused(
    mnist_config, key, value, name, shapes
):
    cfg = mnist_config(GPACO)
    cfg.model.head.queue_length = 1500
    train(cfg)

    cfg = mnist_config(GPACO)
    cfg.model.head.queue_length = 1500
    cfg.model.head[key] = value
    cfg.resume = True
    with pytest.raises(ValueError, match='reset_queue=True') as error:
        Runner.from_cfg(cfg).load_or_resume()
    assert f'{name}: {shapes}' in str(error.value)


def test_queue_of_another_length_starts_afresh_on_demand(mnist_config):
    cfg = mnist_config(GPACO)
    cfg.model.head.queue_length = 1500
    weights = train(cfg).model.state_dict()

    cfg = mnist_config(GPACO)
    cfg.model.head.queue_length = 700
    cfg.custom_hooks = [
        dict(type='mmpaco.ClassPriorHook'),
        dict(type='mmpaco.PaCoQueueHook', reset_queue=True),
    ]
    cfg.train_cfg.max_epochs = 2
    cfg.resume = True
    runner = Runner.from_cfg(cfg)
    runner.load_or_resume()
    queue = head_of(runner).queue
    assert len(queue.contents()[0]) == 0
    for name, value in runner.model.state_dict().items():
        if '.queue.' not in name:
            assert torch.equal(value, weights[name]), name
    runner.train()
    assert int(queue.filled) == 700


@pytest.mark.parametrize('on_device', (False, True))
def test_a_nan_is_told_with_its_iteration_and_saved_nowhere(
    mnist_config, monkeypatch, on_device
):
    if on_device:
        # The guard does not wait for a device that it is told of here.
        monkeypatch.setattr(torch.Tensor, 'is_cpu', False)
    cfg = mnist_config(GPACO)
    cfg.model.neck = dict(type='SpoilingNeck', value='nan')
    cfg.model.head.queue_length = 1500
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook', by_epoch=False, interval=1
    )
    runner = Runner.from_cfg(cfg)
    with pytest.raises(RuntimeError, match='GPaCoHead: .* in iteration 6'):
        runner.train()
    last = find_latest_checkpoint(cfg.work_dir)
    assert last.endswith('iter_5.pth')
    for name, value in torch.load(last, weights_only=False)[
        'state_dict'
    ].items():
        assert value.isfinite().all(), name


def test_missing_queue_hook_raises_and_names_it(mnist_config):
    cfg = mnist_config(PACO)
    cfg.custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
    with pytest.raises(RuntimeError, match='PaCoQueueHook'):
        train(cfg)


@pytest.mark.parametrize(
    'config', (GPACO, 'baselines/balanced-softmax_lenet5_mnist5k-lt.py')
)
def test_missing_prior_hook_raises_and_names_it(mnist_config, config):
    cfg = mnist_config(config)
    cfg.custom_hooks = []
    with pytest.raises(RuntimeError, match='ClassPriorHook'):
        train(cfg)


def test_two_views_without_the_preprocessor_raise_and_name_it(mnist_config):
    cfg = mnist_config(GPACO)
    cfg.data_preprocessor.type = 'ClsDataPreprocessor'
    with pytest.raises(ValueError, match='MultiViewDataPreprocessor'):
        train(cfg)


def test_preprocessor_without_two_views_raises_and_says_what_to_set(
    mnist_config,
):
    cfg = mnist_config(GPACO)
    pipeline = cfg.train_dataloader.dataset.dataset.pipeline
    cfg.train_dataloader.dataset.dataset.pipeline = [
        *pipeline[0].transforms[0],
        pipeline[1],
    ]
    with pytest.raises(ValueError, match='MultiView of train_dataloader'):
        train(cfg)


def test_more_labels_than_classes_raise(mnist_config):
    cfg = mnist_config(GPACO)
    cfg.model.head.num_classes = 9
    with pytest.raises(ValueError, match='num_classes'):
        train(cfg)


def test_checkpoint_predicts_by_the_apis_of_mmpretrain(mnist_config, tmp_path):
    """get_model and the inferencer, with the classifier alone."""
    from mmpretrain import ImageClassificationInferencer, get_model

    cfg = mnist_config(PACO)
    cfg.default_hooks.checkpoint.interval = 1
    runner = train(cfg)
    checkpoint = str(tmp_path / 'work_dir' / 'epoch_1.pth')
    dataset = runner.val_dataloader.dataset
    images = [dataset.get_data_info(i)['img'] for i in (0, 100, 200)]
    batch = [dataset[i] for i in (0, 100, 200)]
    runner.model.eval()
    for module in (runner.model.head.projector, runner.model.momentum_encoder):
        module.register_forward_hook(
            lambda *_: pytest.fail('ran at inference')
        )
    with torch.no_grad():
        expected = runner.model.test_step(
            dict(
                inputs=[x['inputs'] for x in batch],
                data_samples=[x['data_samples'] for x in batch],
            )
        )
    model = get_model(cfg, pretrained=checkpoint)
    results = ImageClassificationInferencer(model)(images)
    for result, sample in zip(results, expected):
        assert result['pred_label'] == sample.pred_label.item()
        np.testing.assert_allclose(
            result['pred_scores'], sample.pred_score.numpy(), rtol=1e-5
        )


def test_a_foreign_attribute_of_the_name_num_views_is_no_matter(mnist_config):
    cfg = mnist_config(GPACO)
    runner = Runner.from_cfg(cfg)
    runner.model.backbone.num_views = 7
    runner.train()
    assert runner.epoch == 1


@pytest.mark.parametrize('config', (GPACO, PACO))
def test_a_training_that_was_interrupted_can_be_begun_again(
    mnist_config, config
):
    """In one process, as in a notebook: the hook is there."""
    cfg = mnist_config(config)
    cfg.model.head.queue_length = 1500
    runner = Runner.from_cfg(cfg)
    runner.register_hook(InterruptHook(), priority='VERY_HIGH')
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    runner.train()
    assert int(head_of(runner).queue.filled) > 900
