"""What the report says of a card."""

import pytest
import torch
from support.cuda import DEVICE

from mmpaco.bug_report import bug_report
from mmpaco.losses.kernels import SWITCH, kernels_for, obstacle

pytestmark = pytest.mark.cuda


def test_the_card_is_named_and_triton_is_on_where_kernels_run():
    facts = dict(bug_report().facts)
    assert torch.cuda.get_device_name(DEVICE) in facts['device']
    rows = torch.ones(2, 16, device=DEVICE)
    is_on = kernels_for(rows) is not None
    told = 'on' if is_on else f'off: {obstacle(rows)}'
    assert facts['Triton path'] == told


def test_triton_is_off_where_the_user_says_so(monkeypatch):
    monkeypatch.setenv(SWITCH, '0')
    assert dict(bug_report().facts)['Triton path'] == f'off: {SWITCH}=0'
