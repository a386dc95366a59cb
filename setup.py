"""Build of mmpaco; the tools' settings are in ``pyproject.toml``."""

import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# Extras that are files of the same names in requirements.
FILES = ('quickstart', 'robustness', 'docs', 'tests', 'lint')
MIM_FILES = ('configs', 'tools', 'model-index.yml')


def run(name: str) -> dict[str, Any]:
    """Give what a module defines, without importing the package."""
    return runpy.run_path(str(ROOT / 'mmpaco' / name))


VERSIONS = run('stack_versions.py')
MINORS = sorted({x for minors in VERSIONS['PYTHONS'].values() for x in minors})


def read_requirements(name: str) -> Iterator[str]:
    """Give the lines of a file in ``requirements`` and of those it names."""
    file = ROOT / 'requirements' / name
    for line in file.read_text(encoding='utf-8').splitlines():
        if line.startswith('-r '):
            yield from read_requirements(line.split()[1])
        elif line and not line.startswith('#'):
            yield line


def read_extras() -> dict[str, list[str]]:
    """Make the extras of what is written once, elsewhere.

    The stacks are in ``mmpaco/stack_versions.py``, the others in files of
    their own in ``requirements``.
    """
    extras = {
        family: VERSIONS['stack_requirements'](family)
        for family in VERSIONS['FAMILIES']
    }
    for name in FILES:
        extras[name] = list(read_requirements(f'{name}.txt'))
    return extras


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder without its caches."""
    if source.is_dir():
        ignored = shutil.ignore_patterns('__pycache__', '*.py[co]')
        shutil.copytree(source, target, ignore=ignored)
    else:
        shutil.copy2(source, target)


class BuildWithMim(build_py):
    """Put ``.mim`` into the package, where OpenMIM looks for configs.

    Wheels get copies. An editable install gets links in the source tree, so
    that an edited config is seen at once.
    """

    def run(self) -> None:
        editable = getattr(self, 'editable_mode', False)
        package = (ROOT if editable else Path(self.build_lib)) / 'mmpaco'
        mim = package / '.mim'
        # What was renamed since the last build must not survive in a wheel.
        remove(mim if editable else package)
        super().run()
        mim.mkdir(parents=True)
        for name in MIM_FILES:
            source, target = ROOT / name, mim / name
            if not source.exists():
                raise FileNotFoundError(
                    f'{source} is missing; build mmpaco from a complete '
                    'checkout or source distribution'
                )
            if not editable:
                copy(source, target)
                continue
            try:
                target.symlink_to(Path('..', '..', name))
            except OSError:
                # Windows allows links only to privileged users.
                copy(source, target)


if __name__ == '__main__':
    setup(
        name='mmpaco',
        version=run('__init__.py')['__version__'],
        description='PaCo and GPaCo losses for MMPretrain and MMSegmentation',
        long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
        long_description_content_type='text/markdown',
        author='mmpaco contributors',
        license='Apache-2.0',
        keywords='computer vision, long-tailed recognition, segmentation',
        classifiers=[
            'Development Status :: 3 - Alpha',
            'Intended Audience :: Developers',
            'Intended Audience :: Science/Research',
            'License :: OSI Approved :: Apache Software License',
            'Operating System :: POSIX :: Linux',
            'Programming Language :: Python :: 3',
            'Programming Language :: Python :: 3 :: Only',
            *(f'Programming Language :: Python :: 3.{x}' for x in MINORS),
            'Topic :: Scientific/Engineering :: Artificial Intelligence',
            'Topic :: Scientific/Engineering :: Image Recognition',
            'Typing :: Typed',
        ],
        project_urls={
            'PaCo (ICCV 2021)': 'https://arxiv.org/abs/2107.12028',
            'GPaCo (TPAMI 2023)': 'https://arxiv.org/abs/2209.12400',
        },
        packages=find_packages(include=['mmpaco', 'mmpaco.*']),
        package_data={'mmpaco': ['py.typed']},
        python_requires=f'>=3.{MINORS[0]}',
        # Two families of distributions own the same import names, so none
        # of them is a dependency: the user picks one with an extra.
        install_requires=['numpy', f'torch>={VERSIONS["TORCH_MINIMUM"]}'],
        extras_require=read_extras(),
        cmdclass={'build_py': BuildWithMim},
        zip_safe=False,
    )
