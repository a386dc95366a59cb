"""Every tool says in a sentence what it cannot do, and why."""

import ast
import pickle
import shlex

import pytest
import torch
from support.paths import PROJECTS, TOOLS
from support.tiny import write_tiny
from support.tools import call_here, call_process

CONCAT = """
_base_ = 'tiny.py'
train_dataloader = dict(dataset=dict(
    _delete_=True, type='ConcatDataset',
    datasets=[{{_base_.train_dataloader.dataset}}] * 2))
"""
SEG = """
default_scope = 'mmseg'
model = dict(type='EncoderDecoder')
train_dataloader = dict(batch_size=2, dataset=dict(type='BaseSegDataset'))
"""
WRITE = {
    'bare.py': "default_scope = 'mmpretrain'\n",
    'broken.py': "default_scope = 'mmpretrain\n",
    'unknown.py': "_base_ = 'tiny.py'\nmodel = dict(type='NoSuchNet')\n",
    'missing.py': "_base_ = 'no.py'\n",
    'concat.py': CONCAT,
    'seg.py': SEG,
    'text.pth': 'no checkpoint',
    'list.txt': 'a.png 0\n',
    'cut/train2018.json': '{',
    'other/train2018.json': '{}',
}
NO_FILE = 'No such file'
NO_CONFIG = 'config must be an existing file'
NOT_READ = 'cannot be read'
OF_MMSEG = 'expected a config of mmpretrain, but seg.py is one of mmseg'
OF_MMPRETRAIN = 'expected a config of mmseg, but tiny.py is one of mmpretrain'
LEAST_1 = 'expected a whole number of at least 1'
NO_PICTURE = 'expected a file of .png'
OVERWRITES, NO_FOLDER = 'would overwrite', 'list.txt is no folder'
LACKS = 'lacks 52 weights of the model'
WRONG = {
    'apply_method.py': [
        ('gpaco', 'METHOD and CONFIG are needed'),
        ('gpaco no.py', NO_CONFIG),
        ('gpaco folder', NO_CONFIG),
        ('gpaco text.pth', 'config must be a file of .py'),
        ('gpaco broken.py', 'broken.py, or a config that it names'),
        ('gpaco missing.py', 'no.py'),
        ('gpaco bare.py', 'no model'),
        ('gpaco seg.py --views mine', "invalid choice: 'mine'"),
        ('supcon seg.py', 'a method for mmpretrain'),
        ('gpaco tiny.py --set word', "KEY=VALUE, but got 'word'"),
    ],
    'train.py': [
        ('no.py', NO_CONFIG),
        ('folder', NO_CONFIG),
        ('text.pth', 'config must be a file of .py'),
        ('--work-dir folder tiny.py', 'it comes first'),
        ('broken.py', 'broken.py, or a config that it names'),
        ('missing.py', 'no.py'),
        ('bare.py', 'bare.py has no model'),
        ('unknown.py', 'NoSuchNet is not in the'),
        ('seg.py', 'train_dataloader, train_cfg, and optim_wrapper'),
        ('tiny.py --cfg-options word', "KEY=VALUE, but got 'word'"),
    ],
    'compare.py': [
        ('tiny.py', 'required: --methods'),
        ('no.py --methods gpaco', NO_CONFIG),
        ('tiny.py --methods x', "no method 'x' for mmpretrain"),
        ('tiny.py --methods gpaco gpaco', 'each once'),
        ('tiny.py --methods gpaco --seeds 0', LEAST_1),
        ('tiny.py --methods gpaco --gpus 0', LEAST_1),
        ('tiny.py --methods gpaco --set word', "KEY=VALUE, but got 'word'"),
        ('tiny.py --methods gpaco --set trian_cfg.a=1', 'has the key'),
        ('tiny.py --methods gpaco --select batch=1,2', 'of one method'),
        ('bare.py --methods gpaco', 'no train_dataloader'),
        ('tiny.py --methods gpaco --work-dir list.txt', 'Not a directory'),
    ],
    'test.py': [
        ('tiny.py', 'required: checkpoint'),
        ('tiny.py no.pth', NO_FILE),
        ('tiny.py folder', 'Is a directory'),
        ('tiny.py text.pth', NOT_READ),
        ('no.py other.pth', NO_CONFIG),
        ('bare.py other.pth', 'bare.py has no model'),
        ('tiny.py --work-dir folder no.pth', NO_FILE),
        ('tiny.py --work-dir folder text.pth', NOT_READ),
        ('tiny.py --work-dir folder http://a/b.pth', 'is no local file'),
        ('tiny.py --cfg-options a=1 other.pth', "but got 'other.pth'"),
    ],
    'test_ensemble.py': [
        ('tiny.py', 'expected pairs'),
        ('tiny.py no.pth', NO_FILE),
        ('tiny.py other.pth', LACKS),
        ('tiny.py other.pth --out link.pth', OVERWRITES),
        ('tiny.py other.pth --out folder', 'is a folder'),
        ('no.py other.pth', NO_CONFIG),
        ('seg.py other.pth', OF_MMSEG),
        ('bare.py other.pth', 'bare.py has no model'),
    ],
    'test_robustness.py': [
        ('tiny.py', 'required: CHECKPOINT'),
        ('tiny.py no.pth', 'none of the folders data/imagenet-c'),
        ('tiny.py no.pth --imagenet-r folder', NO_FILE),
        ('tiny.py no.pth --corruptions rain', "invalid choice: 'rain'"),
        ('tiny.py no.pth --severities 6', 'invalid choice: 6'),
        ('tiny.py no.pth --corrupt --seed -1', 'at least 0'),
        ('tiny.py no.pth --picture x.xyz', NO_PICTURE),
        ('tiny.py other.pth --out link.pth', OVERWRITES),
        ('tiny.py other.pth --out list.txt/x.json', NO_FOLDER),
        ('tiny.py other.pth --picture list.txt/x.png', NO_FOLDER),
        ('tiny.py other.pth --out x.png --picture x.png', 'written twice'),
        ('tiny.py no.pth --corrupt', 'at least 32 x 32 pixels'),
        ('tiny.py other.pth --imagenet-r folder', LACKS),
        ('no.py other.pth', NO_CONFIG),
        ('seg.py other.pth', OF_MMSEG),
        ('bare.py other.pth', 'bare.py has no model'),
    ],
    'analysis_tools/class_accuracy.py': [
        ('tiny.py good.pkl --picture x.png', 'expected NAME=FILE'),
        ('tiny.py =good.pkl --picture x.png', 'expected NAME=FILE'),
        ('tiny.py a=no.pkl --picture x.png', NO_FILE),
        ('tiny.py a=text.pth --picture x.png', NOT_READ),
        ('tiny.py a=far.pkl --picture x.png', 'labels must lie in [0, 2)'),
        ('tiny.py a=numbers.pkl --picture x.png', 'holds no predictions'),
        ('tiny.py a=good.pkl --picture x.xyz', NO_PICTURE),
        ('tiny.py a=good.pkl --picture list.txt/x.png', NO_FOLDER),
        (
            'tiny.py a=good.pkl --picture x.png --bounds 100 20',
            '0 <= few <= many',
        ),
        ('seg.py a=good.pkl --picture x.png', OF_MMSEG),
        ('bare.py a=good.pkl --picture x.png', 'bare.py has no model'),
    ],
    'analysis_tools/class_statistics.py': [
        ('no.py', NO_CONFIG),
        ('tiny.py', OF_MMPRETRAIN),
        ('seg.py --split val', 'has no val_dataloader'),
        ('seg.py --picture x', NO_PICTURE),
        ('seg.py --out seg.py', 'is read'),
    ],
    'analysis_tools/extra_loss.py': [
        ('--alpha -1', 'must be finite and not negative'),
        ('--positives -3', 'must be finite and not negative'),
        ('--picture x.xyz', NO_PICTURE),
        ('--picture list.txt/x.png', NO_FOLDER),
        ('--config no.py', NO_CONFIG),
        ('--config seg.py', OF_MMSEG),
        ('--config bare.py', 'has no model.head'),
        ('--config tiny.py', 'expected a config whose head is'),
    ],
    'analysis_tools/gradient_norm.py': [
        ('tiny.py no.pth --picture x.png', NO_FILE),
        ('tiny.py no.pth --picture x.xyz', NO_PICTURE),
        ('tiny.py other.pth --picture x.png', LACKS),
        ('tiny.py other.pth --picture x.png --out link.pth', OVERWRITES),
        ('concat.py other.pth --picture x.png', LACKS),
        ('seg.py other.pth --picture x.png', OF_MMSEG),
        ('bare.py other.pth --picture x.png', 'bare.py has no model'),
        (
            'tiny.py other.pth --picture x.png --max-iters 0',
            'max_iters must be positive',
        ),
        (
            'tiny.py no.pth tiny.py no.pth --picture x.png --names a a',
            'different names',
        ),
    ],
    'analysis_tools/show_pipeline.py': [
        ('no.py x.png', NO_CONFIG),
        ('seg.py x.png', OF_MMSEG),
        ('bare.py x.png', 'neither a train_dataloader'),
        ('tiny.py x.txt', NO_PICTURE),
        ('tiny.py x.png --draws 0', 'draws must be positive'),
        ('tiny.py x.png --seed -1', 'seed must be a number from 0'),
        ('tiny.py x.png --images no.png', 'no.png is missing'),
        ('tiny.py x.png --images list.txt', 'is not an image'),
        (
            'tiny.py data/dark/0.png --images data/dark/0.png',
            OVERWRITES,
        ),
    ],
    'benchmarks/gpu_steps.py': [
        ('tables no', NO_FILE),
        ('card --rows 1', 'at least 2'),
        ('positives --device toaster', 'CUDA devices'),
        ('kernels --case 99', 'invalid choice'),
        ('trace no.py', NO_CONFIG),
        ('trace bare.py', 'has no model.backbone'),
    ],
    'benchmarks/loss.py': [
        ('--sizes 1', 'at least 2'),
        ('--repeats 0', LEAST_1),
        ('--device toaster', 'CUDA devices'),
        ('--out list.txt --sizes 8 --classes 3', 'File exists'),
    ],
    'benchmarks/loss_error.py': [
        ('--rows 1', 'at least 2'),
        ('--device toaster', 'CUDA devices'),
    ],
    'benchmarks/pipelines.py': [
        ('--pairs no', 'invalid choice'),
        ('--batch 0', LEAST_1),
        ('--images no.jpg', 'no.jpg is missing'),
        ('--images list.txt', 'is not an image'),
    ],
    'benchmarks/train_parts.py': [
        ('no.py', NO_CONFIG),
        ('seg.py', OF_MMSEG),
        ('bare.py', 'has no model.backbone'),
        ('tiny.py --against no.py', NO_CONFIG),
        ('tiny.py --iters 0', LEAST_1),
        ('tiny.py --workers -1', 'a whole number of at least 0'),
        ('tiny.py --noise 0 8', LEAST_1),
        ('tiny.py --cfg-options word', "KEY=VALUE, but got 'word'"),
        ('tiny.py --out folder', 'Is a directory'),
        (
            'tiny.py --cfg-options train_dataloader.batch_size=64 '
            'train_dataloader.drop_last=True',
            'fewer training images',
        ),
    ],
    'benchmarks/train_step.py': [
        ('no.py no.py', NO_CONFIG),
        ('tiny.py tiny.py', OF_MMPRETRAIN),
        ('seg.py seg.py', 'has no model.backbone'),
        ('seg.py seg.py --size 0 0', LEAST_1),
        ('seg.py seg.py --batch 0', LEAST_1),
        ('seg.py --precisions bfloat16 --device cpu', 'need a CUDA device'),
        ('tiny.py --precisions float32 --device cpu', 'give it, too'),
    ],
    'dataset_converters/camvid.py': [
        ('no', 'no/images/train is not a folder'),
        ('folder --out folder', 'would be overwritten'),
    ],
    'dataset_converters/check_list.py': [
        ('no.txt --root .', "no list of images 'no.txt'"),
        ('list.txt --root no', 'no is not a folder'),
        ('list.txt --root . --nproc 0', 'nproc must be at least 1'),
        ('list.txt --root . --num-classes 0', 'must be at least 1'),
        ('folder --root .', 'Is a directory'),
    ],
    'dataset_converters/cifar100_lt.py': [
        ('no', 'give the folder cifar-100-python itself'),
    ],
    'dataset_converters/inaturalist2018.py': [
        ('no', 'there is no no/train2018.json'),
        ('cut', 'is no JSON'),
        ('other', 'must have images'),
    ],
    'dataset_converters/mnist5k.py': [('--out list.txt', 'File exists')],
    'dataset_converters/tiny_imagenet100.py': [
        ('no', 'give the folder tiny-imagenet-200 itself'),
    ],
    'model_converters/official_to_mmpaco.py': [
        ('no.pth x.pth', NO_FILE),
        ('text.pth x.pth', NOT_READ),
        ('other.pth x.pth', "weights of the papers' release"),
        ('other.pth other.pth', OVERWRITES),
        ('other.pth link.pth', OVERWRITES),
        ('released.pth x.pth --config no.py', NO_CONFIG),
        ('released.pth x.pth --config bare.py', 'bare.py has no model'),
        ('released.pth x.pth --config tiny.py', 'is not that of the config'),
    ],
    'model_converters/tau_normalize.py': [
        ('tiny.py no.pth x.pth', NO_FILE),
        ('tiny.py other.pth x.pth', LACKS),
        ('tiny.py other.pth link.pth', OVERWRITES),
        ('tiny.py other.pth x.pth --taus nan', 'taus must be'),
        ('no.py other.pth x.pth', NO_CONFIG),
        ('seg.py other.pth x.pth', OF_MMSEG),
        ('bare.py other.pth x.pth', 'bare.py has no model'),
    ],
    PROJECTS / 'stock_configs/apply_to_all.py': [
        ('--method nothing', "there is no method 'nothing'"),
        ('--method supcon --toolbox mmseg', 'a method for mmpretrain'),
        ('--toolbox mmdet', "invalid choice: 'mmdet'"),
        ('--sample 0', LEAST_1),
        ('--jobs 0', LEAST_1),
        ('--report no.md', NO_FILE),
        ('--report list.txt', 'must hold <!-- tables -->'),
    ],
    PROJECTS / 'packaging/try_interpreters.py': [
        ('--minors x', "invalid int value: 'x'"),
        ('--stacks conda', "invalid choice: 'conda'"),
    ],
    PROJECTS / 'evidence/evidence.py': [
        ('--seeds 0', LEAST_1),
        ('--jobs x', LEAST_1),
        ('nothing', "no grid 'nothing'; give one of cifar100_lt,"),
        ('tiny.py', 'tiny.py must set GRID to a Description'),
    ],
}
NEED_MMSEG = {'class_statistics', 'camvid', 'train_step'}
ROWS = [(tool, *row) for tool, rows in WRONG.items() for row in rows]


