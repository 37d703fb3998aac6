"""How multiprocessing starts processes where nobody chose: a row a system."""

from __future__ import annotations

import re
from collections.abc import Mapping

FORK, SPAWN, FORKSERVER = "fork", "spawn", "forkserver"

DEFAULTS: Mapping[str, tuple[tuple[tuple[int, int], str], ...]] = {
    "linux": (((3, 14), FORKSERVER), ((3, 4), FORK)),
    "macos": (((3, 8), SPAWN), ((3, 4), FORK)),
    "windows": (((3, 4), SPAWN),),
}
"""By system, the first version of Python that has each method for its own, the latest first.

https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods
"""


def default_method(system: str, python: str) -> str:
    """Give the start method of a Python's own choice.

    Examples
    --------
    >>> default_method("linux", "3.13.1"), default_method("linux", "3.14.0")
    ('fork', 'forkserver')
    """
    found = re.match(r"(\d+)\.(\d+)", python)
    version = (int(found[1]), int(found[2])) if found else (3, 4)
    rows = DEFAULTS.get(system, DEFAULTS["windows"])
    return next((method for since, method in rows if version >= since), SPAWN)
