"""Every classification config is built and trained on real images."""

import re

import pytest
from mmengine.runner import Runner
from support.paths import CONFIGS

SHIPPED = sorted(
    str(path.relative_to(CONFIGS))
    for path in CONFIGS.rglob('*mnist*-lt.py')
    # tests/cls/models/test_baselines.py trains one stage after the other.
    if '_base_' not in path.parts and 'supcon-stage' not in path.name
)


def test_there_are_configs():
    for data in ('mnist5k', 'fashion-mnist'):
        assert f'gpaco/lenet5_{data}-lt.py' in SHIPPED


@pytest.mark.parametrize(
    'config',
    [
        pytest.param(
            config,
            # One of the four multi-task losses shows that heads train.
            marks=[pytest.mark.slow]
            if re.match(r'baselines/multi-task(?!-balanced.*-rw)', config)
            else [],
        )
        for config in SHIPPED
    ],
)
def test_config_trains_and_tests(mnist_config, config):
    runner = Runner.from_cfg(mnist_config(config))
    runner.train()
    history = runner.message_hub.get_scalar('train/loss')
    assert history.data[0][-1] < history.data[0][0]
    metrics = runner.test()
    expected = {'shot/few', 'shot/all'}
    if 'fashion' not in config:
        # Where 400 images are not few.
        expected |= {'shot/many', 'shot/medium'}
    assert expected <= set(metrics)
    assert 0 <= metrics['shot/all'] <= 100
