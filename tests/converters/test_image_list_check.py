"""The check of a list of real images, as a user calls it."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image
from support.paths import TOOLS

from mmpaco.converters.image_list_check import (
    check_image_list,
)

TOOL = TOOLS / 'dataset_converters/check_list.py'


@pytest.fixture
def root(tmp_path):
    """Sixteen images of two classes, and their list."""
    random = np.random.default_rng(0)
    lines = []
    for i in range(16):
        name = f'{i // 12}/no {i}.{"png" if i % 4 else "jpg"}'
        (tmp_path / name).parent.mkdir(exist_ok=True)
        image = random.integers(0, 255, (40, 50, 3)).astype(np.uint8)
        assert cv2.imwrite(str(tmp_path / name), image)
        lines.append(f'{name} {i // 12}\n')
    (tmp_path / 'list.txt').write_text(''.join(lines))
    return tmp_path


def check(root, *options):
    return subprocess.run(
        [sys.executable, TOOL, 'list.txt', '--root', '.', *options],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_right_list_is_summed_up(root):
    # Formats and colours that both decoders read.
    Image.new('CMYK', (9, 9)).save(root / '0' / 'no 0.jpg')
    Image.new('P', (9, 9)).save(root / '0' / 'no 1.png')
    out = check(root, '--num-classes', '2', '--nproc', '2')
    assert out.returncode == 0, out.stderr
    assert out.stdout.splitlines() == [
        'images           16',
        'classes          2',
        'largest class    0 with 12 images',
        'smallest class   1 with 4 images',
        'imbalance factor 3',
        'problems         0',
    ]
    assert '100%' in out.stderr


def cut(path, kept):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])


def test_all_problems_are_reported_at_once(root):
    cut(root / '0' / 'no 0.jpg', 0.5)
    cut(root / '0' / 'no 4.jpg', 0.99)
    cut(root / '0' / 'no 1.png', 0.5)
    cut(root / '0' / 'no 2.png', 0)
    (root / '0' / 'no 3.png').write_text('404')
    (root / '1' / 'no 12.jpg').unlink()
    with open(root / 'list.txt', 'a') as file:
        file.write(
            '0/no 5.png 0\n\n0/a.jpg\n0/a.jpg x\n0/a.jpg -1\n0/a.jpg 4\n'
            '/0/a.jpg 0\n../0/a.jpg 0\n'
        )
    out = check(root, '--num-classes', '4')
    assert out.returncode == 1, out.stderr
    groups, kind = {}, None
    for line in out.stdout.splitlines():
        if line.startswith('  list.txt'):
            groups[kind].append(line.split()[0][9:])
        elif '(' in line:
            kind, number = line.rstrip(')').split(' (')
            groups[kind] = [number]
    assert groups == {
        'path listed twice': ['1', '17:'],
        'line without a label': ['1', '19:'],
        'label that is no integer': ['1', '20:'],
        'label out of range': ['2', '21:', '22:'],
        'absolute path': ['1', '23:'],
        'path out of the root': ['1', '24:'],
        'class without images': ['1', ''],
        'image that cannot be decoded': ['5', '1:', '2:', '3:', '4:', '5:'],
        'missing image': ['1', '13:'],
    }
    assert out.stdout.endswith('problems         14\n')
    assert 'largest class    0 with 13 images\n' in out.stdout
    assert 'smallest class   2 with 0 images\n' in out.stdout
    for name in ('no 0.jpg', 'no 1.png', 'no 2.png', 'no 12.jpg'):
        assert name in out.stdout


def test_image_that_training_cannot_decode_is_found(root):
    """A PNG without its last chunk: Pillow takes it, OpenCV does not."""
    path = root / '0' / 'no 1.png'
    path.write_bytes(path.read_bytes()[:-12])
    with Image.open(path) as image:
        image.load()
    (problem,) = check_image_list(root / 'list.txt', root).listed.problems
    assert problem.line == 2 and f'{path}: OpenCV cannot' in problem.text


def test_wrong_root_is_one_problem(root):
    (root / 'empty').mkdir()
    report = check_image_list(root / 'list.txt', root / 'empty')
    (problem,) = report.listed.problems
    assert 'none of the images is there' in problem.text
    assert str(root / 'empty' / '0' / 'no 0.jpg') in problem.text
    with pytest.raises(FileNotFoundError, match='nowhere is not a folder'):
        check_image_list(root / 'list.txt', 'nowhere')


def test_empty_list_is_a_problem(root):
    (root / 'list.txt').write_text('\n')
    report = check_image_list(root / 'list.txt', root)
    assert [x.kind for x in report.listed.problems] == ['empty list']
    assert str(report).endswith(
        'images           0\nclasses          0\nproblems         1'
    )


def test_what_cannot_be_checked_is_one_line_on_stderr(root):
    (root / 'list.txt').unlink()
    out = check(root)
    assert out.returncode == 1 and out.stdout == ''
    assert "'list.txt'" in out.stderr and 'Traceback' not in out.stderr


@pytest.mark.parametrize('option', ('num_classes', 'nproc'))
def test_numbers_must_be_positive(root, option):
    with pytest.raises(ValueError, match=f'{option} must be at least 1'):
        check_image_list(root / 'list.txt', root, **{option: 0})
