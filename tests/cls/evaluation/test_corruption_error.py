"""Errors under corruptions: by hand, by a loop, over ranks, as published."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample
from support.processes import environment, free_port

from mmpaco.cls.corruptions import (
    ALEXNET_CLEAN_ERROR,
    ALEXNET_ERRORS,
    CORRUPTIONS,
    SEVERITIES,
)
from mmpaco.cls.evaluation import CorruptionError

# Right predictions of 4 images, at each severity.
RIGHT = {
    'fog': (4, 3, 3, 2, 1),
    'snow': (4, 4, 2, 1, 0),
    'frost': (2, 2, 2, 2, 2),
}


def sample(corruption, severity, label, predicted, classes=2):
    found = DataSample(metainfo=dict(corruption=corruption, severity=severity))
    scores = torch.eye(classes)[predicted]
    return found.set_gt_label(label).set_pred_score(scores)


def measure(samples, **options):
    evaluator = Evaluator(CorruptionError(**options))
    for start in range(0, len(samples), 7):
        evaluator.process(samples[start : start + 7])
    return evaluator.evaluate(len(samples))


def test_three_corruptions_by_hand():
    """Of two classes; every severity has 4 images."""
    samples = [
        sample(c, s, i % 2, (i + (i >= right)) % 2)
        for c, counts in RIGHT.items()
        for s, right in zip(SEVERITIES, counts)
        for i in range(4)
    ]
    found = measure(
        samples,
        clean_error=0.1,
        reference=dict(fog=0.5, snow=0.6, frost=1.0),
        reference_clean_error=0.2,
    )
    # Wrong of 20: 7, 9 and 10, so that the errors are 0.35, 0.45 and 0.5.
    expected = {
        'mean-error': 130 / 3,
        'mCE': 100 * (0.7 + 0.75 + 0.5) / 3,
        'relative-mCE': 100 * (0.25 / 0.3 + 0.35 / 0.4 + 0.4 / 0.8) / 3,
        'above-clean': 130 / 3 - 10,
        'GPaCo-table/mCE': 130 / 3,
        'GPaCo-table/rel-mCE': 65,
        'error/snow': 45,
        'error/snow/1': 0,
        'error/snow/2': 0,
        'error/snow/3': 50,
        'error/snow/4': 75,
        'error/snow/5': 100,
        'error/frost': 50,
        **{f'error/frost/{s}': 50 for s in SEVERITIES},
        'error/fog': 35,
        'error/fog/1': 0,
        'error/fog/2': 25,
        'error/fog/3': 25,
        'error/fog/4': 50,
        'error/fog/5': 75,
    }
    assert found == pytest.approx(
        {f'corruption/{name}': x for name, x in expected.items()}
    )


def random_case(count=5001):
    """Samples of different numbers in each pair, in any order."""
    rng = np.random.default_rng(0)
    names = rng.choice(CORRUPTIONS, count)
    levels = rng.integers(1, 6, count)
    labels, predicted = rng.integers(0, 3, (2, count))
    return names, levels, labels, predicted


def test_all_corruptions_against_a_loop():
    names, levels, labels, predicted = random_case()
    samples = [
        sample(str(c), int(s), int(y), int(p), 3)
        for c, s, y, p in zip(names, levels, labels, predicted)
    ]
    found = measure(samples, clean_error=0.25)
    ces, relative, errors = [], [], []
    for c in CORRUPTIONS:
        by_level = []
        for s in SEVERITIES:
            here = (names == c) & (levels == s)
            by_level.append((labels != predicted)[here].mean())
            assert found[f'corruption/error/{c}/{s}'] == pytest.approx(
                100 * by_level[-1]
            )
        # As in the paper: sums over severities, divided by AlexNet's.
        ces.append(np.sum(by_level) / (5 * ALEXNET_ERRORS[c]))
        relative.append(
            (np.sum(by_level) - 5 * 0.25)
            / (5 * ALEXNET_ERRORS[c] - 5 * ALEXNET_CLEAN_ERROR)
        )
        errors.append(np.mean(by_level))
    assert found['corruption/mCE'] == pytest.approx(100 * np.mean(ces))
    assert found['corruption/relative-mCE'] == pytest.approx(
        100 * np.mean(relative)
    )
    assert found['corruption/mean-error'] == pytest.approx(
        100 * np.mean(errors)
    )
    assert len(found) == 6 + 15 + 75
    assert list(found)[:3] == [
        f'corruption/{x}' for x in ('mean-error', 'mCE', 'relative-mCE')
    ]


def test_alexnet_itself_is_at_100():
    metric = CorruptionError(clean_error=ALEXNET_CLEAN_ERROR)
    found = metric._summary(ALEXNET_ERRORS)
    assert found['mCE'] == pytest.approx(1)
    assert found['relative-mCE'] == pytest.approx(1)
    assert found['mean-error'] == pytest.approx(0.788993, abs=1e-6)


@pytest.mark.parametrize(
    'mean_error, mce',
    (
        (39.1, 49.9),
        (32.4, 41.4),
        (50.9, 64.4),
        (44.9, 56.9),
        (36.4, 46.3),
        (37.2, 47.3),
        (30.7, 39.0),
    ),
)
def test_the_papers_columns_are_those_they_are_taken_for(mean_error, mce):
    """Mean error and mCE differ by AlexNet's mean error, nearly.

    The more difficult a corruption is for all, the less its own ratio differs
    from the mean one. Mean error and relative mCE differ by nothing like it.
    """
    assert mean_error / mce == pytest.approx(0.789, abs=0.007)
    # A classifier that errs in proportion to AlexNet.
    scale = mean_error / 100 / np.mean(list(ALEXNET_ERRORS.values()))
    errors = {c: scale * x for c, x in ALEXNET_ERRORS.items()}
    found = CorruptionError()._summary(errors)
    assert 100 * found['GPaCo-table/mCE'] == pytest.approx(mean_error)
    assert 100 * found['GPaCo-table/rel-mCE'] == pytest.approx(mce, rel=0.01)


SCRIPT = """
import json, os, sys
from mmengine.dist import get_rank
from mmengine.evaluator import Evaluator
from torch import distributed
from mmpaco.cls.evaluation import CorruptionError, SubsetAccuracy

