"""The pixel contrast of the auxiliary head, and its errors."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmpaco.losses import paco_loss
from mmpaco.seg.models import GPaCoAuxHead
from mmpaco.seg.models.gpaco_aux_head import DecodeHeadOutput

CHANNELS, CLASSES, IGNORE = 6, 5, 255
BN = dict(type='BN')
PAPERS = dict(alpha=0.01, temperature=0.07)


def head(**options):
    options.setdefault('num_classes', CLASSES)
    options.setdefault('norm_cfg', BN)
    torch.manual_seed(0)
    made = GPaCoAuxHead(options.pop('in_channels', CHANNELS), **options)
    made.init_weights()
    return made


def main_output(num_images=3, size=(7, 9), seed=1, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return DecodeHeadOutput(
        *(
            torch.randn(
                num_images, n, *size, generator=generator, dtype=dtype
            ).requires_grad_()
            for n in (CHANNELS, CLASSES)
        )
    )


# Golden vectors of the papers' released module: eight pixels of four classes.
SEG_LABELS = [0, 0, 1, 4, 2, 2, 4, 3]


def golden_maps(keep):
    """Rows of (1, n, D), and logits as a map of (1, C, 2, n / 2)."""
    i = torch.arange(8, dtype=torch.float64)[keep, None]
    j = torch.arange(5, dtype=torch.float64)
    rows = torch.sin(0.7 * i + 1.3 * j + 0.5 * i * j)
    rows = rows / rows.norm(dim=1, keepdim=True)
    logits = 2 * torch.cos(0.9 * i + 0.4 * j[:4])
    logits = logits.t().reshape(1, 4, 2, -1).contiguous()
    return rows[None].requires_grad_(), logits.requires_grad_()


@pytest.mark.parametrize(
    'keep, labels, golden',
    (
        (list(range(8)), SEG_LABELS, (7.4198434, 49.04376, 1.038886)),
        (
            [0, 1, 2, 4, 5, 7],
            [0, 0, 1, 2, 2, 3],
            (7.0797147, 49.61398, 1.051135),
        ),
        (list(range(8)), [4] * 8, (0, 0, 0)),
    ),
    ids=('G', 'G2 ignored pixels deleted', 'H all ignored'),
)
@pytest.mark.parametrize('impl', ('tiled', 'dense'))
def test_golden_vectors(samples, keep, labels, golden, impl):
    made = head(
        num_classes=4,
        num_samples=-1,
        ignore_index=4,
        loss_decode=dict(type='mmpaco.PaCoLoss', impl=impl, **PAPERS),
    )
    rows, logits = golden_maps(keep)
    loss = made.loss_by_feat(
        (rows, logits, None), samples(torch.tensor(labels).reshape(1, 2, -1))
    )['loss_gpaco']
    loss.backward()
    found = (loss.item(), *(x.grad.abs().sum().item() for x in (rows, logits)))
    assert found == pytest.approx(golden, rel=1e-5, abs=1e-5)
    if not any(golden):
        assert found == golden


def test_golden_vector_is_what_loss_gives(samples):
    """From feature and logits of the main head, with a bare projector."""
    made = head(in_channels=5, num_classes=4, num_samples=-1, ignore_index=4)
    made.projector = nn.Identity()
    rows, logits = golden_maps(list(range(8)))
    feature = rows.transpose(1, 2).reshape(1, 5, 2, 4)
    loss = made.loss(
        DecodeHeadOutput(feature, logits),
        samples(torch.tensor(SEG_LABELS).reshape(1, 2, 4)),
        None,
    )['loss_gpaco']
    assert loss.item() == pytest.approx(7.4198434, abs=1e-5)


def test_loss_is_the_dense_formula_image_by_image(samples):
    """Images count alike, however few of their pixels are labelled."""
    made = head(num_samples=-1, loss_weight=0.5).double()
    output = main_output(dtype=torch.float64)
    labels = torch.randint(0, CLASSES, (3, 28, 36))
    labels[1, 4:] = IGNORE
    labels[2] = IGNORE
    found = made.loss(output, samples(labels), None)['loss_gpaco']
    expected = 0
    embeddings = made.projector(output.feature)
    for i in range(2):
        rows = F.normalize(embeddings[i].flatten(1).t(), dim=1)
        expected += paco_loss(
            rows,
            labels[i, ::4, ::4].reshape(-1),
            output.logits[i].flatten(1).t(),
            ignore_index=IGNORE,
            impl='dense',
            **PAPERS,
        )
    torch.testing.assert_close(found, 0.5 * expected / 3)


@pytest.mark.parametrize(
    'num_samples, expected', ((20, 20), (1, 1), (63, 63), (64, 63), (-1, 63))
)
def test_distinct_positions_are_sampled_of_each_image(
    samples, num_samples, expected
):
    made = head(num_samples=num_samples)
    output = main_output()
    labels = torch.randint(0, CLASSES, (3, 28, 36))
    made.loss(output, samples(labels), None)['loss_gpaco'].backward()
    chosen = output.logits.grad.abs().sum(1) > 0
    assert chosen.flatten(1).sum(1).tolist() == [expected] * 3
    if num_samples == 20:
        assert not torch.equal(chosen[0], chosen[1])


@pytest.mark.parametrize('after', (False, True))
def test_embedding_label_and_scores_are_of_the_same_position(samples, after):
    """The loss of the sampled positions, which the gradient tells.

    Sampled after the projector, as released, its norms see all positions.
    """
    made = head(num_samples=20, sample_after_projector=after).double()
    output = main_output(num_images=1, dtype=torch.float64)
    labels = torch.randint(0, CLASSES, (1, 28, 36))
    loss = made.loss(output, samples(labels), None)['loss_gpaco']
    loss.backward()
    chosen = (output.logits.grad.abs().sum(1) > 0).flatten()
    feature = output.feature.flatten(2)
    if after:
        rows = made.projector(feature[..., None])[..., chosen, :]
    else:
        rows = made.projector(feature[..., chosen, None])
    expected = paco_loss(
        F.normalize(rows, dim=1)[0].flatten(1).t(),
        labels[0, ::4, ::4].reshape(-1)[chosen],
        output.logits[0].flatten(1).t()[chosen],
        impl='dense',
        **PAPERS,
    )
    torch.testing.assert_close(loss, expected)


def test_gradients_reach_projector_feature_and_centers(samples, label_maps):
    made = head(num_samples=-1)
    output = main_output()
    labels = samples(label_maps(3, (28, 36)))
    made.loss(output, labels, None)['loss_gpaco'].backward()
    for name, value in (*made.named_parameters(), *zip('fs', output)):
        assert value.grad is not None, name
        # A bias that does not survive batch norm has no place here.
        assert value.grad.abs().sum() > 0, name
    assert not any('conv_seg' in name for name in made.state_dict())


@pytest.mark.parametrize('num_samples', (20, -1))
@pytest.mark.parametrize('source', ('decode_head', 'backbone'))
def test_only_ignored_pixels_give_zero_with_a_whole_graph(
    samples, source, num_samples
):
    channels = 4 if source == 'backbone' else None
    made = head(source=source, channels=channels, num_samples=num_samples)
    output = main_output()
    inputs = output if source == 'decode_head' else [output.feature]
    labels = torch.full((3, 28, 36), IGNORE)
    loss = made.loss(inputs, samples(labels), None)['loss_gpaco']
    assert loss.item() == 0
    loss.backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


@pytest.mark.parametrize('after', (False, True))
@pytest.mark.parametrize('num_samples', (2, -1))
def test_what_is_not_finite_raises(samples, label_maps, num_samples, after):
    """Wherever it is: at a position that is sampled, or beside all of them."""
    labels = samples(label_maps(3, (28, 36)))
    output = main_output()
    with torch.no_grad():
        output.feature[1, 2, 3, 4] = float('inf')
        output.logits[1, 0, 3, 4] = float('nan')
    made = head(num_samples=num_samples, sample_after_projector=after)
    with pytest.raises(RuntimeError, match='GPaCoAuxHead: .* not finite'):
        made.loss(output, labels, None)


def test_projector_is_of_three_layers_with_the_norm_and_activation():
    made = head(act_cfg=dict(type='GELU'))
    found = [
        (m.in_channels, m.out_channels, m.kernel_size, m.bias is not None)
        for m in made.projector.modules()
        if isinstance(m, nn.Conv2d)
    ]
    assert found == [
        (CHANNELS, CHANNELS, (1, 1), False),
        (CHANNELS, CHANNELS, (1, 1), False),
        (CHANNELS, 128, (1, 1), True),
    ]
    for kind in (nn.BatchNorm2d, nn.GELU):
        assert 2 == sum(isinstance(m, kind) for m in made.modules())
    # Checkpoints hold these names.
    norm = 'weight bias running_mean running_var num_batches_tracked'.split()
    layers = [
        f'projector.{i}.{x}'
        for i in (0, 1)
        for x in ('conv.weight', *(f'bn.{key}' for key in norm))
    ]
    for options in ({}, dict(sample_after_projector=True)):
        assert list(head(**options).state_dict()) == [
            *layers,
            *('projector.2.weight', 'projector.2.bias'),
        ]
    embeddings, *_ = made(main_output())
    torch.testing.assert_close(
        embeddings.norm(dim=2), torch.ones(3, 63), rtol=1e-5, atol=1e-5
    )


def trained(made, output, labels, seed=3):
    """The loss after a backward, and all gradients."""
    torch.manual_seed(seed)
    made.zero_grad()
    output = DecodeHeadOutput(*(x.detach().requires_grad_() for x in output))
    inputs = output if made.source == 'decode_head' else [output.feature]
    loss = made.loss(inputs, labels, None)['loss_gpaco']
    loss.backward()
    grads = {name: p.grad.clone() for name, p in made.named_parameters()}
    return loss, dict(grads, feature=output.feature.grad)


@pytest.mark.parametrize('source', ('decode_head', 'backbone'))
def test_without_norms_it_does_not_matter_where_pixels_are_sampled(
    samples, label_maps, source
):
    """The dropout and the 3 x 3 convolution of a stage come before both."""
    options = dict(source=source, norm_cfg=None, num_samples=20)
    if source == 'backbone':
        options['channels'] = 4
    labels, found = samples(label_maps(3, (28, 36))), []
    for after in (False, True):
        made = head(sample_after_projector=after, **options).double()
        output = main_output(dtype=torch.float64)
        found.append(trained(made, output, labels))
    torch.testing.assert_close(*found, rtol=1e-10, atol=1e-12)
    assert found[0][1]['feature'].any()


def test_the_layout_in_memory_changes_nothing(samples, label_maps):
    made = head(num_samples=20).double()
    output = main_output(dtype=torch.float64)
    labels = samples(label_maps(3, (28, 36)))
    expected = trained(made, output, labels)
    last = [x.contiguous(memory_format=torch.channels_last) for x in output]
    found = trained(made.to(memory_format=torch.channels_last), last, labels)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('after', (False, True))
@pytest.mark.parametrize('source', ('decode_head', 'backbone'))
def test_positions_are_one_permutation_an_image_after_the_dropout(
    source, after
):
    """So that a seed gives the same positions, wherever they are taken."""
    channels = 4 if source == 'backbone' else None
    made = head(
        source=source,
        channels=channels,
        num_samples=20,
        sample_after_projector=after,
    )
    output = main_output()
    torch.manual_seed(5)
    if source == 'backbone':
        made.dropout(made.conv(output.feature))
        output = [output.feature]
    expected = [torch.randperm(63)[:20].tolist() for _ in range(3)]
    torch.manual_seed(5)
    embeddings, logits, positions = made(output)
    assert positions.tolist() == expected
    assert embeddings.shape == (3, 20, 128)
    assert logits.shape == (3, CLASSES, 7, 9)


@pytest.mark.parametrize('after', (False, True))
def test_batch_statistics_are_those_of_what_the_projector_sees(after):
    """The sampled pixels; as released, all of them."""
    made = head(
        num_samples=20,
        sample_after_projector=after,
        norm_cfg=dict(type='BN', momentum=1.0),
    )
    feature, logits = main_output()
    _, _, positions = made(DecodeHeadOutput(feature, logits))
    rows = feature.flatten(2).transpose(1, 2)
    if not after:
        rows = torch.stack([x[chosen] for x, chosen in zip(rows, positions)])
    layer = made.projector[0]
    hidden = rows.reshape(-1, CHANNELS) @ layer.conv.weight.flatten(1).t()
    assert len(hidden) == (189 if after else 60)
    torch.testing.assert_close(layer.bn.running_mean, hidden.mean(0))
    torch.testing.assert_close(layer.bn.running_var, hidden.var(0))


def test_batch_norm_over_one_pixel_is_told(samples):
    labels = samples(torch.zeros(1, 28, 36, dtype=torch.int64))
    output = main_output(num_images=1)
    for norm in (BN, dict(type='SyncBN')):
        made = revert_sync_batchnorm(head(num_samples=1, norm_cfg=norm))
        with pytest.raises(ValueError, match=r'one .*\(num_samples=1\).*GN'):
            made.loss(output, labels, None)
        assert made.eval().loss(output, labels, None)['loss_gpaco'] > 0
    for options in (
        dict(sample_after_projector=True),
        dict(norm_cfg=dict(type='GN', num_groups=2)),
        dict(norm_cfg=None),
    ):
        made = head(num_samples=1, **options)
        assert made.loss(output, labels, None)['loss_gpaco'] > 0


@pytest.mark.parametrize('source', ('decode_head', 'backbone'))
@pytest.mark.parametrize(
    'dtype, tolerance', ((torch.bfloat16, 0.2), (torch.float16, 0.15))
)
@pytest.mark.parametrize('num_samples', (40, -1))
def test_half_precision_features_are_contrasted_in_float32(
    samples, label_maps, source, num_samples, dtype, tolerance
):
    """The loss within 1e-3, and the gradient as far as the digits go.

    In float16 small gradients vanish, for want of a scaler.
    """
    half = torch.autocast('cpu', dtype)
    try:
        with half:
            pass
    except RuntimeError as error:
        # PyTorch 2.1 has no float16 here.
        pytest.skip(str(error))
    channels = 4 if source == 'backbone' else None
    made = head(num_samples=num_samples, source=source, channels=channels)
    labels = samples(label_maps(3, (28, 36)))

    def train(output):
        torch.manual_seed(0)
        made.zero_grad()
        asked = source == 'decode_head'
        found = made(output if asked else [output.feature])
        loss = made.loss_by_feat(found, labels)['loss_gpaco']
        loss.backward()
        grads = [output.feature.grad]
        grads += [p.grad for p in made.parameters()]
        return *found, loss, torch.cat([x.flatten().float() for x in grads])

    output = main_output()
    *_, exact, expected = train(output)
    with half:
        embeddings, logits, _, loss, gradient = train(
            DecodeHeadOutput(
                *(x.detach().to(dtype).requires_grad_() for x in output)
            )
        )
    assert embeddings.dtype == loss.dtype == torch.float32
    assert logits.dtype == dtype
    torch.testing.assert_close(loss, exact, rtol=1e-3, atol=0)
    assert gradient.isfinite().all()
    error = (gradient - expected).norm() / expected.norm()
    assert error < tolerance


def test_own_convolution_and_centers_on_the_backbone(samples, label_maps):
    made = head(source='backbone', in_channels=8, channels=4, in_index=1)
    assert made.conv.conv.kernel_size == (3, 3)
    assert made.conv_seg.weight.shape == (CLASSES, 4, 1, 1)
    assert made.conv_seg.weight.std().item() < 0.02
    stages = [None, torch.randn(2, 8, 7, 9, requires_grad=True), None]
    labels = label_maps(2, (28, 36))
    made.eval()
    loss = made.loss(stages, samples(labels), None)['loss_gpaco']
    feature = made.conv(stages[1])
    embeddings = F.normalize(made.projector(feature), dim=1)
    expected = sum(
        paco_loss(
            embeddings[i].flatten(1).t(),
            labels[i, ::4, ::4].reshape(-1),
            made.conv_seg(feature)[i].flatten(1).t(),
            ignore_index=IGNORE,
            impl='dense',
            **PAPERS,
        )
        for i in range(2)
    )
    torch.testing.assert_close(loss, expected / 2)
    loss.backward()
    assert stages[1].grad.abs().sum() > 0
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name


def test_class_prior_of_pixel_counts(samples, label_maps):
    counts = [737_000_000, 5000, 40, 3, 2]
    made = head(num_samples=-1, class_counts=counts).double()
    assert made.state_dict()['prior.class_counts'].tolist() == counts
    output = main_output(num_images=1, dtype=torch.float64)
    labels = label_maps(1, (7, 9))
    found = made.loss(output, samples(labels), None)['loss_gpaco']
    expected = paco_loss(
        F.normalize(made.projector(output.feature), dim=1)[0].flatten(1).t(),
        labels.reshape(-1),
        output.logits[0].flatten(1).t(),
        class_counts=torch.tensor(counts),
        ignore_index=IGNORE,
        **PAPERS,
    )
    torch.testing.assert_close(found, expected)
    assert 'prior.class_counts' not in head().state_dict()


@pytest.mark.parametrize(
    'options, error, message',
    (
        (dict(num_samples=0), ValueError, '-1 for all positions.*got 0'),
        (dict(num_samples=-2), ValueError, '-1 for all positions.*got -2'),
        (dict(source='neck'), ValueError, "decode_head.*backbone.*'neck'"),
        (dict(channels=4), ValueError, 'has 6 channels.*channels=4'),
        (dict(source='backbone'), ValueError, 'channels=None'),
        (
            dict(loss_decode=dict(type='CrossEntropyLoss')),
            TypeError,
            'mmpaco.PaCoLoss.*CrossEntropyLoss',
        ),
        (
            dict(
                loss_decode=dict(
                    type='mmpaco.PaCoLoss', ignore_index=0, **PAPERS
                )
            ),
            ValueError,
            'ignores label 0 and the head 255',
        ),
        (
            dict(
                loss_decode=dict(
                    type='mmpaco.PaCoLoss', reduction='sum', **PAPERS
                )
            ),
            ValueError,
            "reduction='sum'",
        ),
        (
            dict(num_classes=2, out_channels=1, threshold=0.5),
            ValueError,
            'out_channels=1',
        ),
        (
            dict(sampler=dict(type='OHEMPixelSampler')),
            ValueError,
            'OHEMPixelSampler.*num_samples',
        ),
        (dict(class_counts=[1, 2]), ValueError, 'expected 5 class counts'),
        (dict(num_samples=2.5), TypeError, 'whole number.*got 2.5'),
        (dict(num_samples=True), TypeError, 'whole number.*got True'),
    ),
)
def test_bad_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        head(**options)


@pytest.mark.parametrize('label', (CLASSES, 254, -1))
def test_labels_that_are_no_class_are_refused(samples, label):
    """The release ignored them, which hides wrong class counts."""
    labels = torch.zeros(3, 28, 36, dtype=torch.int64)
    labels[2, 3, 3] = label
    with pytest.raises(ValueError, match=rf'\[0, 5\).*got \[{label}\]'):
        head().loss(main_output(), samples(labels), None)


def test_label_map_must_have_the_size_of_the_image(samples):
    """That mmseg's preprocessor notes, before and after padding."""
    labels = torch.zeros(3, 28, 36, dtype=torch.int64)
    fits = dict(img_shape=(20, 30), padding_size=(0, 6, 0, 8))
    assert head().loss(main_output(), samples(labels, **fits), None)
    for notes in (
        dict(img_shape=(14, 18), padding_size=(0, 0, 0, 0)),
        dict(img_shape=(20, 30), padding_size=(0, 0, 0, 8)),
    ):
        with pytest.raises(ValueError, match=r'\(1, 28, 36\) from a.png'):
            head().loss(
                main_output(),
                samples(labels, seg_map_path='a.png', **notes),
                None,
            )


