"""Build of mmpaco; the tools' settings are in ``pyproject.toml``."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_FILES = ('configs', 'tools', 'model-index.yml')


def read_version() -> str:
    """Read the version from the source, without importing the package."""
    source = (ROOT / 'mmpaco' / '__init__.py').read_text(encoding='utf-8')
    match = re.search(r"^__version__ = '([^']+)'$", source, re.MULTILINE)
    if match is None:
        raise RuntimeError(
            "mmpaco/__init__.py holds no line __version__ = '...'"
        )
    return match.group(1)


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
        version=read_version(),
        description='PaCo and GPaCo losses for MMPretrain and MMSegmentation',
        long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
        long_description_content_type='text/markdown',
        author='mmpaco contributors',
        license='Apache-2.0',
        keywords='computer vision, long-tailed recognition, segmentation',
        classifiers=[
            'Development Status :: 3 - Alpha',
            'Programming Language :: Python :: 3',
            'Topic :: Scientific/Engineering :: Artificial Intelligence',
        ],
        packages=find_packages(include=['mmpaco', 'mmpaco.*']),
        package_data={'mmpaco': ['py.typed']},
        python_requires='>=3.9',
        # Two families of distributions own the same import names, so none
        # of them is a dependency: the user picks one with an extra.
        install_requires=['numpy', 'torch>=2.1'],
        extras_require={
            'onedl': [
                'torchvision',
                'onedl-mmengine~=0.10.12',
                'onedl-mmcv~=2.3.6',
                'onedl-mmsegmentation~=1.4.2',
                'onedl-mmpretrain~=1.3.6',
            ],
            'openmmlab': [
                'numpy<2',
                'opencv-python<4.11',
                'setuptools<70',
                'torch<2.2',
                'torchvision<0.17',
                'mmengine~=0.10.7',
                'mmcv~=2.1.0',
                'mmsegmentation~=1.2.2',
                'mmpretrain~=1.2.0',
                # Imported by mmsegmentation, declared only as optional.
                'ftfy',
                'regex',
            ],
            'quickstart': ['matplotlib', 'mlxtend>=0.23.4', 'rich'],
            'robustness': ['imagecorruptions-imaug>=1.1.5'],
            'tests': [
                'hypothesis>=6.100',
                'imagecorruptions-imaug>=1.1.5',
                'pytest>=7.4',
                'pytest-xdist>=3.5',
                'timm>=1.0',
            ],
            'lint': ['mypy', 'ruff'],
        },
        cmdclass={'build_py': BuildWithMim},
        zip_safe=False,
    )
