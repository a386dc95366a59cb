"""The average of the encoder, against mmengine's."""

import copy

import torch
from mmengine.model import ExponentialMovingAverage
from support.host_reads import HostReads
from torch import nn

from mmpaco.cls.models.momentum_encoder import MomentumEncoder


def network(dtype=torch.float32):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, dtype=dtype)
    )
    model[0].requires_grad_(False)
    return model


def move(model):
    """As a step of an optimizer and a forward would."""
    for x in (*model.parameters(), *model.buffers()):
        x.data += torch.randn(x.shape).to(x.dtype) + 1


def assert_same(one, other):
    assert list(one) == list(other)
    for name, value in one.items():
        assert value.dtype == other[name].dtype
        assert torch.equal(value, other[name]), name


def test_it_is_mmengines_average():
    """With parameters of two precisions, frozen ones and buffers."""
    model = network(torch.float64)
    ours = MomentumEncoder(model, 0.1)
    theirs = ExponentialMovingAverage(model, 0.1)
    for step in range(4):
        move(model)
        ours.update_parameters(model)
        theirs.update_parameters(model)
        assert_same(ours.state_dict(), theirs.state_dict())
        assert int(ours.steps) == step + 1


def test_a_state_of_mmengines_goes_on():
    """That of an older checkpoint; also one that had not begun."""
    for steps in (0, 3):
        model = network()
        theirs = ExponentialMovingAverage(copy.deepcopy(model), 0.1)
        for _ in range(steps):
            move(model)
            theirs.update_parameters(model)
        ours = MomentumEncoder(network(), 0.1)
        # What is loaded later counts, too.
        ours.update_parameters(model)
        ours.load_state_dict(theirs.state_dict())
        move(model)
        for average in (ours, theirs):
            average.update_parameters(model)
        assert_same(ours.state_dict(), theirs.state_dict())


def test_a_model_without_buffers_or_weights_is_averaged():
    for model in (nn.Linear(2, 1), nn.Identity()):
        average = MomentumEncoder(model, 0.1)
        for _ in range(3):
            average.update_parameters(model)
        assert int(average.steps) == 3


def test_the_count_is_read_where_it_is_not_known_alone():
    model = network()
    ours = MomentumEncoder(model, 0.1)
    ours.update_parameters(model)
    with HostReads() as reads:
        for _ in range(3):
            ours.begin(model)
            ours.update_parameters(model)
    assert not reads.by
    theirs = ExponentialMovingAverage(model, 0.1)
    with HostReads() as reads:
        theirs.update_parameters(model)
        theirs.update_parameters(model)
    # So the count sees what it looks for.
    assert len(reads.by) == 3
    assert {x.split(':')[0] for x in reads.by} == {'model.averaged_model'}
