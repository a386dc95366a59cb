"""The sdist and the wheel: how they are built, and what is in them."""

import os
import shutil
import subprocess
import tarfile
import venv
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any


def build(root: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Build both of a checkout's files, in a copy of them.

    Args:
        root (Path): The checkout.
        folder (Path): Where to; it is made anew.

    Returns:
        tuple[Path, dict]: The wheel, which was built from the sdist, and the
        size and content of both.

    Raises:
        RuntimeError: If the wheel of the checkout is another one.
    """
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / 'source'
    copy_files(root, source)
    venv.create(folder / 'venv', with_pip=True)
    python = folder / 'venv' / 'bin' / 'python'
    # No environment of the caller's may help: that of the user is empty.
    clean = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}

    def run(*command: str) -> None:
        subprocess.run([str(python), '-m', *command], check=True, env=clean)

    run('pip', 'install', '--quiet', 'build')
    run('build', '--outdir', str(folder / 'direct'), '--wheel', str(source))
    # Of neither sdist nor wheel: the sdist, and from it the wheel.
    run('build', '--outdir', str(folder / 'dist'), str(source))
    shutil.rmtree(folder / 'venv')
    shutil.rmtree(source)
    (wheel,) = (folder / 'dist').glob('*.whl')
    (sdist,) = (folder / 'dist').glob('*.tar.gz')
    if checksums(wheel) != checksums(folder / 'direct' / wheel.name):
        raise RuntimeError(
            f'{wheel}, built from the sdist, differs from the one built from '
            f'{root}; MANIFEST.in must name what the build needs'
        )
    return wheel, {
        path.name: {'bytes': path.stat().st_size, 'files': content(path)}
        for path in (wheel, sdist)
    }


def copy_files(root: Path, target: Path) -> None:
    """Copy what git has or would have."""
    command = ('git', 'ls-files', '-z', '-co', '--exclude-standard')
    listed = subprocess.run(command, cwd=root, check=True, stdout=-1).stdout
    for name in listed.decode().split('\0'):
        # One that was removed is listed until that is committed.
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)


def checksums(wheel: Path) -> dict[str, int]:
    """Give the checksum of each file in a wheel but of the list of them."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            x.filename: x.CRC
            for x in archive.infolist()
            if not x.filename.endswith('/RECORD')
        }


def content(path: Path) -> dict[str, int]:
    """Count the files of an archive by their folder.

    Args:
        path (Path): A wheel or an sdist, whose one folder is left out.
    """
    if path.suffix == '.whl':
        with zipfile.ZipFile(path) as archive:
            parts = [Path(x).parts for x in archive.namelist()]
    else:
        with tarfile.open(path) as archive:
            files = (x for x in archive if x.isfile())
            parts = [Path(x.name).parts[1:] for x in files]
    # What users look for in a wheel is below mmpaco/.mim.
    folders = (
        x[: 3 if '.mim' in x else 1] if len(x) > 1 else ('.',) for x in parts
    )
    return dict(sorted(Counter('/'.join(x) for x in folders).items()))