@pytest.fixture(scope='module')
def here(tmp_path_factory):
    folder = write_tiny(tmp_path_factory.mktemp('wrong'))
    for name, text in WRITE.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (folder / 'folder').mkdir()
    torch.save({'state_dict': {'a': torch.zeros(3)}}, folder / 'other.pth')
    torch.save(
        {'module.encoder_q.conv1.weight': torch.zeros(64, 3, 7, 7)},
        folder / 'released.pth',
    )
    (folder / 'link.pth').symlink_to('other.pth')
    for name, results in (
        ('numbers', [1, 2]),
        ('good', [result(1)]),
        ('far', [result(7)]),
    ):
        (folder / f'{name}.pkl').write_bytes(pickle.dumps(results))
    return folder


def result(label):
    return dict(gt_label=torch.tensor([label]), pred_label=torch.tensor([0]))


def programs():
    for folder in (TOOLS, PROJECTS):
        for path in sorted(folder.rglob('*.py')):
            if '__main__' in path.read_text():
                yield path


def test_no_tool_is_left_out():
    assert {TOOLS / tool for tool in WRONG} == set(programs())


@pytest.mark.parametrize('path', programs(), ids=lambda path: path.stem)
def test_a_tool_has_no_way_of_ending_of_its_own(path):
    tree = ast.parse(path.read_text())
    (call,) = tree.body[-1].body
    # What tells how to go on may follow.
    assert [ast.unparse(x) for x in (call.value.func, call.value.args[0])] == [
        'run_tool',
        'main',
    ]
    assert not [x for x in ast.walk(tree) if isinstance(x, ast.Try)]


