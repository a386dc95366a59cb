"""Promises of the files that are there whole or not at all."""

import os

import pytest

from mmpaco.files import check_apart, check_writable, whole_file, write_text


def test_a_file_is_replaced_once_its_successor_is_complete(tmp_path):
    path = tmp_path / 'new' / 'folder' / 'a.txt'
    write_text(path, 'µ\n')
    assert path.read_bytes() == 'µ\n'.encode()
    with whole_file(str(path)) as part:
        part.write_text('second')
        assert path.read_text(encoding='utf-8') == 'µ\n'
    assert path.read_text() == 'second'
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('before', (None, 'first'))
def test_a_failure_leaves_all_as_it_was(tmp_path, before):
    path = tmp_path / 'a.txt'
    if before is not None:
        path.write_text(before)
    with pytest.raises(KeyboardInterrupt), whole_file(path) as part:
        part.write_text('half')
        raise KeyboardInterrupt
    left = [x.read_text() for x in tmp_path.iterdir()]
    assert left == ([] if before is None else [before])


def test_nothing_is_written_over_what_it_is_made_from(tmp_path):
    source, target = tmp_path / 'source', tmp_path / 'target'
    source.write_text('a')
    check_apart(target, source, tmp_path / 'no')
    target.write_text('a')
    check_apart(target, source)
    for link in (os.symlink, os.link):
        target.unlink()
        link(source, target)
        with pytest.raises(ValueError, match='target would overwrite'):
            check_apart(str(target), tmp_path / 'no', source)
    with pytest.raises(ValueError, match='name another file'):
        check_apart(source, tmp_path / '..' / tmp_path.name / 'source')


def test_what_cannot_be_written_is_told_before_it_is(tmp_path):
    (tmp_path / 'file').write_text('a')
    check_writable(tmp_path / 'file')
    check_writable(tmp_path / 'new' / 'folder' / 'b')
    assert not (tmp_path / 'new').exists()
    with pytest.raises(IsADirectoryError, match='name the file'):
        check_writable(tmp_path)
    with pytest.raises(NotADirectoryError, match='file is no folder'):
        check_writable(tmp_path / 'file' / 'new' / 'b')
    os.symlink(tmp_path / 'nowhere', tmp_path / 'link')
    with pytest.raises(NotADirectoryError, match='link is no folder'):
        check_writable(tmp_path / 'link' / 'b')


@pytest.mark.skipif(
    not hasattr(os, 'geteuid') or os.geteuid() == 0,
    reason='root may write anywhere',
)
def test_a_folder_that_takes_no_file_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match='takes no file'):
        check_writable(tmp_path / 'b')
