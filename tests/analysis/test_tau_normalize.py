"""The tau-normalised classifier: its formula, its choice, its file."""

import sys

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from support.class_means import features_of
from support.paths import ROOT

from mmpaco.analysis import tau_normalize, trained_classifier
from mmpaco.registry import MODELS

SEVERAL = [0.0, 0.5, 1.0, 2.0]


def test_rows_are_divided_by_a_power_of_their_norm():
    weight = torch.randn(4, 3, dtype=torch.float64)
    weight *= torch.arange(4)[:, None]
    for tau in SEVERAL:
        found = tau_normalize.normalize(weight, tau).numpy()
        for row, got in zip(weight.numpy(), found):
            norm = np.sqrt((row**2).sum())
            expected = row / norm**tau if norm else row
            np.testing.assert_allclose(got, expected)


def test_tau_is_chosen_by_balanced_accuracy_and_written(trained, tmp_path):
    cfg, path = trained
    # Of an unbalanced validation set: the first 22 images, 6 of them light.
    cfg.val_dataloader.dataset.indices = 22
    out = tmp_path / 'folder' / 'tau.pth'
    search = tau_normalize.search_tau(cfg, path, out, SEVERAL)

    before = torch.load(path, weights_only=False)
    after = torch.load(out, weights_only=True)
    weight = before['state_dict']['head.fc.weight'].double().numpy()
    model = MODELS.build(cfg.model)
    model.load_state_dict(before['state_dict'])
    features, labels = features_of(cfg.val_dataloader, model)
    assert np.bincount(labels).tolist() == [16, 6]
    for tau in SEVERAL:
        rows = weight / np.linalg.norm(weight, axis=1, keepdims=True) ** tau
        right = (features @ rows.T).argmax(1) == labels
        expected = 50 * sum(right[labels == c].mean() for c in (0, 1))
        assert search.accuracy[tau] == pytest.approx(expected, abs=1e-3)
    # Only unit rows do justice to both classes.
    assert search.tau == 1.0
    assert search.accuracy[1.0] > 90
    assert {search.accuracy[t] for t in (0.0, 0.5, 2.0)} == {50.0}
    assert search.trained == 50
    assert (search.num_images, search.num_evaluated) == (22, 2)

    rows = weight / np.linalg.norm(weight, axis=1, keepdims=True) ** search.tau
    states = after['state_dict']
    np.testing.assert_allclose(states['head.fc.weight'], rows, rtol=1e-5)
    assert (states['head.fc.bias'] == 0).all()
    for name, value in before['state_dict'].items():
        if not name.startswith('head.fc.'):
            assert torch.equal(states[name], value), name
    assert set(after) == {'meta', 'state_dict'}
    assert after['meta'] == dict(epoch=4, tau=1.0)


def test_a_preprocessor_beside_the_model_is_used(trained, tmp_path):
    """As the shipped configs have it."""
    cfg, path = trained
    expected = tau_normalize.search_tau(cfg, path, tmp_path / 'a.pth', SEVERAL)
    cfg.data_preprocessor = cfg.model.pop('data_preprocessor')
    found = tau_normalize.search_tau(cfg, path, tmp_path / 'b.pth', SEVERAL)
    assert found == expected


def test_of_equal_taus_the_smallest_is_taken(trained, tmp_path):
    search = tau_normalize.search_tau(
        *trained, tmp_path / 'tau.pth', [2, 0, 0.5]
    )
    assert len(set(search.accuracy.values())) == 1
    assert search.tau == 0


def test_the_tool_prints_the_table_and_a_runner_reads_the_file(
    run, trained, tmp_path
):
    cfg, path = trained
    cfg.dump(str(tmp_path / 'config.py'))
    out = tmp_path / 'tau.pth'
    printed = run(
        sys.executable,
        ROOT / 'tools' / 'model_converters' / 'tau_normalize.py',
        *(tmp_path / 'config.py', path, out, '--taus', '0', '0.9'),
    )
    search = tau_normalize.search_tau(cfg, path, tmp_path / 'b.pth', [0, 0.9])
    assert '32 validation images of 2 of 2 classes' in printed
    lines = [line.strip().rsplit(maxsplit=1) for line in printed.splitlines()]
    assert ['as trained', f'{search.trained:.2f}'] in lines
    for tau, accuracy in search.accuracy.items():
        chosen = ' (chosen)' if tau == search.tau else ''
        assert [f'{tau:g}{chosen}', f'{accuracy:.2f}'] in lines
    # As the stock test tool does.
    cfg.load_from = str(out)
    metrics = Runner.from_cfg(cfg).test()
    # As many of each class: so the stock accuracy is the balanced one.
    accuracy = search.accuracy[search.tau]
    assert metrics['accuracy/top1'] == pytest.approx(accuracy, abs=1e-3)


