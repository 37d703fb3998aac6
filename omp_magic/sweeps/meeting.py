"""What runs in the workers besides the user's function; it goes there by its name.

A worker imports this module alone of the sweep's: it has the standard library only.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PATIENCE_S = 60.0
_LOOK_S = 0.002


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """The initializer of the workers: a limit, and a Ctrl-C is the parent's affair.

    The interrupt of a terminal or a kernel reaches all processes of a group. The parent ends its
    pool; a traceback of each worker would only hide what happened.

    Parameters
    ----------
    limits
        Limits the worker's pools.
    """

    limits: Callable[[], object]

    def __call__(self) -> None:
        """Begin a worker."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.limits()


def first_call(fn: Callable[[Any], object], item: object, folder: str, number: int) -> int:
    """Call a function once in each worker, and give the worker's pid.

    It waits until as many workers have come as there are, so that none of them gets two of these
    calls; after a minute it goes on without those that did not come.

    Parameters
    ----------
    fn, item
        What is called.
    folder
        Where each leaves a file.
    number
        How many workers there are.
    """
    Path(folder, f"{os.getpid()}-{threading.get_ident()}").touch()
    until_s = time.monotonic() + _PATIENCE_S
    while len(os.listdir(folder)) < number and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
    fn(item)
    return os.getpid()


def take(_item: object) -> None:
    """Take an item: what is left is the price of sending it."""


def give_back(item: Any) -> Any:
    """Take an item and give it as a result."""
    return item
