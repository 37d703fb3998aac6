"""Pools of Python packages that a limit leaves alone, and variables that it must."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from types import ModuleType

from ..machine import Machine
from ..probes.packages.adapters import ADAPTERS
from ..probes.packages.poolcontext import Context, Kept, Size

HIDDEN_AT_IMPORT: Mapping[str, tuple[str, ...]] = {
    "torch": ("MKL_NUM_THREADS", "OMP_NUM_THREADS"),
    "numexpr": ("NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS"),
}
"""Variables that fix a count while the package is imported, which a dial could then only guess:
libgomp and MKL keep them for threads to come. A limit's values are to be out of the way then."""

HIDDEN_WHILE_LOADED: Mapping[str, tuple[str, ...]] = {
    "numba": ("NUMBA_NUM_THREADS",),
    "polars": ("POLARS_MAX_THREADS",),
    "tensorflow": ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
}
"""Variables that a limit must leave alone from the start of the package's import on.

numba reads its variable at import (numba/core/config.py, and parallel.py from there) and again
whenever it compiles after the environment has changed (core/compiler.py, reload_config): once the
threads are launched another value makes each compilation raise RuntimeError (0.68). The pools of
the others keep for good what they find at import or at first use."""

FIXED_AT_IMPORT = ("polars", "tensorflow")
"""Packages that a limit can reach in child processes only."""


def fixed(modules: Mapping[str, ModuleType] = sys.modules) -> tuple[str, ...]:
    """Say which loaded pools cannot be limited now, and what to do about each.

    No pool is started for it. 0.3 us when none of the packages is loaded.

    Parameters
    ----------
    modules
        The modules that are loaded.

    Returns
    -------
    tuple of str
        One line a pool.
    """
    lines = []
    if "polars" in modules:
        lines.append(
            f"polars keeps {_its_threads('polars')}: its pool cannot be changed once polars is "
            "imported; set POLARS_MAX_THREADS before the import"
        )
    if "tensorflow" in modules:
        lines.append(
            f"tensorflow keeps {_its_threads('tensorflow intra-op')} within an operation and "
            f"{_its_threads('tensorflow inter-op')} across: its first operation fixes them for "
            "good; call tf.config.threading.set_intra_op_parallelism_threads before it"
        )
    if "torch" in modules:
        lines.append(
            "torch keeps its threads across operations (inter-op): their number can be set once; "
            "call torch.set_num_interop_threads before their first use"
        )
    return tuple(lines)


def _its_threads(name: str) -> str:
    number = _size(name)
    if number is None:
        return "its threads"
    return f"its {number} thread{'' if number == 1 else 's'}"


_kept = Kept()


def _size(name: str) -> int | None:
    """Give the size of a pool where it is certain without starting it, else None."""
    adapter = next(each for each in ADAPTERS if each.name == name)
    context = Context(
        machine=Machine.here(),
        native=None,
        libraries=(),
        quota_cpus=None,
        busy=frozenset(),
        on_main=threading.current_thread() is threading.main_thread(),
        kept=_kept,
    )
    try:
        size: Size = adapter.read(sys.modules[adapter.module], context)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - Rust's panics are no Exception
        return None
    if size.num_threads is not None:
        return size.num_threads
    # Without a variable it counts CPUs at a moment of its own, a quota among them.
    given = any(variable in os.environ for variable in adapter.variables)
    return size.would_use if given else None
