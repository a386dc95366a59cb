"""Promises of the metafiles that OpenMIM reads, and of the tables beside them.

All figures are the papers' and say so.
"""

import math
import re
from pathlib import Path

import pytest
from mmengine.config import Config
from support.paths import CONFIGS, ROOT

KINDS = ('gpaco', 'paco', 'baselines', 'compared')


@pytest.fixture(scope='module')
def index():
    modelindex = pytest.importorskip('modelindex.load_model_index')
    return modelindex.load(str(ROOT / 'model-index.yml'))


@pytest.fixture(scope='module')
def models(index):
    return list(index.models)


def test_the_index_is_valid(index):
    # The READMEs that it names are there, too.
    assert index.check(silent=True) == []
    assert {c.name for c in index.collections} == {
        *('GPaCo', 'PaCo', 'Baselines of PaCo and GPaCo'),
        'Systems that PaCo and GPaCo compare with',
    }


def test_every_config_is_in_a_metafile_and_the_other_way_round(models):
    named = [model.config for model in models]
    assert len(named) == len(set(named))
    assert set(named) == {
        path.relative_to(ROOT).as_posix()
        for kind in KINDS
        for path in (CONFIGS / kind).glob('*.py')
    }
    names = [model.name for model in models]
    assert len(names) == len(set(names))
    # OpenMIM looks for names in lower case only.
    assert names == [name.lower() for name in names]


def test_batch_and_length_are_those_of_the_config(models):
    for model in models:
        cfg = Config.fromfile(ROOT / model.config)
        data = model.metadata.data
        # mmengine scales by the images of an iteration.
        steps = cfg.optim_wrapper.get('accumulative_counts', 1)
        assert data['Batch Size'] == steps * cfg.auto_scale_lr.base_batch_size
        if 'Epochs' in data:
            assert data['Epochs'] == cfg.train_cfg.max_epochs
        else:
            assert data['Iterations'] == cfg.train_cfg.max_iters
        gpus = data.get('Training Resources')
        if gpus:
            images = cfg.train_dataloader.batch_size
            of_all = int(gpus.split()[0]) * images
            assert of_all == cfg.auto_scale_lr.base_batch_size


def table_rows(kind):
    """The figures beside each config in the README of a folder."""
    rows = {}
    text = (CONFIGS / kind / 'README.md').read_text(encoding='utf-8')
    header = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if cells[0] == 'config':
            header = cells
        link = re.fullmatch(r'\[`(.+)`\]\((.+)\)', cells[0])
        if not link:
            continue
        assert link[2] == f'{link[1]}.py'
        assert link[1] not in rows
        rows[link[1]] = dict(zip(header, cells))
    return rows


COLUMNS = {
    'Many (paper)': 'many (paper)',
    'Medium (paper)': 'medium (paper)',
    'Few (paper)': 'few (paper)',
    'Top 1 Accuracy (paper)': 'top-1 (paper)',
    'mIoU (paper)': 'mIoU (paper)',
    'mIoU of multi-scale and flip (paper)': 'multi-scale and flip (paper)',
}


@pytest.mark.parametrize('kind', KINDS)
def test_figures_are_those_of_the_table(kind, models):
    rows = table_rows(kind)
    mine = [m for m in models if Path(m.config).parent.name == kind]
    assert {Path(m.config).stem for m in mine} == set(rows)
    for model in mine:
        row = rows[Path(model.config).stem]
        metrics = {}
        for result in model.results or []:
            assert result.dataset == model.metadata.data['Training Data']
            metrics.update(result.metrics)
        # Each is marked as a figure of the papers.
        assert set(metrics) <= set(COLUMNS)
        found = {c: float(row[c]) for c in COLUMNS.values() if row.get(c)}
        assert found == {COLUMNS[k]: v for k, v in metrics.items()}
        assert row['data'] == model.metadata.data['Training Data']
        size = row.get('GPUs x images') or row.get(
            'GPUs x images (x iterations)'
        )
        if size:
            factors = map(int, size.split(' x '))
            assert math.prod(factors) == model.metadata.data['Batch Size']


def test_the_tables_hold_the_papers_gain_in_every_pair(models):
    """GPaCo is above PaCo and every baseline of the same system."""
    top = {}
    for model in models:
        for result in model.results or []:
            key = next(iter(result.metrics))
            top[model.config[len('configs/') : -3]] = result.metrics[key]
    systems = [name.partition('/')[2] for name in top if 'gpaco/' in name]
    assert len(systems) == 24
    for system in systems:
        for name, figure in top.items():
            if name.endswith(f'/{system}') or name.endswith(f'_{system}'):
                assert figure <= top[f'gpaco/{system}'], name
