"""Readers of the pools of packages that have tables, as `adapters` says of all readers."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable
from types import ModuleType

from ...knowledge.envvars import threads_in
from ...machine.port.rows import THREAD_NAMES
from ...machine.python.own import affinity_cpus
from .answers import attribute, count, positive
from .poolcontext import Context, Size


def _arrow(
    module: ModuleType, context: Context, symbol: str, getter: str, idle: Callable[[Context], Size]
) -> Size:
    """Ask a getter of pyarrow when its pool exists.

    ``cpu_count()`` and ``io_thread_count()`` start no thread, but create the pool object, which
    freezes OMP_NUM_THREADS, OMP_THREAD_LIMIT and ARROW_IO_THREADS (26): set to 5 and 3 after
    the import, they were 5 and 3, and 2 and 8 when it was asked before. Whether the object
    exists is seen in memory, with 17, 21 and 26.
    """
    library = getattr(sys.modules.get("pyarrow.lib"), "__file__", None)
    exists = context.has_started(symbol, lambda: context.static_exists(library, symbol))
    if exists:
        return Size(num_threads=count(attribute(module, getter)()))
    if exists is None:
        return Size(note=f"not asked: pyarrow.{getter}() creates the pool where there is none")
    return idle(context)


def arrow_cpu(module: ModuleType, context: Context) -> Size:
    """Give Arrow's CPU pool, from cpp/src/arrow/util/thread_pool.cc, GetCpuThreadPool."""
    symbol = "_ZN5arrow8internal16GetCpuThreadPoolEv"
    return _arrow(module, context, symbol, "cpu_count", _arrow_cpu_idle)


def _arrow_cpu_idle(context: Context) -> Size:
    """Give what DefaultCapacity in thread_pool.cc will say.

    Without a variable it is std::thread::hardware_concurrency: the CPUs online with 17 and 21,
    those of the affinity mask with 26.
    """
    first = positive(context.getenv("OMP_NUM_THREADS"), STOI)
    limit = positive(context.getenv("OMP_THREAD_LIMIT"), STOI)
    if first is None:
        first = affinity_cpus()
        if first is None or first != os.sysconf("SC_NPROCESSORS_ONLN"):
            return Size(note="not asked: pyarrow.cpu_count() would create the pool")
    return Size(would_use=min(first, limit or first))


STOI = r"\s*\+?(\d{1,9})(?:\D.*)?"
"""What std::stoi makes a positive number of: " 7x" is 7."""


def arrow_io(module: ModuleType, context: Context) -> Size:
    """Give Arrow's I/O pool, from cpp/src/arrow/io/interfaces.cc, GetIOThreadPool.

    ARROW_IO_THREADS if it is a positive number, else 8; "0", "-1" and " 7x" gave 8 (26).
    """
    symbol = "_ZN5arrow2io8internal15GetIOThreadPoolEv"
    number = positive(context.getenv("ARROW_IO_THREADS")) or 8
    return _arrow(module, context, symbol, "io_thread_count", lambda _: Size(would_use=number))


def polars(module: ModuleType, context: Context) -> Size:
    """Ask ``polars.thread_pool_size()`` once a thread of the pool is there to be seen.

    It starts the pool: two threads "polars-0" and "polars-1" more, and until 1.38 it freezes
    POLARS_MAX_THREADS, which is read at first use. 2.1 reads it, and the CPUs, at import.
    """
    size = attribute(module, "thread_pool_size", "threadpool_size")
    if context.machine.system.lacks(THREAD_NAMES):
        return Size(note="not asked: polars.thread_pool_size() starts the pool")
    if context.has_started("polars", lambda: any(map(_POLARS, context.thread_names()))):
        return Size(num_threads=count(size()))
    value, note = context.getenv("POLARS_MAX_THREADS"), ""
    if "config_reload_env_vars" in vars(sys.modules.get("polars._plr", module)):
        if value != context.at_exec("POLARS_MAX_THREADS"):
            return Size(note="not asked: polars read POLARS_MAX_THREADS at import, as it was then")
        note = "read at import: if its CPUs are those it had then"
    number = positive(value)
    if number is not None:
        return Size(would_use=number)
    cpus = affinity_cpus()
    if cpus is None or (value is not None and not note):
        return Size(note=f"not asked: polars makes nothing of POLARS_MAX_THREADS={value!r:.40}")
    # std::thread::available_parallelism: affinity, and the CPU quota rounded down.
    quota = context.quota_cpus
    return Size(would_use=cpus if quota is None else max(1, min(cpus, int(quota))), note=note)


_POLARS = re.compile(r"polars-\d+").fullmatch


def duckdb(_module: ModuleType, context: Context) -> Size:
    """Give what a database has that was told no number.

    That is SLURM_CPUS_ON_NODE, else the quota rounded up, else the CPUs online (2.0.1: 2 on one
    of two CPUs, 1 for half a CPU, 2 for 1.2). Asking takes a query on a connection, which would
    end one that is under way there, and ``duckdb.default_connection()`` makes a database.
    """
    workers = context.owned.get("duckdb")
    name = "SLURM_CPUS_ON_NODE"
    slurm = threads_in("duckdb", name, context.getenv(name) or "")
    if slurm is not None:
        return Size(would_use=slurm, workers=workers)
    cpus, quota = context.machine_cpus, context.quota_cpus
    if cpus is not None and quota is not None:
        cpus = max(1, min(cpus, math.ceil(quota)))
    return Size(would_use=cpus, workers=workers)
