"""Two views from the stock MultiView transform become one batch."""

import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample, MultiTaskDataSample

from mmpaco.cls.models import MultiViewDataPreprocessor

NORM = dict(mean=[10.0], std=[2.0])


def images(num_images, num_views, size=4):
    """What PackInputs gives for MultiView: a list of views per image."""
    return [
        dict(
            inputs=[
                torch.full((1, size, size), 10.0 * i + view)
                for view in range(num_views)
            ],
            data_samples=DataSample().set_gt_label(i % 3),
        )
        for i in range(num_images)
    ]


@pytest.mark.parametrize('collate', (default_collate, pseudo_collate))
@pytest.mark.parametrize('num_images, num_views', ((5, 2), (1, 2), (3, 4)))
def test_batch_is_view_major_and_samples_are_repeated(
    collate, num_images, num_views
):
    preprocessor = MultiViewDataPreprocessor(num_views, 3, **NORM)
    batch = images(num_images, num_views)
    out = preprocessor(collate(batch), training=True)
    assert out['inputs'].shape == (num_views * num_images, 1, 4, 4)
    expected = [
        (10.0 * i + view - 10) / 2
        for view in range(num_views)
        for i in range(num_images)
    ]
    assert out['inputs'][:, 0, 0, 0].tolist() == expected
    assert len(out['data_samples']) == num_views * num_images
    for i, sample in enumerate(out['data_samples']):
        assert sample is out['data_samples'][i % num_images]
        assert sample.gt_label.tolist() == [i % num_images % 3]


def test_test_batches_are_those_of_the_stock_preprocessor():
    batch = [
        dict(inputs=torch.rand(3, 4, 4), data_samples=DataSample())
        for _ in range(2)
    ]
    arguments = dict(mean=[1.0, 2.0, 3.0], std=[1.0, 2.0, 1.0], to_rgb=True)
    stock = ClsDataPreprocessor(**arguments)(default_collate(batch))
    ours = MultiViewDataPreprocessor(**arguments)(default_collate(batch))
    torch.testing.assert_close(ours['inputs'], stock['inputs'])


@pytest.mark.parametrize('collate', (default_collate, pseudo_collate))
def test_single_view_dataset_is_refused(collate):
    batch = [
        dict(
            inputs=torch.rand(1, 4, 4),
            data_samples=DataSample().set_gt_label(0),
        )
        for _ in range(4)
    ]
    with pytest.raises(ValueError, match='expected 2 views.*MultiView'):
        MultiViewDataPreprocessor()(collate(batch), training=True)


@pytest.mark.parametrize('collate', (default_collate, pseudo_collate))
def test_other_number_of_views_is_refused(collate):
    with pytest.raises(ValueError, match='expected 2 views.*3'):
        MultiViewDataPreprocessor()(collate(images(2, 3)), training=True)


def test_views_of_different_sizes_are_refused():
    batch = images(2, 2)
    for item in batch:
        item['inputs'][1] = torch.zeros(1, 5, 5)
    with pytest.raises(ValueError, match='one size'):
        MultiViewDataPreprocessor()(default_collate(batch), training=True)


@pytest.mark.parametrize('label', (-1, 3))
def test_label_out_of_range_is_refused_on_the_host(label):
    batch = images(2, 2)
    batch[1]['data_samples'].set_gt_label(label)
    with pytest.raises(ValueError, match=str(label)):
        MultiViewDataPreprocessor(num_classes=3)(
            default_collate(batch), training=True
        )


@pytest.mark.parametrize(
    'sample, message',
    (
        (MultiTaskDataSample(), 'MultiTaskDataSample has 0'),
        (DataSample(), 'DataSample has 0'),
        (DataSample().set_gt_label([0, 1]), 'DataSample has 2'),
    ),
)
def test_an_image_has_one_class(sample, message):
    preprocessor = MultiViewDataPreprocessor(2, 3, **NORM)
    views = [torch.zeros(2, 1, 8, 8)] * 2
    samples = [DataSample().set_gt_label(1), sample]
    with pytest.raises(ValueError, match=f'one class for each.*{message}'):
        preprocessor(dict(inputs=views, data_samples=samples), training=True)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match='num_views'):
        MultiViewDataPreprocessor(num_views=0)
    with pytest.raises(ValueError, match='batch_augments'):
        MultiViewDataPreprocessor(
            num_classes=3,
            batch_augments=dict(augments=dict(type='Mixup', alpha=0.8)),
        )


@pytest.mark.parametrize('collate', (default_collate, pseudo_collate))
def test_views_of_a_test_pipeline_are_refused(collate):
    preprocessor = MultiViewDataPreprocessor(**NORM).eval()
    with pytest.raises(ValueError, match='2 views.*remove MultiView'):
        preprocessor(collate(images(3, 2)), training=False)


@pytest.mark.parametrize('collate', (default_collate, pseudo_collate))
def test_views_of_a_training_batch_are_joined_for_its_statistics(collate):
    """PreciseBNHook runs a model in training on batches as of a test."""
    preprocessor = MultiViewDataPreprocessor(**NORM)
    batch = images(3, 2)
    expected = preprocessor(collate(batch), training=True)
    found = preprocessor(collate(batch), training=False)
    assert torch.equal(found['inputs'], expected['inputs'])
    assert found['data_samples'] == expected['data_samples']


@pytest.mark.parametrize('collate', (default_collate, pseudo_collate))
def test_two_views_where_one_is_expected_are_told(collate):
    preprocessor = MultiViewDataPreprocessor(num_views=1, **NORM)
    with pytest.raises(ValueError, match='expected 1 views'):
        preprocessor(collate(images(3, 2)), training=True)
    batch = preprocessor(collate(images(3, 1)), training=True)
    assert batch['inputs'].shape == (3, 1, 4, 4)
