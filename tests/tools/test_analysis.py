"""The tools for trained classifiers, as a user calls them."""

import json
import pickle

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from support.tiny import write_tiny
from support.tools import call_here, call_process

EVALUATOR = """
test_evaluator = [
    dict(type='Accuracy', topk=(1, )),
    dict(type='mmpaco.ShotAccuracy', class_counts=[200, 5])]
custom_imports = dict(imports=['mmpaco'])
"""


@pytest.fixture(
    params=[call_here, pytest.param(call_process, marks=pytest.mark.slow)]
)
def call(request):
    """Call a tool, as quickly as can be or as a user does."""
    return request.param


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The tiny config, its images and a checkpoint of two epochs."""
    folder = write_tiny(tmp_path_factory.mktemp('tiny'), extra=EVALUATOR)
    cfg = Config.fromfile(str(folder / 'tiny.py'))
    cfg.work_dir, cfg.experiment_name = str(folder / 'run'), 'trained'
    cfg.train_cfg.max_epochs = 2
    Runner.from_cfg(cfg).train()
    return folder


def test_the_checkpoint_may_follow_the_options(call, trained):
    """As with the stock tool, whose options take values of their own."""
    out = call(
        *(trained, 'test.py', 'tiny.py', '--work-dir', 'tested'),
        *('run/epoch_2.pth', '--cfg-options', 'test_evaluator.0.topk=(2,)'),
    )
    assert out.returncode == 0, out.stderr[-3000:]
    (written,) = (trained / 'tested').glob('*/*.json')
    assert json.loads(written.read_text())['accuracy/top2'] == 100


def test_results_become_a_picture_of_each_class(call, trained):
    out = call(
        trained, 'test.py', 'tiny.py', 'run/epoch_2.pth', '--out', 'a.pkl'
    )
    assert out.returncode == 0, out.stderr[-3000:]
    out = call(
        trained,
        'test_ensemble.py',
        *2 * ['tiny.py', 'run/epoch_2.pth'],
        '--out',
        'b.pkl',
    )
    assert out.returncode == 0, out.stderr[-3000:]
    one, both = (
        pickle.loads((trained / f'{x}.pkl').read_bytes()) for x in 'ab'
    )
    assert [int(x['pred_label']) for x in one] == [
        int(x['pred_label']) for x in both
    ]
    lines = out.stdout.splitlines()
    right = sum(int(x['pred_label']) == int(x['gt_label']) for x in one)
    share = f'{100 * right / len(one):.1f}'
    rows = [line.strip() for line in lines]
    for name in ('tiny', 'tiny 2', 'sum of the 2'):
        assert any(
            row.startswith(f'{name}  ') and share in row for row in rows
        )
    out = call(
        trained,
        'analysis_tools/class_accuracy.py',
        'tiny.py',
        'one=a.pkl',
        'two=b.pkl',
        'two=a.pkl',
        '--picture',
        'classes.png',
    )
    assert out.returncode == 0, out.stderr[-3000:]
    assert cv2.imread(str(trained / 'classes.png')).std() > 5


def test_gradient_norms_are_drawn_and_written(call, trained):
    out = call(
        trained,
        'analysis_tools/gradient_norm.py',
        *2 * ['tiny.py', 'run/epoch_2.pth'],
        '--names',
        'a',
        'b',
        '--picture',
        'norms.png',
        '--out',
        'norms.json',
    )
    assert out.returncode == 0, out.stderr[-3000:]
    written = json.loads((trained / 'norms.json').read_text())
    assert written['class_counts'] == [16, 16]
    assert written['norms']['a'] == pytest.approx(written['norms']['b'])
    assert len(written['norms']['a']) == 2
    assert cv2.imread(str(trained / 'norms.png')).std() > 5


def test_extra_loss_is_printed_and_drawn(call, tmp_path):
    out = call(
        tmp_path,
        'analysis_tools/extra_loss.py',
        '--positives',
        '8.2',
        '0',
        '--picture',
        'extra.png',
    )
    assert out.returncode == 0, out.stderr[-3000:]
    rows = [line.split() for line in out.stdout.splitlines()]
    assert ['K', '=', '8.2', '0.410', '0.709', '0.850'] in rows
    assert ['K', '=', '0', '0.000', '1.000', '0.000'] in rows
    assert cv2.imread(str(tmp_path / 'extra.png')).std() > 5


def test_a_released_checkpoint_is_converted_with_a_report(call, tmp_path):
    torchvision = pytest.importorskip('torchvision')
    encoder = torchvision.models.resnet18(num_classes=128).state_dict()
    state = {f'module.encoder_q.{k}': v for k, v in encoder.items()}
    state['module.linear.weight'] = torch.ones(3, 512)
    state['module.linear.bias'] = torch.zeros(3)
    torch.save({'state_dict': state, 'epoch': 400}, tmp_path / 'theirs.pth')
    tool = 'model_converters/official_to_mmpaco.py'
    out = call(tmp_path, tool, 'theirs.pth', 'made/ours.pth')
    assert out.returncode == 0, out.stderr[-3000:]
    ours = torch.load(tmp_path / 'made/ours.pth')['state_dict']
    assert torch.equal(
        ours['backbone.layer4.1.bn2.weight'], encoder['layer4.1.bn2.weight']
    )
    for line in (
        'converted  module.linear.weight -> head.fc.weight',
        'dropped    epoch: not weights; the runner cannot resume from it',
        f'{len(state)} converted, 1 dropped, 0 added, 1 missing',
    ):
        assert line in out.stdout.splitlines()