def test_a_gpaco_checkpoint_is_read_by_its_own_config(mnist_config, tmp_path):
    """The projector, the queue and the prior stay as they are."""
    cfg = mnist_config('paco/lenet5_mnist5k-lt.py')
    runner = Runner.from_cfg(cfg)
    torch.nn.init.normal_(runner.model.head.fc.weight)
    torch.save(dict(state_dict=runner.model.state_dict()), tmp_path / 'a.pth')
    out = tmp_path / 'tau.pth'
    search = tau_normalize.search_tau(cfg, tmp_path / 'a.pth', out, [0.3])
    assert search.tau == 0.3
    found = runner.val_loop.run()['shot/all']
    assert search.trained == pytest.approx(found, abs=1e-4)
    # The head class has no validation image.
    assert (search.num_evaluated, search.num_classes) == (9, 10)
    states = torch.load(out, weights_only=True)['state_dict']
    before = runner.model.state_dict()
    assert set(states) == set(before)
    changed = {n for n in before if not torch.equal(states[n], before[n])}
    assert changed == {'head.fc.weight', 'head.fc.bias'}


def test_the_branches_of_reslt_share_what_is_normalised(trained, tmp_path):
    cfg, _ = trained
    loss = dict(
        type='mmpaco.ResLTLoss', num_classes=2, beta=0.9, groups=[2, 1]
    )
    head = dict(
        type='mmpaco.ResLTHead', num_classes=2, in_channels=8, loss=loss
    )
    cfg.model.neck, cfg.model.head = None, head
    cfg.experiment_name = 'reslt'
    runner = Runner.from_cfg(cfg)
    for module in runner.model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight)
            torch.nn.init.constant_(module.bias, 0.1)
    path, out = tmp_path / 'a.pth', tmp_path / 'b.pth'
    torch.save(dict(state_dict=runner.model.state_dict()), path)
    search = tau_normalize.search_tau(cfg, path, out, [0.7])
    trained_as = runner.val_loop.run()['accuracy/top1']
    assert search.trained == pytest.approx(trained_as, abs=1e-3)
    # As the head does it at test by itself.
    runner.model.head.test_tau = 0.7
    found = runner.val_loop.run()['accuracy/top1']
    assert search.accuracy == {0.7: pytest.approx(found, abs=1e-3)}
    cfg.model.head.test_tau = 0.7
    with pytest.raises(TypeError, match='set model.head.test_tau=None'):
        tau_normalize.search_tau(cfg, path, tmp_path / 'c.pth')


def test_scores_that_are_scaled_are_refused(trained, tmp_path):
    cfg, path = trained
    cfg.model.head.type = 'mmpaco.ScaledClsHead'
    content = torch.load(path, weights_only=False)
    content['state_dict']['head.scale'] = torch.ones(2)
    torch.save(content, path)
    with pytest.raises(TypeError, match='ScaledClsHead scales its scores'):
        tau_normalize.search_tau(cfg, path, tmp_path / 'tau.pth')


@pytest.mark.parametrize(
    'change, arguments, error, message',
    (
        (dict(), dict(taus=[]), ValueError, 'taus must be'),
        (dict(), dict(taus=[-0.1]), ValueError, 'taus must be'),
        (dict(val_dataloader=None), dict(), ValueError, 'no val_dataloader'),
        (
            {
                'model.head': dict(
                    type='StackedLinearClsHead', mid_channels=[4]
                )
            },
            dict(),
            TypeError,
            'expected a LinearClsHead',
        ),
        (
            {'model.head.type': 'mmpaco.CosineClsHead'},
            dict(),
            TypeError,
            'classifies by cosines',
        ),
        ({'model.head.num_classes': 3}, dict(), ValueError, 'size mismatch'),
        (
            {'model.backbone.depth': 34},
            dict(),
            ValueError,
            r'lacks \d+ weights',
        ),
    ),
)
def test_what_cannot_be_normalised_is_told(
    trained, tmp_path, change, arguments, error, message
):
    cfg, path = trained
    cfg.merge_from_dict(change)
    with pytest.raises(error, match=message):
        tau_normalize.search_tau(cfg, path, tmp_path / 'out.pth', **arguments)
    assert not (tmp_path / 'out.pth').exists()


def test_the_checkpoint_is_not_overwritten(trained):
    cfg, path = trained
    before = path.read_bytes()
    with pytest.raises(ValueError, match='name another file'):
        tau_normalize.search_tau(cfg, path, path)
    assert path.read_bytes() == before


def test_the_checkpoint_is_read_once(trained, tmp_path, monkeypatch):
    read, paths = tau_normalize.load_checkpoint, []

    def note(path, trust=False):
        paths.append(path)
        return read(path, trust)

    for module in (tau_normalize, trained_classifier):
        monkeypatch.setattr(module, 'load_checkpoint', note)
    tau_normalize.search_tau(*trained, tmp_path / 'out.pth', [0.5])
    assert paths == [trained[1]]
