"""What a run was made with."""

import contextlib
from importlib import metadata

from mmpaco.compat import installed_stack


def installed_versions() -> dict[str, str]:
    """Give the versions of the stack and of this package, by name."""
    versions = {**installed_stack().versions}
    for name in ('numpy', 'mmpaco'):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
