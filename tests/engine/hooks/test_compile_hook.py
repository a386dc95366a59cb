"""Compiled parts, in trainings by the real runner."""

import copy
import io

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import MODEL_WRAPPERS
from mmpretrain.registry import MODELS
from support.processes import free_port
from support.resuming import train
from support.small_classifier import small_classifier, two_views
from torch import distributed, nn

from mmpaco.engine.hooks import CompileHook


class CountingBackend:
    """Counts what is compiled, and runs it as it is."""

    def __init__(self):
        self.graphs = self.calls = 0

    def __call__(self, graph, inputs):
        self.graphs += 1

        def run(*args):
            self.calls += 1
            return graph.forward(*args)

        return run


class Losses(Hook):
    """Notes the losses of a training, and what its epochs end with."""

    def __init__(self):
        self.losses, self.at_epochs = [], []

    def after_train_iter(self, runner, outputs=None, **_):
        self.losses.append(outputs['loss'].item())

    def after_train_epoch(self, runner):
        self.at_epochs.append(copy.deepcopy(runner.model))


@pytest.fixture(autouse=True)
def fresh():
    """Let no test see what another has compiled."""
    torch._dynamo.reset()


@pytest.fixture
def run(tiny_config, tmp_path):
    """Train a small network; return its runner and its losses."""
    config = tiny_config() / 'tiny.py'
    trained = []

    def run_training(*hooks, **options):
        noted = Losses()
        options.setdefault('train_cfg.max_epochs', 2)
        name = tmp_path / options.pop('name', f'run{len(trained)}')
        runner, _ = train(config, name, (*hooks, noted), **options)
        trained.append(runner)
        return runner, noted

    return run_training


class Model:
    """What a hook sees of a runner."""

    def __init__(self, model):
        self.model = model


@pytest.mark.parametrize(
    'backend',
    ('aot_eager', pytest.param('inductor', marks=pytest.mark.slow)),
)
def test_training_is_the_same_up_to_rounding(run, backend):
    plain, expected = run()
    compiled, found = run(CompileHook(backend=backend))
    assert found.losses == pytest.approx(expected.losses, rel=1e-4, abs=1e-6)
    assert expected.losses[-1] < expected.losses[0]
    mine, theirs = compiled.model.state_dict(), plain.model.state_dict()
    assert list(mine) == list(theirs)
    for key, value in mine.items():
        torch.testing.assert_close(
            value, theirs[key], rtol=1e-3, atol=1e-4, msg=key
        )


def test_a_checkpoint_is_as_without_and_goes_on_without(run):
    plain, _ = run(name='plain')
    compiled, _ = run(CompileHook(backend='aot_eager'), name='compiled')
    files = [
        torch.load(f'{x.work_dir}/epoch_2.pth', weights_only=False)
        for x in (plain, compiled)
    ]
    keys = [list(x['state_dict']) for x in files]
    assert keys[0] == keys[1]
    options = {'resume': True, 'train_cfg.max_epochs': 3}
    runner, noted = run(name='compiled', **options)
    assert runner.epoch == 3
    assert len(noted.losses) == 8


def test_a_validation_is_not_compiled(run):
    backends = CountingBackend(), CountingBackend()
    for backend, interval in zip(backends, (9, 1)):
        options = {'train_cfg.val_interval': interval}
        run(CompileHook(backend=backend), **options)
    without, with_validation = backends
    # Eight iterations of two epochs.
    assert without.calls == with_validation.calls == 16 * without.graphs
    assert without.graphs == with_validation.graphs > 0


def test_after_a_training_the_parts_are_as_they_were(run):
    backend = CountingBackend()
    runner, _ = run(CompileHook(backend=backend))
    calls = backend.calls
    model = runner.model.train()
    assert 'forward' not in vars(model.backbone)
    model.backbone(torch.ones(2, 1, 8, 8))
    assert backend.calls == calls > 0


def test_an_interrupted_training_can_be_started_again():
    backend = CountingBackend()
    hook = CompileHook(backend=backend)
    model = small_classifier()
    images = torch.ones(4, 3, 32, 32)
    for _ in range(2):
        hook.before_train(Model(model))
        model.backbone(images)
    assert backend.calls == 2 * backend.graphs == 2
    hook.after_train(Model(model))
    assert 'forward' not in vars(model.backbone)


def test_an_unknown_part_is_told_before_anything_is_changed():
    model = small_classifier()
    hook = CompileHook(('backbone', 'head.projektor'))
    with pytest.raises(
        ValueError,
        match=r"no part 'head.projektor'.*'backbone', 'neck', 'head'",
    ):
        hook.before_train(Model(model))
    assert 'forward' not in vars(model.backbone)


def test_a_single_name_is_refused():
    with pytest.raises(TypeError, match=r"give \['backbone'\]"):
        CompileHook('backbone')


