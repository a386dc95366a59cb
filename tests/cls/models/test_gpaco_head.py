"""The classification head against the loss formula, and its errors."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support.prototype_loss import PrototypeLoss
from support.scope import enter_scope
from torch import nn

from mmpaco.cls.models import GPaCoHead, Projector
from mmpaco.losses import paco_loss

CLASSES, CHANNELS = 5, 6
LOSS = dict(type='mmpaco.PaCoLoss', alpha=0.1, temperature=0.2)


@pytest.fixture(autouse=True)
def scope():
    enter_scope('mmpretrain')


def head(**options):
    options.setdefault('loss', LOSS)
    options.setdefault('queue_length', 7)
    options.setdefault('projector', dict(out_channels=3))
    made = GPaCoHead(CLASSES, CHANNELS, **options)
    made.init_weights()
    if made.prior is not None:
        made.prior.set_class_counts([50, 20, 10, 5, 2])
    return made


def batch(num_images, num_views=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    feats = torch.randn(num_views * num_images, CHANNELS, generator=generator)
    labels = torch.randint(0, CLASSES, (num_images,), generator=generator)
    samples = [DataSample().set_gt_label(int(x)) for x in labels]
    return (feats,), samples * num_views, labels.repeat(num_views)


def collect(made):
    made.queue.append(*made.queue.take_staged())


def test_loss_is_the_formula_over_views_queue_and_prior():
    """Normalised embeddings, plain features for the centers."""
    made = head()
    expected_rows = torch.zeros(0, 3)
    expected_labels = torch.zeros(0, dtype=torch.int64)
    for step, num_images in enumerate((3, 4, 2)):
        feats, samples, labels = batch(num_images, seed=step)
        loss = made.loss(feats, samples)['loss']
        embeddings = F.normalize(made.projector.layers(feats[0]), dim=1)
        torch.testing.assert_close(
            loss,
            paco_loss(
                embeddings,
                labels,
                F.linear(feats[0], made.fc.weight, made.fc.bias),
                expected_rows,
                expected_labels,
                torch.tensor([50, 20, 10, 5, 2]),
                alpha=0.1,
                temperature=0.2,
                impl='dense',
            ),
        )
        collect(made)
        # The last view enters; 3 + 4 fill the queue, 2 overwrite the oldest.
        new = embeddings[-num_images:].detach()
        if step < 2:
            expected_rows = torch.cat([expected_rows, new])
            expected_labels = torch.cat(
                [expected_labels, labels[-num_images:]]
            )
    rows, got_labels = made.queue.contents()
    torch.testing.assert_close(rows[2:], expected_rows[2:])
    torch.testing.assert_close(rows[:2], new)
    assert got_labels[2:].tolist() == expected_labels[2:].tolist()


def test_keys_of_a_momentum_encoder_are_contrasts_and_enter_the_queue():
    made = head()
    feats, samples, labels = batch(4, num_views=1)
    keys = F.normalize(torch.randn(4, 3), dim=1)
    loss = made.loss(feats, samples, keys=keys)['loss']
    torch.testing.assert_close(
        loss,
        paco_loss(
            made.projector(feats[0]),
            labels,
            made.fc(feats[0]),
            keys,
            labels,
            torch.tensor([50, 20, 10, 5, 2]),
            alpha=0.1,
            temperature=0.2,
            impl='dense',
        ),
    )
    collect(made)
    torch.testing.assert_close(made.queue.contents()[0], keys)


def test_single_view_contrasts_with_the_queue():
    made = head(num_views=1)
    for seed in range(2):
        feats, samples, labels = batch(3, num_views=1, seed=seed)
        rows, row_labels = (x.clone() for x in made.queue.contents())
        loss = made.loss(feats, samples)['loss']
        expected = paco_loss(
            made.projector(feats[0]),
            labels,
            made.fc(feats[0]),
            rows,
            row_labels,
            torch.tensor([50, 20, 10, 5, 2]),
            alpha=0.1,
            temperature=0.2,
        )
        torch.testing.assert_close(loss, expected)
        collect(made)


def test_without_queue_and_prior_no_hook_is_needed():
    made = head(queue_length=0, class_prior=False)
    for seed in range(2):
        feats, samples, labels = batch(3, seed=seed)
        loss = made.loss(feats, samples)['loss']
        torch.testing.assert_close(
            loss,
            paco_loss(
                made.projector(feats[0]),
                labels,
                made.fc(feats[0]),
                alpha=0.1,
                temperature=0.2,
            ),
        )


def test_every_parameter_gets_a_gradient():
    """So that DDP works with find_unused_parameters=False."""
    made = head()
    feats, samples, _ = batch(4)
    made.loss(feats, samples)['loss'].backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_forward_changes_no_queue():
    made = head()
    before = {k: v.clone() for k, v in made.queue.state_dict().items()}
    feats, samples, _ = batch(4)
    made.loss(feats, samples)
    made.eval()
    made.loss(feats, samples)
    made.predict(feats, None)
    for name, value in made.queue.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize('where', ['features', 'keys'])
def test_a_value_that_is_not_finite_raises_before_the_backward(value, where):
    made = head(num_views=1 if where == 'keys' else 2)
    feats, samples, _ = batch(4, made.num_views)
    keys = torch.ones(4, 3) if where == 'keys' else None
    bad = keys if where == 'keys' else feats[0]
    bad[2, 1] = value
    message = 'GPaCoHead: .* not finite.*Lower the learning rate'
    with pytest.raises(RuntimeError, match=message):
        made.loss(feats, samples, keys)
    # And nothing was staged.
    assert len(made.queue.take_staged()[0]) == 0


def test_keys_that_nobody_collects_raise_at_the_next_loss():
    made = head()
    feats, samples, _ = batch(4)
    made.loss(feats, samples)
    with pytest.raises(RuntimeError, match='PaCoQueueHook'):
        made.loss(feats, samples)


def test_missing_prior_raises_at_the_first_loss():
    made = GPaCoHead(CLASSES, CHANNELS, queue_length=0)
    feats, samples, _ = batch(4)
    with pytest.raises(RuntimeError, match='ClassPriorHook'):
        made.loss(feats, samples)


def test_prediction_is_that_of_a_linear_head_with_the_same_weights():
    made = head()
    stock = LinearClsHead(CLASSES, CHANNELS)
    missing, unexpected = stock.load_state_dict(
        made.state_dict(), strict=False
    )
    assert not missing
    assert {name.split('.')[0] for name in unexpected} == {
        'projector',
        'queue',
        'prior',
    }
    made.projector.register_forward_hook(
        lambda *_: pytest.fail('the projector ran at inference')
    )
    feats, _, _ = batch(4)
    ours = made.eval().predict(feats)
    theirs = stock.eval().predict(feats)
    for one, other in zip(ours, theirs):
        assert torch.equal(one.pred_score, other.pred_score)


def test_accuracy_is_of_the_plain_logits():
    made = head(cal_acc=True)
    torch.nn.init.constant_(made.fc.bias, -5.0)
    feats, samples, labels = batch(8)
    losses = made.loss(feats, samples)
    right = made.fc(feats[0]).argmax(1) == labels
    assert losses['accuracy_top-1'].item() == pytest.approx(
        100 * right.float().mean().item()
    )


@pytest.mark.parametrize(
    'options, linears, norms',
    (
        (dict(), [(6, 6), (6, 6), (6, 128)], 0),
        (
            dict(num_layers=2, norm_cfg=dict(type='BN1d')),
            [(6, 6), (6, 128)],
            1,
        ),
        (
            dict(
                num_layers=3,
                hidden_channels=4,
                out_channels=2,
                act_cfg=dict(type='GELU'),
            ),
            [(6, 4), (4, 4), (4, 2)],
            0,
        ),
        (dict(num_layers=1, out_channels=2), [(6, 2)], 0),
    ),
)
def test_projector_depth_norm_and_activation(options, linears, norms):
    projector = Projector(6, **options)
    found = [m for m in projector.modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in found] == linears
    assert norms == sum(
        isinstance(m, nn.BatchNorm1d) for m in projector.modules()
    )
    activation = nn.GELU if 'act_cfg' in options else nn.ReLU
    assert len(linears) - 1 == sum(
        isinstance(m, activation) for m in projector.modules()
    )
    out = projector(torch.randn(5, 6))
    torch.testing.assert_close(out.norm(dim=1), torch.ones(5))


def test_initialisation_leaves_the_projector_to_pytorch():
    """LinearClsHead's std of 0.01 is for the classifier alone."""
    made = GPaCoHead(CLASSES, 400, queue_length=0)
    made.init_weights()
    assert made.fc.weight.std().item() == pytest.approx(0.01, rel=0.1)
    first = next(
        m for m in made.projector.modules() if isinstance(m, nn.Linear)
    )
    # Uniform within 1 / sqrt(400), so a deviation of 0.05 / sqrt(3).
    assert first.weight.std().item() == pytest.approx(0.0289, rel=0.1)