rank, port = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group(
    'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
import numpy as np
rows = np.load(sys.argv[3], allow_pickle=False)
size = len(rows['labels'])
# As mmengine's sampler: in turn, and the last of an odd number twice.
mine = [i % size for i in range(rank, size + size % 2, 2)]
samples = [
    dict(corruption=str(rows['names'][i]), severity=int(rows['levels'][i]),
         gt_label=int(rows['labels'][i]),
         pred_score=np.eye(3)[rows['predicted'][i]])
    for i in mine]
evaluator = Evaluator([
    CorruptionError(clean_error=0.25),
    SubsetAccuracy(num_classes=3)])
for start in range(0, len(samples), 50):
    evaluator.process(samples[start:start + 50])
found = evaluator.evaluate(size)
if rank == 0:
    print(json.dumps(found), flush=True)
# Threads of gloo now and then abort an interpreter that takes its leave.
os._exit(0)
"""


def test_two_ranks_find_what_one_process_does(tmp_path):
    names, levels, labels, predicted = random_case(301)
    path = tmp_path / 'case.npz'
    np.savez(
        path, names=names, levels=levels, labels=labels, predicted=predicted
    )
    port = free_port()
    ranks = [
        subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', SCRIPT, str(i), port, path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for i in range(2)
    ]
    outs = [rank.communicate(timeout=300) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outs
    found = json.loads(outs[0][0].splitlines()[-1])
    samples = [
        sample(str(c), int(s), int(y), int(p), 3)
        for c, s, y, p in zip(names, levels, labels, predicted)
    ]
    expected = measure(samples, clean_error=0.25)
    expected['accuracy/top1'] = 100 * (labels == predicted).mean()
    assert found == pytest.approx(expected)


def test_what_is_not_known_is_left_out():
    samples = [sample('fog', 1, 0, 0), sample('fog', 1, 0, 1)]
    names = {'mean-error', 'error/fog', 'error/fog/1'}
    known = {f'corruption/{name}' for name in names}
    assert set(measure(samples, reference=None)) == known
    known |= {'corruption/above-clean'}
    found = measure(samples, reference=None, clean_error=0.2)
    assert set(found) == known
    assert found['corruption/above-clean'] == pytest.approx(30)
    found = measure(samples, reference=dict(fog=0.8), clean_error=0.2)
    assert 'corruption/mCE' in found
    assert 'corruption/relative-mCE' not in found


def test_what_was_not_tested_is_told(log):
    measure([sample('fog', 1, 0, 0)])
    assert 'No image was tested under gaussian_noise, shot_noise' in log()
    assert 'and 13 more: every mean is one over what was tested' in log()
    before = log()
    measure(
        [sample(c, s, 0, 0) for c in CORRUPTIONS for s in SEVERITIES],
    )
    assert log() == before


@pytest.mark.parametrize(
    'options, message',
    (
        (dict(clean_error=23.5), 'clean_error must be .* from 0 to 1'),
        (dict(reference=dict(fog=82)), 'fog must be .* from 0 to 1'),
        (dict(reference='resnet'), "must be 'alexnet'"),
        (dict(reference=dict(rain=0.5)), 'corruptions must be some of'),
        (dict(reference=dict(fog=0.0)), 'must have errors above 0'),
        (
            dict(reference=dict(fog=0.2), reference_clean_error=0.3),
            'must have errors above 0.3',
        ),
    ),
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CorruptionError(**options)


@pytest.mark.parametrize(
    'options, message',
    (
        (dict(clean_error='0.2'), "clean_error must be .* got '0.2'"),
        (dict(reference=0.8), 'errors by corruption, .* got 0.8'),
        (dict(reference=[0.8] * 15), 'errors by corruption'),
        (dict(reference=dict(fog=[0.8] * 5)), r'fog must be .* got \[0.8'),
        (dict(reference=dict(fog=None)), 'fog must be .* got None'),
    ),
)
def test_a_reference_of_another_shape_is_refused(options, message):
    with pytest.raises(TypeError, match=message):
        CorruptionError(**options)


@pytest.mark.parametrize(
    'one, options, message',
    (
        (
            dict(gt_label=0, pred_label=0),
            {},
            'None and None; test mmpaco.ImageNetC or',
        ),
        (
            dict(gt_label=0, pred_label=0, corruption='fog', severity=6),
            {},
            "'fog' and 6",
        ),
        (
            dict(gt_label=[0, 1], pred_label=0, corruption='fog', severity=1),
            {},
            'CorruptionError needs one class',
        ),
        (
            dict(
                gt_label=0,
                pred_score=torch.rand(100),
                corruption='fog',
                severity=1,
            ),
            dict(num_classes=1000),
            r'classifier of 1000 classes, but .* \(100,\)',
        ),
        (
            dict(
                gt_label=3,
                pred_score=torch.rand(3),
                corruption='fog',
                severity=1,
            ),
            {},
            'has the label 3, but the classifier has 3 classes',
        ),
        # Before the test of millions of images is at its end.
        (
            dict(gt_label=0, pred_label=0, corruption='snow', severity=1),
            dict(reference=dict(fog=0.5)),
            'reference has no error of snow',
        ),
    ),
)
def test_other_samples_are_refused(one, options, message):
    with pytest.raises(ValueError, match=message):
        CorruptionError(**options).process(None, [one])
