"""The quickstarts train what the shipped configs say."""

import shlex
import shutil
import subprocess
import sys

import pytest
from mmengine.config import Config, DictAction
from support.paths import CONFIGS, ROOT

from mmpaco.comparison.configs import plan_method, write_common
from mmpaco.comparison.settings import divide
from mmpaco.methods import Facts

pytestmark = pytest.mark.skipif(
    shutil.which('make') is None, reason='make is not installed'
)
MNIST = tuple(400 * 100 ** (-i / 9) for i in range(10))
CAMVID = (*(1e7, 1.5e7, 6e5, 2e7, 3e6, 6e6), *(7e5, 7e5, 4e6, 4e5, 2e5))


def command_of(target):
    """What make would call: config, methods and settings."""
    lines = subprocess.run(
        ['make', '-n', target, f'PYTHON={sys.executable}', 'DATA=x'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace('\\\n', '')
    line = next(x for x in lines.splitlines() if 'tools/compare.py' in x)
    words = shlex.split(line.partition('tools/compare.py')[2])
    groups = {'': []}
    for word in words:
        if word.startswith('--'):
            groups[word] = found = []
        else:
            found = groups.setdefault('', []) if len(groups) == 1 else found
            found.append(word)
    pairs = (x.partition('=') for x in groups.get('--set', []))
    settings = {k: DictAction._parse_iterable(v) for k, _, v in pairs}
    return groups[''][0], groups['--methods'], settings


@pytest.mark.parametrize(
    'target, counts, twins',
    [
        (
            'quickstart',
            MNIST,
            {
                'cross-entropy': 'baselines/cross-entropy_lenet5_mnist5k-lt',
                'balanced-softmax': 'baselines/'
                'balanced-softmax_lenet5_mnist5k-lt',
                'gpaco': 'gpaco/lenet5_mnist5k-lt',
            },
        ),
        (
            'quickstart-seg',
            CAMVID,
            {
                'cross-entropy': 'baselines/deeplabv3plus_r18_camvid',
                'gpaco': 'gpaco/deeplabv3plus_r18_camvid',
            },
        ),
    ],
)
def test_a_quickstart_trains_the_shipped_configs(
    target, counts, twins, tmp_path
):
    config, methods, settings = command_of(target)
    common = tmp_path / 'common.py'
    cfg = write_common(str(ROOT / config), common, {})
    divided = divide(settings, methods, cfg)
    facts = {0: Facts(counts, int(sum(counts)))}
    assert methods == list(twins)
    for name, twin in twins.items():
        planned = plan_method(name, common, facts, divided[name])
        found = Config.fromfile(planned.stages[0][0]).to_dict()
        shipped = Config.fromfile(CONFIGS / f'{twin}.py').to_dict()
        # What the shipped ones only name, to make others of it.
        shipped.pop('method', None)
        assert found == shipped, name
