"""Whether a method can be put on a stock config, and the result is right."""

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger

from mmpaco.methods import Facts, Refusal
from mmpaco.methods.training_data import as_list, type_name
from mmpaco.runner.buildable import check_builds
from mmpaco.runner.method_configs import apply_method, write_configs
from mmpaco.runner.stock_configs import config_file, stock_folder

FACTS = Facts(why_unknown='the data are not here')


def stock_configs(toolbox: str) -> list[str]:
    """Name all configs that a toolbox ships, but for the parts of some.

    Args:
        toolbox (str): 'mmpretrain' or 'mmseg'.
    """
    folder = stock_folder(toolbox)
    paths = (x.relative_to(folder) for x in folder.rglob('*.py'))
    return sorted(
        f'{toolbox}::{path.as_posix()}'
        for path in paths
        if path.parts[0] != '_base_'
    )


def write(method: str, config: str, folder: Path) -> list[Path]:
    """Write the configs of a method on a stock config, as the tool does."""
    made = apply_method(method, config, folder / 'config.py', facts=FACTS)
    write_configs(made)
    return [x.path for x in made]


def check(method: str, config: str) -> dict[str, Any]:
    """Put a method on a stock config, and parse and build the result.

    Args:
        method (str): The method.
        config (str): Such as ``'mmseg::fcn/...'``.

    Returns:
        dict: ``status``, which is 'built', 'refused' or 'failed'; a
        ``reason`` where it is not built; ``lines`` of what was written,
        ``backbone``, ``head`` and ``parameters`` where it is.
    """
    _be_quiet()
    try:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / 'config.py'
            made = apply_method(method, config, out, facts=FACTS)
            models = [check_builds(x.config, x.base) for x in made]
            write_configs(made)
            # As a stock tool reads it, where it is.
            for one in made:
                Config.fromfile(one.path)
    except Refusal as error:
        stock = f'{stock_folder(config.partition("::")[0])}/'
        return dict(status='refused', reason=str(error).replace(stock, ''))
    except Exception as error:
        told = f'{type(error).__name__}: {error}'.splitlines()[0]
        return dict(status='failed', reason=told[:300])
    return dict(
        _parts(config),
        status='built',
        lines=max(len(x.text.splitlines()) for x in made),
        parameters=sum(p.numel() for p in models[-1].parameters()),
    )


def _parts(config: str) -> dict[str, str]:
    """Name the backbone and the head of a stock config."""
    path = config_file(config).path
    model = Config.fromfile(path, import_custom_modules=False).model
    heads = as_list(model.get('decode_head') or model.get('head'))
    return dict(
        backbone=type_name(model.backbone),
        head=' + '.join(type_name(x) for x in heads),
    )


def _be_quiet() -> None:
    warnings.simplefilter('ignore')
    MMLogger.get_current_instance().setLevel(logging.ERROR)