def test_data_samples_must_be_as_many_as_images(samples):
    labels = torch.zeros(2, 28, 36, dtype=torch.int64)
    with pytest.raises(ValueError, match='2 data samples for 3 images'):
        head().loss(main_output(), samples(labels), None)


def test_it_works_without_mmpretrain():
    code = """
import sys
sys.modules['mmpretrain'] = None
from mmengine.registry import MODELS
import mmseg.models
head = MODELS.build(dict(type='mmpaco.GPaCoAuxHead', in_channels=4,
                         num_classes=3))
print(type(head).__name__, 'mmpaco.cls' in sys.modules)
"""
    out = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert out.stdout.endswith('GPaCoAuxHead False\n'), out.stderr


@pytest.mark.parametrize(
    'alpha, warned', ((0.01, True), (0.1, False), (1.5, False), (10, True))
)
def test_contrast_strength_is_logged_once_and_warned_of(log, alpha, warned):
    made = head(
        loss_decode=dict(type='mmpaco.PaCoLoss', alpha=alpha, temperature=0.07)
    )
    labels = torch.zeros(2, 14, 18, dtype=torch.int64)
    # A ninth of the labels, and of the positions of the feature map.
    labels[:, :, :2] = 1
    samples = [
        SegDataSample(gt_sem_seg=PixelData(data=x[None])) for x in labels
    ]
    for _ in range(2):
        made.loss(main_output(2), samples, None)
    text = log()
    assert text.count('alpha x K is') == 1
    assert f'alpha x K is {alpha * 55:.3g} for the most frequent' in text
    assert f'(K = 55 positives) and {alpha * 6:.3g}' in text
    assert ('WARNING' in text) == warned


def test_an_evaluated_head_says_nothing_of_the_contrast(log):
    made = head().eval()
    labels = torch.zeros(3, 1, 14, 18, dtype=torch.int64)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=x)) for x in labels]
    made.loss(main_output(), samples, None)
    assert 'alpha x K' not in log()


@pytest.mark.parametrize(
    'rest',
    (
        dict(num_convs=1),
        dict(loss_decode=dict(use_sigmoid=False)),
        dict(loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4)),
    ),
)
def test_a_head_merged_into_that_of_the_base_names_delete(rest):
    options = {'loss_decode': dict(type='mmpaco.PaCoLoss', **PAPERS)}
    with pytest.raises(TypeError, match=r'auxiliary_head=dict\(_delete_=True'):
        head(**{**options, **rest})
