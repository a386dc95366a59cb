"""The class prior in segmentation: pixels, counted or given, and its loss."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import DATASETS as SEG_DATASETS
from support.small_seg import WRITERS, small_config
from support.small_segmentor import IGNORE, NUM_CLASSES, small_run
from torch.utils.data import Subset

from mmpaco.engine.class_counts import count_classes
from mmpaco.engine.pixel_counts import count_pixels
from mmpaco.losses import BalancedSoftmaxLoss

COUNTS = [500, 100, 40, 9, 1]
BALANCED = dict(type='mmpaco.BalancedSoftmaxLoss', num_classes=NUM_CLASSES)


def pixels_on_disk(folder):
    """Pixels of each class of each label map, counted by hand."""
    maps = [
        cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        for path in sorted(folder.glob('*.png'))
    ]
    return np.array(
        [[(m == c).sum() for c in range(NUM_CLASSES)] for m in maps]
    )


@pytest.fixture
def dataset(tmp_path):
    cfg = small_run(tmp_path)
    return DATASETS.build(cfg.train_dataloader.dataset)


def test_pixels_are_those_on_disk_through_wrappers(dataset, tmp_path):
    pixels = pixels_on_disk(tmp_path / 'data/labels')
    total = pixels.sum(0).tolist()
    for wrapped, expected in (
        (dataset, total),
        (RepeatDataset(dataset, 3), total),
        (ConcatDataset([dataset, dataset]), (2 * pixels.sum(0)).tolist()),
        (Subset(dataset, [6, 1]), pixels[[6, 1]].sum(0).tolist()),
        (
            Subset(ConcatDataset([dataset, dataset]), [15, 0]),
            pixels[[7, 0]].sum(0).tolist(),
        ),
    ):
        assert count_pixels(wrapped, NUM_CLASSES).tolist() == expected
        counts, what = count_classes(wrapped, NUM_CLASSES)
        assert (counts.tolist(), what) == (expected, 'pixels')
    assert count_pixels(dataset).tolist() == total
    assert count_pixels(dataset, 7).tolist() == [*total, 0, 0]


def test_a_label_beyond_the_classes_is_told_with_its_file(dataset):
    with pytest.raises(ValueError, match=r'\d.png holds the labels \[4\]'):
        count_pixels(dataset, 4)


class Unlabelled:
    """A dataset that gives images, and nothing to count."""

    def __len__(self):
        return 3


def test_what_cannot_be_counted_names_the_way_out():
    with pytest.raises(TypeError, match='get_gt_labels.*give class_counts'):
        count_classes(Subset(Unlabelled(), [0]))
    with pytest.raises(TypeError, match='LoadAnnotations.*give class_counts'):
        count_pixels(Unlabelled(), 3)


def cross_entropy_of_shifted(scores, labels, **options):
    """mmseg's own loss, on scores that the log prior shifts."""
    prior = torch.log(torch.tensor(COUNTS) / sum(COUNTS) + 1e-9)
    return CrossEntropyLoss(loss_name='loss_x')(
        scores + prior[:, None, None], labels, **options
    )


def test_the_loss_is_averaged_and_weighted_as_that_of_mmseg():
    torch.manual_seed(0)
    scores = torch.randn(2, NUM_CLASSES, 6, 7)
    labels = torch.randint(0, NUM_CLASSES, (2, 6, 7))
    labels[:, 2:4] = IGNORE
    loss = BalancedSoftmaxLoss(NUM_CLASSES, class_counts=COUNTS)
    assert loss.loss_name == 'loss_balanced_softmax'
    weight = torch.rand(2, 6, 7)
    for options in (
        {},
        dict(weight=weight),
        dict(weight=weight, avg_factor=11.0),
        dict(reduction_override='none'),
        dict(reduction_override='sum', weight=weight),
    ):
        options['ignore_index'] = IGNORE
        torch.testing.assert_close(
            loss(scores, labels, **options),
            cross_entropy_of_shifted(scores, labels, **options),
        )


