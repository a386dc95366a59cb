"""Configs as the processes of a run will read them."""

import contextlib
import os
from collections.abc import Iterator, Mapping

from mmengine.config import Config
from mmengine.logging import MMLogger

from mmpaco.files import PathLike


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let configs be read as a process with these variables would.

    Args:
        variables: Values for the ``{{'$NAME:default'}}`` fields.
    """
    before = dict(os.environ)
    # mmengine reports every variable of every base file.
    logger = MMLogger.get_current_instance()
    level = logger.level
    os.environ.update(variables)
    logger.setLevel('WARNING')
    try:
        yield
    finally:
        logger.setLevel(level)
        os.environ.clear()
        os.environ.update(before)


def load_config(path: PathLike, env: Mapping[str, str]) -> Config:
    """Read a config as a process with these environment variables would.

    Args:
        path: Config file.
        env: Values for the ``{{'$NAME:default'}}`` fields of the config.

    Returns:
        The merged config.
    """
    with environment(env):
        return Config.fromfile(path, import_custom_modules=False)