@pytest.mark.parametrize(
    'call', [call_here, pytest.param(call_process, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize('tool, arguments, message', ROWS)
def test_a_refusal_is_a_sentence(call, here, tool, arguments, message):
    path = TOOLS / tool
    if path.stem in NEED_MMSEG:
        pytest.importorskip('mmseg')
    before = {p: p.stat().st_mtime_ns for p in here.rglob('*.p??')}
    out = call(here, path, *shlex.split(arguments))
    assert out.returncode in (1, 2), out.stderr[-3000:]
    assert message in out.stderr
    assert 'Traceback' not in out.stderr
    # A sentence may have a line for each of several things.
    assert out.stderr.strip().splitlines()[-1]
    assert {p: p.stat().st_mtime_ns for p in here.rglob('*.p??')} == before


def test_one_of_several_joined_sets_is_drawn(here):
    out = call_here(
        here, 'analysis_tools/show_pipeline.py', 'concat.py', 'joined/x.png'
    )
    assert out.returncode == 0, out.stderr
    assert (here / 'joined/x.png').stat().st_size


def test_joined_sets_are_counted_together(here):
    out = call_here(
        *(here, 'analysis_tools/class_accuracy.py', 'concat.py'),
        *('a=good.pkl', '--picture', 'joined/y.png'),
    )
    assert out.returncode == 0, out.stderr
    assert (here / 'joined/y.png').stat().st_size