def test_a_part_of_a_part_may_be_named_too():
    backend = CountingBackend()
    model = small_classifier()
    hook = CompileHook(('backbone.layer1', 'backbone'), backend=backend)
    images = torch.rand(4, 3, 32, 32)
    expected = copy.deepcopy(model).backbone(images)[0]
    hook.before_train(Model(model))
    torch.testing.assert_close(model.backbone(images)[0], expected)
    assert backend.calls == backend.graphs > 0
    hook.after_train(Model(model))
    assert not any('forward' in vars(x) for x in model.modules())


def test_a_copy_has_its_own_weights(run):
    """Such as one that a hook makes in the middle of a training."""
    _, noted = run(CompileHook(backend='aot_eager'))
    first, last = noted.at_epochs
    images = torch.rand(4, 1, 8, 8)
    outs = []
    for model in (first, last):
        for training in (True, False):
            compiled = model.backbone
            compiled.train(training)
            plain = copy.deepcopy(compiled)
            vars(plain).pop('forward')
            assert 'forward' in vars(compiled)
            outs.append(compiled(images)[0])
            torch.testing.assert_close(outs[-1], plain(images)[0])
    assert not torch.allclose(outs[1], outs[3])


def test_a_compiled_model_can_be_saved_whole():
    model = small_classifier()
    CompileHook(backend='aot_eager').before_train(Model(model))
    images = torch.ones(4, 3, 32, 32)
    expected = model.backbone(images)[0]
    file = io.BytesIO()
    torch.save(model.backbone, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    torch.testing.assert_close(loaded(images)[0], expected)


@pytest.mark.parametrize('momentum', (None, 0.9))
def test_views_and_momentum_encoder_are_as_without(momentum):
    """The encoder begins with the weights of the first step."""
    backend = CountingBackend()
    models = [small_classifier(momentum) for _ in range(2)]
    CompileHook(backend=backend).before_train(Model(models[1]))
    losses = []
    for model in models:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for i in range(3):
            data = model.data_preprocessor(two_views(8, i), True)
            loss = model(**data, mode='loss')['loss']
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            model.head.queue.append(*model.head.queue.take_staged())
            model.end_iteration()
            losses.append(loss.item())
    assert losses[3:] == pytest.approx(losses[:3], rel=1e-4)
    # GPaCo's backbone sees both views, PaCo's one.
    views = 2 if momentum is None else 1
    assert backend.calls == 3 * views * backend.graphs > 0
    states = [x.state_dict() for x in models]
    for key, value in states[0].items():
        torch.testing.assert_close(
            states[1][key], value, rtol=1e-3, atol=1e-4, msg=key
        )


def test_a_wrapped_model_is_compiled_inside(tmp_path):
    distributed.init_process_group(
        'gloo',
        f'tcp://127.0.0.1:{free_port()}',
        rank=0,
        world_size=1,
    )
    try:
        backend = CountingBackend()
        wrapped = MODEL_WRAPPERS.build(
            dict(
                type='mmpaco.CPUDistributedDataParallel',
                module=small_classifier(),
            )
        )
        plain = small_classifier()
        hook = CompileHook(backend=backend)
        hook.before_train(Model(wrapped))
        losses = []
        for model, inner in ((wrapped, wrapped.module), (plain, plain)):
            data = inner.data_preprocessor(two_views(8), True)
            losses.append(model(**data, mode='loss')['loss'])
            losses[-1].backward()
        assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-4)
        grads = [x.backbone.conv1.weight.grad for x in (wrapped.module, plain)]
        torch.testing.assert_close(*grads, rtol=1e-3, atol=1e-5)
        assert backend.calls > 0
        hook.after_train(Model(wrapped))
        assert 'forward' not in vars(wrapped.module.backbone)
    finally:
        distributed.destroy_process_group()


def test_a_compiler_that_fails_is_told_of_in_a_sentence():
    def without_compiler(graph, inputs):
        raise OSError('no g++ here')

    model = nn.ModuleDict(dict(backbone=nn.Linear(3, 4)))
    CompileHook(backend=without_compiler).before_train(Model(model))
    with pytest.raises(
        RuntimeError,
        match='Linear cannot be compiled here.*leave out '
        r'mmpaco.CompileHook:(.|\n)*no g\+\+ here',
    ):
        model.backbone(torch.ones(2, 3))


def test_what_the_part_itself_raises_is_left_as_it_is():
    model = nn.ModuleDict(dict(backbone=nn.Identity()))
    CompileHook(backend='eager').before_train(Model(model))
    with pytest.raises(TypeError, match='forward'):
        model.backbone(1, 2, 3)


def test_a_config_names_it(run):
    hook = dict(type='mmpaco.CompileHook', backend='aot_eager')
    runner, _ = run(custom_hooks=[hook])
    assert any(isinstance(x, CompileHook) for x in runner.hooks)
    assert isinstance(runner.model, MODELS.get('ImageClassifier'))
