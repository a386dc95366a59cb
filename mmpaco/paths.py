"""The type of what may name a file."""

import os
from typing import Union

PathLike = Union[str, 'os.PathLike[str]']
