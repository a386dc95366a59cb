"""The run over all stock configs, on a sample of them."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from stock_check import check, stock_configs
from stock_record import Key, Record
from stock_report import families, write_report
from stock_runs import step
from support.paths import DOCS, PROJECTS
from support.processes import environment

FCN = 'mmseg::fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py'
KNET = 'mmseg::knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512.py'
# Of heads, wrappers and backbones of all kinds; those of the rare kinds that
# drop layers at a rate that is read while they are built.
APPLIED = (
    FCN,
    'mmseg::ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024.py',
    'mmseg::unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py',
    'mmseg::beit/beit-base_upernet_8xb2-160k_ade20k-640x640.py',
    'mmpretrain::resnet/resnet18_8xb16_cifar10.py',
    'mmpretrain::resnet/resnet50_8xb32_in1k.py',
    'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
    'mmpretrain::vision_transformer/vit-base-p16_64xb64_in1k.py',
)
REFUSED = {
    KNET: 'gpaco-backbone',
    'mmseg::vpd/vpd_sd_4xb8-25k_nyu-512x512.py': 'depth',
    'mmpretrain::mae/mae_vit-base-p16_8xb512-amp-coslr-300e_in1k.py': 'MAE',
    'mmpretrain::clip/clip_vit-base-p16_zeroshot-cls_in1k.py': 'CLIP',
}


@pytest.mark.parametrize('name', APPLIED)
def test_gpaco_is_put_on_a_stock_config_which_is_built(name):
    entry = check('gpaco', name)
    assert entry['status'] == 'built', entry
    assert entry['lines'] <= 40 and entry['parameters'] > 1e5
    assert entry['backbone'] and entry['head']


@pytest.mark.parametrize('name', REFUSED)
def test_what_trains_no_classes_of_pixels_or_images_is_refused(name):
    entry = check('gpaco', name)
    assert entry['status'] == 'refused'
    assert REFUSED[name] in entry['reason']


def test_all_configs_of_a_toolbox_are_found():
    for toolbox, number in (('mmpretrain', 500), ('mmseg', 650)):
        names = stock_configs(toolbox)
        assert len(names) > number and not any('_base_' in x for x in names)


def test_a_run_goes_on_where_it_was(tmp_path):
    page, record = tmp_path / 'page.md', tmp_path / 'record.jsonl'
    shutil.copy(DOCS / 'stock_configs.md', page)
    command = [
        *(sys.executable, PROJECTS / 'stock_configs/apply_to_all.py'),
        *('--toolbox', 'mmseg', '--sample', '2', '--no-steps'),
        *('--record', record, '--report', page),
    ]
    done = subprocess.run(
        [str(x) for x in command],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    lines = record.read_text().splitlines()
    assert len(lines) == 2
    names = [json.loads(line)['config'] for line in lines]
    table = page.read_text().split('<!-- tables -->')[1]
    assert re.search(r'\| mmseg \| gpaco \| 2 \|', table)
    # A line of a run that was ended is no entry.
    record.write_text(f'{lines[0]}\n{lines[1][:20]}')
    entries = Record(record).entries
    assert [key.config for key in entries] == names[:1]


def entry(record, config, status, **others):
    stack = 'onedl'
    key = Key('check', stack, 'gpaco', f'mmseg::{config}.py')
    record.add(key, dict(status=status, **others))
    return record.entries[key]


def test_the_smallest_of_each_backbone_and_head_is_trained(tmp_path):
    record = Record(tmp_path / 'x.jsonl')
    built = dict(status='built', lines=9)
    checks = [
        entry(record, 'a', backbone='R', head='F', parameters=9, **built),
        entry(record, 'b', backbone='R', head='P', parameters=5, **built),
        entry(record, 'c', backbone='S', head='F', parameters=7, **built),
        entry(record, 'd', backbone='S', head='P', parameters=6, **built),
        entry(record, 'e', 'refused', reason='K is no head of pixels'),
    ]
    # Of R and P, of S, and of F.
    assert families(checks) == [f'mmseg::{x}.py' for x in 'bcd']


def test_reasons_that_differ_in_a_name_are_counted_together(tmp_path):
    record = Record(tmp_path / 'x.jsonl')
    for config, name in (('a', 'MAE'), ('b', 'BEiT'), ('c', 'MAE')):
        reason = f'{name} is self-supervised'
        entry(record, config, 'refused', reason=reason)
    page = tmp_path / 'page.md'
    shutil.copy(DOCS / 'stock_configs.md', page)
    write_report(record, page)
    told = '| 3 | … is self-supervised (…: BEiT, MAE) | `a.py` |'
    assert told in page.read_text()
    page.write_text('no marks')
    with pytest.raises(ValueError, match='must hold'):
        write_report(record, page)


@pytest.mark.slow
@pytest.mark.parametrize(
    'method, name',
    [
        ('gpaco', FCN),
        ('gpaco-backbone', KNET),
        ('gpaco', 'mmpretrain::resnet/resnet18_8xb16_cifar10.py'),
    ],
)
def test_what_is_written_trains_for_an_iteration(method, name):
    entry = step(method, name)
    assert entry['status'] == 'trained', entry
    assert entry['losses']['loss'] > 0


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec('mmcv._ext') is not None, reason='operators are compiled'
)
def test_missing_operators_are_told():
    name = 'mmseg::ccnet/ccnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'
    assert 'must be compiled' in check('gpaco', name)['reason']
