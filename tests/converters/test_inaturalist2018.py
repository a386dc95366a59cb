"""Lists from files in the layout of the iNaturalist 2018 competition."""

import json
import subprocess
import sys

import pytest
from support.paths import TOOLS

from mmpaco.cls.datasets.image_list_reader import (
    read_image_list,
)
from mmpaco.converters.inaturalist2018 import (
    write_inaturalist2018,
)

TOOL = TOOLS / 'dataset_converters/inaturalist2018.py'
# Folders whose order by name is not that of their numbers.
LABELS = {'train': [7291, 10, 2, 10, 8141, 0], 'val': [2, 10]}


def contents(labels):
    """The fields of the real files; ids are neither 0, 1, ... nor sorted."""
    images = [
        dict(
            license=3,
            file_name=f'train_val2018/Plantae/{label}/{i:032x}.jpg',
            rights_holder='nobody',
            height=600,
            width=800,
            id=900 - 7 * i,
        )
        for i, label in enumerate(labels)
    ]
    annotations = [
        dict(id=i, image_id=image['id'], category_id=label)
        for i, (image, label) in enumerate(zip(images, labels))
    ]
    categories = [
        dict(id=label, name=str(label), supercategory='Plantae')
        for label in sorted(set(labels))
    ]
    return dict(
        info=dict(year=2018),
        images=images,
        # Of another order than the images.
        annotations=annotations[::-1],
        licenses=[],
        categories=categories,
    )


@pytest.fixture
def folder(tmp_path):
    for split, labels in LABELS.items():
        path = tmp_path / f'{split}2018.json'
        path.write_text(json.dumps(contents(labels)))
    return tmp_path


def test_tool_writes_both_lists(run, folder):
    out = folder / 'lists'
    printed = run(sys.executable, TOOL, folder, '--out', out)
    for split, labels in LABELS.items():
        path = out / f'iNaturalist18_{split}.txt'
        assert f'{path}: {len(labels)} images' in printed
        listed = read_image_list(str(path), 8142)
        assert not listed.problems
        assert listed.labels.tolist() == labels
        images = contents(labels)['images']
        assert listed.paths == [image['file_name'] for image in images]
    assert sorted(x.name for x in out.iterdir()) == [
        'iNaturalist18_train.txt',
        'iNaturalist18_val.txt',
    ]


def test_tool_says_what_is_missing(folder):
    (folder / 'val2018.json').unlink()
    out = subprocess.run(
        [sys.executable, TOOL, folder], capture_output=True, text=True
    )
    assert out.returncode == 1
    assert 'give the folder into which val2018.json' in out.stderr
    assert 'Traceback' not in out.stderr


def without_labels(content):
    del content['annotations']


def list_at_the_top(content):
    content['images'] = [1]


def second_label(content):
    content['annotations'].append(dict(content['annotations'][0], id=77))


def lost_label(content):
    content['annotations'].pop()


def label_of_nobody(content):
    content['annotations'][0]['image_id'] = 1


def label_of_another_folder(content):
    content['annotations'][0]['category_id'] = 3


@pytest.mark.parametrize(
    'spoil, message',
    (
        (without_labels, "no train2018.json .*'annotations'.*test2018.json"),
        (list_at_the_top, 'no train2018.json'),
        (second_label, '6 images and 7 annotations of 6 images'),
        (lost_label, '6 images and 5 annotations of 5 images'),
        (label_of_nobody, '6 images and 6 annotations of 6 images'),
        (label_of_another_folder, r'jpg has category 3, .* its folder, 0;'),
    ),
)
def test_other_files_are_refused_and_write_nothing(tmp_path, spoil, message):
    content = contents(LABELS['train'])
    spoil(content)
    source = tmp_path / 'train2018.json'
    source.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'{source}.*{message}'):
        write_inaturalist2018(source, tmp_path / 'list.txt')
    assert list(tmp_path.iterdir()) == [source]


def test_cut_off_file_is_refused(folder):
    source = folder / 'train2018.json'
    source.write_text(source.read_text()[:-9])
    with pytest.raises(ValueError, match='train2018.json is no JSON'):
        write_inaturalist2018(source, folder / 'list.txt')