@pytest.mark.parametrize(
    'alpha, queue_length, warned',
    ((0.05, 20, False), (0.9, 20, True), (0.001, 20, True), (0.0, 20, False)),
)
def test_contrast_strength_is_logged_and_warned_of(
    log, alpha, queue_length, warned
):
    """K of the head class is q * (queue + 2 * batch - 1)."""
    made = head(
        loss=dict(type='mmpaco.PaCoLoss', alpha=alpha, temperature=0.2),
        queue_length=queue_length,
    )
    feats, samples, _ = batch(4)
    made.loss(feats, samples)
    collect(made)
    made.loss(feats, samples)
    most = 50 / 87 * (queue_length + 2 * 4 - 1)
    least = 2 / 87 * (queue_length + 2 * 4 - 1)
    text = log()
    assert text.count('alpha x K is') == 1
    assert f'{alpha * most:.3g} for the most frequent' in text
    assert f'{alpha * least:.3g} for the least frequent' in ' '.join(
        text.split()
    )
    assert ('WARNING' in text) == warned
    advice = f'alpha={0.5 / most:.2g} brings it to 0.5'
    assert (advice in text) == warned


def test_contrast_strength_of_a_set_without_a_prior_is_of_an_equal_share(log):
    """Full ImageNet: K is what a class has in the contrasts on average."""
    made = head(class_prior=False, queue_length=20)
    feats, samples, _ = batch(4)
    made.loss(feats, samples)
    text = log()
    assert 'nan' not in text
    average = (20 + 2 * 4 - 1) / CLASSES
    assert (
        f'alpha x K is {0.1 * average:.3g} for each class of a balanced set'
        in text
    )


