"""Trainings that became shorter, and when they are validated first."""

import pytest
from mmengine.config import Config
from support.method_plans import BASE, applied, told

from mmpaco.methods import Refusal
from mmpaco.methods.settings import merged


@pytest.mark.parametrize(
    ('train', 'given', 'begins'),
    (
        (dict(max_epochs=90, val_begin=20), {}, (20, 1)),
        (dict(max_epochs=90, val_begin=5), {}, (5, 5)),
        # A first stage can be made short, too.
        (
            dict(max_epochs=90, val_begin=20),
            {'train_cfg.max_epochs': 3},
            (1, 1),
        ),
        (
            dict(max_epochs=90, val_begin=1),
            {'train_cfg.val_begin': 30},
            (30, 1),
        ),
        # As the config itself, which is never validated.
        (dict(max_epochs=9, val_begin=10), {}, (10, 10)),
        (
            dict(_delete_=True, max_iters=900, val_begin=51),
            {},
            (51, 1),
        ),
    ),
)
def test_validation_begins_before_the_end(train, given, begins):
    """mmengine would go without it, and say nothing."""
    first, plan = applied('lws', given=given, train_cfg=train)
    base = merged(BASE, dict(train_cfg=train))
    second = Config(merged(base, plan.second_stage.settings))
    found = [x.train_cfg.get('val_begin') for x in (first, second)]
    assert tuple(found) == begins
    for stage, begin in zip((plan, plan.second_stage), begins):
        assert ('Validation begins at once: val' in told(stage)) == (
            begin == 1
        )


@pytest.mark.parametrize('prefix', ('', 'stage2.'))
def test_a_validation_after_the_end_is_refused(prefix):
    given = {f'{prefix}train_cfg.val_begin': 9}
    with pytest.raises(Refusal, match='val_begin=9 is after the [17] epochs'):
        applied('lws', given=given, train_cfg=dict(val_begin=1))


def test_any_method_that_is_made_shorter_is_validated():
    given = {'train_cfg.max_epochs': 2}
    train = dict(max_epochs=7, val_begin=3)
    for name in ('gpaco', 'cross-entropy', 'ldam-drw'):
        cfg, plan = applied(name, given=given, train_cfg=train)
        assert cfg.train_cfg.val_begin == 1
        assert 'val_begin=3 of the config is after the 2' in told(plan)
