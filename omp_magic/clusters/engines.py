"""Which engine a client is of: a row for each, found by the module that it must have imported."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from ..errors import RequestError
from .port import Engine

ROWS: tuple[tuple[str, str], ...] = (
    ("distributed", "dask"),
    ("ipyparallel", "ipyparallel"),
    ("ray", "ray"),
    ("joblib", "joblib"),
    ("multiprocessing.pool", "executors"),
    ("concurrent.futures", "executors"),
)
"""The module that the client's class is from, and the adapter, a file of this room.

An adapter has `engine_of(client) -> Engine | None`.
"""

_ACCEPTED = (
    "a client of Dask's distributed or ipyparallel, ray, joblib, a pool of processes or threads"
)
_EXAMPLE = "omp_magic.cluster(distributed.Client())"


def engine_of(client: object, example: str = _EXAMPLE) -> Engine:
    """Give the engine that a client belongs to.

    Raises
    ------
    RequestError
        When it is of none that is known.
    """
    for module, adapter in ROWS:
        if module in sys.modules:
            of: Any = import_module(f"{__package__}.{adapter}").engine_of
            engine: Engine | None = of(client)
            if engine is not None:
                return engine
    name = f"{type(client).__module__}.{type(client).__qualname__}".removeprefix("builtins.")
    raise RequestError(name, _ACCEPTED, example)