def test_a_prior_that_is_not_set_is_told_and_no_nan_logged(log):
    made = GPaCoHead(CLASSES, CHANNELS, queue_length=0)
    feats, samples, _ = batch(4)
    with pytest.raises(RuntimeError, match='ClassPriorHook'):
        made.loss(feats, samples)
    assert 'alpha x K' not in log()


def test_a_loss_of_ones_own_gets_rows_labels_scores_and_queue():
    made = head(loss=dict(type='PrototypeLoss', temperature=0.2))
    assert made.prior is None
    feats, samples, labels = batch(4)
    made.loss(feats, samples)
    collect(made)
    rows = F.normalize(made.projector(feats[0]), dim=1)
    keys, key_labels = made.queue.contents()
    expected = PrototypeLoss(0.2)(
        rows, labels, torch.zeros(8, CLASSES), keys, key_labels
    )
    loss = made.loss(feats, samples)['loss']
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert made.projector.layers[-1].weight.grad.abs().sum() > 0


# What stock heads have in their configs.
STOCK_LOSSES = (
    dict(type='CrossEntropyLoss', loss_weight=1.0),
    dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
)


@pytest.mark.parametrize('stock', STOCK_LOSSES)
@pytest.mark.parametrize('names_a_loss', (False, True))
def test_a_loss_merged_into_that_of_the_base_names_delete(stock, names_a_loss):
    base = Config(
        dict(
            head=dict(
                type='LinearClsHead',
                num_classes=CLASSES,
                in_channels=CHANNELS,
                loss=stock,
            )
        )
    )
    mine = dict(type='mmpaco.GPaCoHead')
    if names_a_loss:
        mine['loss'] = LOSS
    base.merge_from_dict(dict(head=mine))
    with pytest.raises(TypeError, match=r"loss=dict\(_delete_=True, type='mm"):
        MODELS.build(base.head)


def test_a_single_row_has_no_contrast_to_report(log):
    made = head(num_views=1, queue_length=0, class_prior=False)
    made.report_strength(1)
    assert 'alpha x K' not in log()


def test_the_loss_that_was_asked_for_is_named(log):
    loss = dict(type='mmpaco.SupConLoss', temperature=0.1, loss_weight=1.0)
    with pytest.raises(TypeError, match="True, type='mmpaco.SupConLoss'"):
        head(loss=loss, cal_acc=False)


@pytest.mark.parametrize(
    'wrong', (dict(reduction='sum'), dict(ignore_index=9))
)
def test_gathered_ranks_are_weighed_by_their_images_alone(wrong):
    with pytest.raises(ValueError, match='gather=True'):
        head(gather=True, loss=dict(**LOSS, **wrong))


def test_a_head_merged_into_another_kind_names_delete():
    with pytest.raises(TypeError, match=r"head=dict\(_delete_=True, type='mm"):
        head(hidden_dim=64)


@pytest.mark.parametrize(
    'options, error, message',
    (
        (dict(queue_length=-1), ValueError, 'queue_length'),
        (dict(num_views=0), ValueError, 'num_views'),
        (dict(loss=dict(type='CrossEntropyLoss')), TypeError, 'PaCoLoss'),
        (
            dict(projector=dict(num_layers=0)),
            ValueError,
            'at least one layer',
        ),
    ),
)
def test_bad_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        head(**options)


def test_batch_that_does_not_divide_by_the_views_is_refused():
    feats, samples, _ = batch(3, num_views=1)
    with pytest.raises(ValueError, match='expected 2 views'):
        head().loss(feats, samples)


def test_batch_of_single_views_is_refused():
    """Four other images are not two views of two."""
    feats, samples, _ = batch(4, num_views=1)
    with pytest.raises(ValueError, match='MultiViewDataPreprocessor'):
        head().loss(feats, samples)


def test_soft_labels_are_refused():
    feats, samples, _ = batch(2)
    for sample in samples:
        sample.set_gt_score(torch.ones(CLASSES) / CLASSES)
    with pytest.raises(ValueError, match='batch_augments'):
        head().loss(feats, samples)


def test_features_and_labels_must_match():
    feats, samples, _ = batch(4)
    with pytest.raises(ValueError, match='6 features for 8 labels'):
        head().loss((feats[0][:6],), samples)


@pytest.mark.parametrize('shape', ((8, CHANNELS, 2, 2), (8, CHANNELS + 1)))
def test_features_that_are_not_pooled_are_refused(shape):
    _, samples, _ = batch(4)
    with pytest.raises(ValueError, match='GlobalAveragePooling'):
        head().loss((torch.ones(shape),), samples)