@pytest.mark.parametrize(
    'options, message',
    (
        (dict(loss_name='balanced'), "begin with 'loss_'.*'balanced'"),
        (dict(class_counts=[1, 2]), 'expected 5 class counts'),
    ),
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        BalancedSoftmaxLoss(NUM_CLASSES, **options)


@pytest.mark.parametrize(
    'options', (dict(reduction_override='max'), dict(avg_factor=2.0))
)
def test_a_reduction_without_a_meaning_is_refused(options):
    loss = BalancedSoftmaxLoss(3, class_counts=[3, 2, 1])
    options = {'reduction_override': 'sum', **options}
    with pytest.raises(ValueError, match='reduction_override must be'):
        loss(torch.zeros(2, 3), torch.tensor([0, 1]), **options)


@pytest.mark.parametrize(
    'sampler', (None, dict(min_kept=50), dict(thresh=0.3, min_kept=50))
)
def test_a_decode_head_trains_by_it(
    segmentor_cfg, build, samples, label_maps, sampler
):
    """Online hard example mining included."""
    head = segmentor_cfg()['decode_head']
    head.update(
        dropout_ratio=0,
        loss_decode=[
            dict(BALANCED, class_counts=COUNTS, loss_weight=0.7),
            dict(type='CrossEntropyLoss', loss_name='loss_ce'),
        ],
    )
    if sampler:
        head['sampler'] = dict(type='OHEMPixelSampler', **sampler)
    model = build(head)
    features = [torch.randn(2, 64, 8, 8)]
    data = samples(label_maps(2))
    losses = model.loss(features, data, None)
    loss = losses['loss_balanced_softmax']
    labels = torch.stack([x.gt_sem_seg.data for x in data])
    scores = F.interpolate(model(features), (64, 64), mode='bilinear')
    weight = sampler and model.sampler.sample(scores, labels)
    expected = 0.7 * cross_entropy_of_shifted(
        scores, labels[:, 0], weight=weight, ignore_index=IGNORE
    )
    torch.testing.assert_close(loss, expected)
    assert losses['loss_ce'] != loss
    assert 0 <= losses['acc_seg'] <= 100
    loss.backward()
    assert model.conv_seg.weight.grad.any()


class NotesStart(Hook):
    """Notes the counts that a training begins with."""

    priority = 'LOWEST'

    def before_train(self, runner):
        self.counts = {
            name: value.tolist()
            for name, value in runner.model.state_dict().items()
            if name.endswith('class_counts')
        }


def train(cfg):
    cfg.custom_hooks = [dict(type='mmpaco.ClassPriorHook')]
    runner = Runner.from_cfg(cfg)
    start = NotesStart()
    runner.register_hook(start)
    runner.train()
    return runner, start.counts


def balanced_run(folder, segmentor_cfg, **options):
    """Both stock heads with Balanced Softmax, and GPaCo with a prior."""
    heads = [
        segmentor_cfg()['decode_head'],
        segmentor_cfg()['auxiliary_head'][0],
    ]
    for head in heads:
        head['loss_decode'] = dict(BALANCED, **options)
    gpaco = dict(num_samples=20, class_prior=True, **options)
    cfg = small_run(
        folder, decode_head=heads[0], auxiliary_head=heads[1], gpaco=gpaco
    )
    cfg.train_cfg.max_iters = 2
    return cfg


NAMES = (
    'decode_head.loss_decode.prior.class_counts',
    'auxiliary_head.loss_decode.prior.class_counts',
    'gpaco_head.prior.class_counts',
)


def test_the_hook_counts_pixels_once_for_all_that_ask(segmentor_cfg, tmp_path):
    cfg = balanced_run(tmp_path, segmentor_cfg)
    cfg.log_level = 'INFO'
    runner, counts = train(cfg)
    pixels = pixels_on_disk(tmp_path / 'data/labels').sum(0).tolist()
    assert counts == dict.fromkeys(NAMES, pixels)
    scalars = runner.message_hub.log_scalars
    for name in ('decode', 'aux'):
        history = scalars[f'train/{name}.loss_balanced_softmax']
        assert np.isfinite(history.data[0]).all()
    (log,) = (tmp_path / 'work_dir').glob('*/*.log')
    lines = [x for x in log.read_text().splitlines() if 'class_counts' in x]
    lines = [x for x in lines if 'INFO' in x]
    assert len(lines) == 1 + len(NAMES)
    assert 'pixels of 5 classes in 8 label maps' in lines[0]
    assert 'in the config of the loss or head skips' in lines[0]
    # As the config takes it.
    assert all(line.endswith(f'class_counts={pixels}') for line in lines[1:])


@SEG_DATASETS.register_module()
class UncountableDataset(torch.utils.data.Dataset):
    """Images and labels of mmseg, which nobody but the loader can find."""

    metainfo = dict(classes=[str(i) for i in range(NUM_CLASSES)])

    def __init__(self, inner):
        self._inner = DATASETS.build(inner)

    def __len__(self):
        return len(self._inner)

    def __getitem__(self, index):
        return self._inner[index]


def hide(cfg):
    cfg.train_dataloader.dataset = dict(
        type='UncountableDataset', inner=cfg.train_dataloader.dataset
    )
    return cfg


def test_counts_of_the_config_are_kept_and_the_dataset_not_looked_at(
    segmentor_cfg, tmp_path
):
    _, counts = train(
        hide(balanced_run(tmp_path, segmentor_cfg, class_counts=COUNTS))
    )
    assert counts == dict.fromkeys(NAMES, COUNTS)
    # Had it been looked at:
    with pytest.raises(TypeError, match='UncountableDataset has no labels'):
        train(hide(balanced_run(tmp_path, segmentor_cfg)))


@pytest.mark.parametrize('source', ('decode_head', 'backbone'))
def test_the_same_of_an_explicit_contrast_head(
    segmentor_cfg, tmp_path, source
):
    heads = segmentor_cfg()['auxiliary_head']
    heads[1].update(class_counts=COUNTS)
    if source == 'backbone':
        heads[1].update(source=source, in_channels=64, channels=8)
    cfg = hide(small_run(tmp_path, auxiliary_head=heads))
    cfg.train_cfg.max_iters = 2
    _, counts = train(cfg)
    assert counts == {'auxiliary_head.1.prior.class_counts': COUNTS}


def test_a_model_that_asks_for_nothing_is_left_alone(tmp_path):
    cfg = hide(small_run(tmp_path))
    cfg.train_cfg.max_iters = 2
    assert train(cfg)[1] == {}


def test_ranks_count_their_shares_and_get_the_sum(dist_train, tmp_path):
    """The shipped baseline of CamVid, by the shell tool, in two processes."""
    root = tmp_path / 'data'
    WRITERS['camvid'](root, np.random.default_rng(0))
    # One more, so that the shares differ.
    for kind, end in (('images', 'jpg'), ('annotations', 'png')):
        folder = root / kind / 'train'
        last = folder / f'0001TP_000001.{end}'
        (folder / f'0001TP_000002.{end}').write_bytes(last.read_bytes())
    name = 'balanced-softmax_deeplabv3plus_r18_camvid'
    cfg = small_config('baselines', name, str(root))
    cfg.work_dir = str(tmp_path / 'run')
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    output = dist_train(cfg, 2)
    assert output.count('classes in 3 label maps') == 1
    pixels = [
        sum(
            int((cv2.imread(str(path), cv2.IMREAD_UNCHANGED) == c).sum())
            for path in (root / 'annotations/train').iterdir()
        )
        for c in range(11)
    ]
    saved = torch.load(
        tmp_path / 'run/iter_2.pth', map_location='cpu', weights_only=False
    )['state_dict']
    (key,) = (x for x in saved if x.endswith('class_counts'))
    assert saved[key].tolist() == pixels
    model = MODELS.build(cfg.model)
    model.load_state_dict(saved, strict=True)
