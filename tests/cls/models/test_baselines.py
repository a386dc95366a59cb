"""The papers' baselines in the head, in real runs, and in two stages."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from support.scope import enter_scope

from mmpaco.cls.models import GPaCoHead
from mmpaco.losses import MultiTaskLoss, supcon_loss

CLASSES, CHANNELS = 5, 6
COUNTS = [50, 20, 10, 5, 2]
SUPCON = dict(type='mmpaco.SupConLoss', temperature=0.2)
STAGE1 = 'baselines/supcon-stage1_lenet5_mnist5k-lt.py'
STAGE2 = 'baselines/supcon-stage2_lenet5_mnist5k-lt.py'
MULTI_TASK = 'baselines/multi-task-balanced-softmax_lenet5_mnist5k-lt.py'


@pytest.fixture
def scope():
    enter_scope('mmpretrain')


def head(loss, **options):
    made = GPaCoHead(
        CLASSES,
        CHANNELS,
        loss=loss,
        queue_length=7,
        projector=dict(out_channels=3),
        **options,
    )
    made.init_weights()
    return made


def batch(num_images=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    feats = torch.randn(2 * num_images, CHANNELS, generator=generator)
    labels = torch.randint(0, CLASSES, (num_images,), generator=generator)
    samples = [DataSample().set_gt_label(int(x)) for x in labels]
    return (feats,), samples * 2, labels.repeat(2)


def two_steps(made, expected_of):
    """Compare two losses, the second of which sees the queue."""
    for seed in range(2):
        feats, samples, labels = batch(seed=seed)
        rows = [x.clone() for x in made.queue.contents()]
        loss = made.loss(feats, samples)['loss']
        embeddings = F.normalize(made.projector.layers(feats[0]), dim=1)
        logits = made.fc(feats[0])
        expected = expected_of(embeddings, labels, logits, *rows)
        torch.testing.assert_close(loss, expected)
        made.queue.append(*made.queue.take_staged())
    return loss


def test_supcon_in_the_head_trains_all_but_the_classifier(scope):
    """Without a class prior and so without its hook."""
    made = head(SUPCON)
    loss = two_steps(
        made,
        lambda embeddings, labels, logits, *rows: supcon_loss(
            embeddings, labels, CLASSES, *rows, temperature=0.2, impl='dense'
        ),
    )
    loss.backward()
    assert made.prior is None
    for name, parameter in made.named_parameters():
        if name.startswith('fc.'):
            assert not parameter.requires_grad
        else:
            assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize('reweight', (False, True))
@pytest.mark.parametrize('balanced', (False, True))
def test_multi_task_in_the_head(scope, balanced, reweight):
    options = dict(
        supcon_weight=0.5,
        temperature=0.2,
        balanced=balanced,
        reweight=reweight,
    )
    made = head(dict(type='mmpaco.MultiTaskLoss', **options), cal_acc=True)
    if balanced or reweight:
        made.prior.set_class_counts(COUNTS)
    else:
        assert made.prior is None
    oracle = MultiTaskLoss(**options, impl='dense')
    loss = two_steps(made, lambda *rows: oracle(*rows, torch.tensor(COUNTS)))
    loss.backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


def test_multi_task_on_keys_of_a_momentum_encoder(scope):
    """View 1 gives anchors and class scores, the keys contrasts alone."""
    made = head(dict(type='mmpaco.MultiTaskLoss'))
    made.prior.set_class_counts(COUNTS)
    oracle = MultiTaskLoss(impl='dense')
    feats, samples, labels = batch()
    queue = F.normalize(torch.randn(7, 3), dim=1), torch.arange(7) % CLASSES
    made.queue.append(*queue)
    keys = F.normalize(torch.randn(4, 3), dim=1)
    anchors = feats[0][:4]
    loss = made.loss((anchors,), samples[:4], keys=keys)['loss']
    rows = F.normalize(made.projector.layers(anchors), dim=1)
    expected = oracle(
        rows,
        labels[:4],
        made.fc(anchors),
        torch.cat([keys, queue[0]]),
        torch.cat([labels[4:], queue[1]]),
        torch.tensor(COUNTS),
    )
    torch.testing.assert_close(loss, expected)


def test_multi_task_with_momentum_trains_and_resumes(mnist_config):
    def config():
        cfg = mnist_config(MULTI_TASK)
        cfg.model.update(type='mmpaco.PaCoClassifier', momentum=0.9)
        # One batch, or the loss would rise until it is full.
        cfg.model.head.queue_length = 64
        cfg.default_hooks.checkpoint.interval = 1
        return cfg

    first = Runner.from_cfg(config())
    first.train()
    losses = first.message_hub.get_scalar('train/loss').data[0].copy()
    before = {k: v.clone() for k, v in first.model.state_dict().items()}
    iterations = len(losses)

    cfg = config()
    cfg.train_cfg.max_epochs = 2
    cfg.resume = True
    second = Runner.from_cfg(cfg)
    second.load_or_resume()
    encoder = second.model.momentum_encoder
    state = second.model.state_dict()
    assert state.keys() == before.keys()
    assert any(name.startswith('momentum_encoder.') for name in state)
    for name, value in state.items():
        assert torch.equal(value, before[name]), name
    # It starts as a copy, and then follows every step.
    steps = int(encoder.steps)
    assert steps == iterations + 1
    second.train()
    assert int(encoder.steps) == 2 * iterations + 1
    moved = [
        name
        for name, value in encoder.named_parameters()
        if not torch.equal(value, before[f'momentum_encoder.{name}'])
    ]
    assert len(moved) == len(list(encoder.parameters()))
    last = second.message_hub.get_scalar('train/loss').data[0]
    assert last[-3:].mean() < losses[1:4].mean()


def test_multi_task_without_the_prior_that_it_needs_is_told(scope):
    feats, samples, _ = batch()
    made = head(dict(type='mmpaco.MultiTaskLoss'))
    with pytest.raises(RuntimeError, match='ClassPriorHook'):
        made.loss(feats, samples)
    made = head(dict(type='mmpaco.MultiTaskLoss'), class_prior=False)
    with pytest.raises(ValueError, match='class_prior=True'):
        made.loss(feats, samples)


def test_accuracy_of_an_untrained_classifier_is_refused(scope):
    with pytest.raises(ValueError, match='set cal_acc=False'):
        head(SUPCON, cal_acc=True)


def stage1(mnist_config, monkeypatch):
    """Train stage 1, and let the config of stage 2 find its checkpoint."""
    cfg = mnist_config(STAGE1)
    cfg.model.head.queue_length = 500
    cfg.default_hooks.checkpoint.interval = 1
    cfg.work_dir += '_stage1'
    runner = Runner.from_cfg(cfg)
    runner.train()
    monkeypatch.setenv('STAGE1', f'{cfg.work_dir}/epoch_1.pth')
    return runner


def test_two_stages_of_supcon(mnist_config, monkeypatch):
    """Stage 2 trains a classifier on the very features of stage 1."""
    first = stage1(mnist_config, monkeypatch)
    losses = first.message_hub.get_scalar('train/loss').data[0]
    assert losses[-3:].mean() < losses[:3].mean()
    weights = {k: v.clone() for k, v in first.model.state_dict().items()}
    # Frozen means as initialised: of a deviation of 0.01, with no bias.
    assert weights['head.fc.weight'].std().item() == pytest.approx(
        0.01, rel=0.1
    )
    assert (weights['head.fc.bias'] == 0).all()

    second = Runner.from_cfg(mnist_config(STAGE2))
    second.train()
    assert type(second.model).__name__ == 'ImageClassifier'
    assert type(second.model.head).__name__ == 'LinearClsHead'
    for name, value in second.model.state_dict().items():
        if name.startswith('backbone.'):
            assert torch.equal(value, weights[name]), name
        else:
            assert not torch.equal(value, weights[name]), name
    losses = second.message_hub.get_scalar('train/loss').data[0]
    assert losses[-3:].mean() < losses[:3].mean()


def test_a_stage_2_without_its_stage_1_is_told(mnist_config, monkeypatch):
    monkeypatch.setenv('STAGE1', 'no-such-file.pth')
    with pytest.raises(FileNotFoundError, match='no-such-file'):
        Runner.from_cfg(mnist_config(STAGE2)).train()


def test_frozen_stages_freeze_the_batch_norm_of_a_resnet(tiny_config):
    """As the config of stage 2 advises."""
    folder = tiny_config(extra="model['backbone']['frozen_stages'] = 2\n")
    cfg = Config.fromfile(str(folder / 'tiny.py'))
    cfg.work_dir = str(folder / 'work_dir')
    cfg.experiment_name = folder.name
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    runner = Runner.from_cfg(cfg)
    # So that training starts from what is compared with.
    runner.model.init_weights()
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    runner.model._is_init = True
    runner.train()
    after = runner.model.state_dict()
    for name, value in before.items():
        if name.startswith('backbone.'):
            assert torch.equal(after[name], value), name
    assert not torch.equal(after['head.fc.weight'], before['head.fc.weight'])


@pytest.mark.slow
def test_supcon_trains_in_two_processes(mnist_config, dist_train):
    """DDP does not wait for a gradient of the frozen classifier."""
    cfg = mnist_config(STAGE1)
    cfg.model.head.update(queue_length=500, gather=True)
    out = dist_train(cfg, 2)
    assert 'Saving checkpoint at 1 epochs' in out
