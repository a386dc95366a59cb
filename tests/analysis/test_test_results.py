"""Accuracy of each class from files of predictions."""

import pickle

import numpy as np
import pytest
import torch

from mmpaco.analysis.test_results import class_accuracy, read_results


def result(label, predicted):
    return {
        'gt_label': torch.tensor([label]),
        'pred_label': torch.tensor([predicted]),
    }


def test_accuracy_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 5, (2, 200))
    found = class_accuracy(list(map(result, labels, predicted)), 6)
    for c in range(5):
        assert found[c] == pytest.approx(
            100 * np.mean(predicted[labels == c] == c)
        )
    assert np.isnan(found[5])
    # Scores say the same where there are no labels.
    scores = [
        {'gt_label': [int(x)], 'pred_score': np.eye(5)[y]}
        for x, y in zip(labels, predicted)
    ]
    np.testing.assert_array_equal(class_accuracy(scores, 6), found)
    with pytest.raises(ValueError, match=r'\[0, 4\).*0 to 4'):
        class_accuracy(scores, 4)


@pytest.mark.parametrize('content', ({'accuracy/top1': 90.0}, [], [{'a': 1}]))
def test_a_file_of_metrics_is_refused(tmp_path, content):
    path = tmp_path / 'metrics.pkl'
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match='without --out-item metrics'):
        read_results(path)


@pytest.mark.parametrize('label', (None, 'a', 1.7, float('nan'), [1, 2], []))
def test_what_is_no_label_is_refused(label):
    results = [dict(gt_label=label, pred_label=1)]
    with pytest.raises(ValueError, match='one whole number for each image'):
        class_accuracy(results, 3)
