"""Threads that belong to no pool with a row: each library that has some is a pool of its own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping

from ...facts.libraries import Pool
from ...facts.processes import ThreadOwner
from ...knowledge.shippers import SHIPPERS, module_of, serves
from ...knowledge.strangers import BY_MODULE, stranger_of

_LEAST_THREADS = 2
"""One thread alone keeps time, collects garbage or waits; it is no pool."""
_FOLDER = re.compile(rf"/({'|'.join(SHIPPERS)})(\.libs)?/")


def owned_by(owners: Iterable[ThreadOwner]) -> dict[str, int]:
    """Count the threads of each package of `strangers.BY_MODULE`, by its module."""
    found: dict[str, int] = {}
    for owner in owners:
        row = stranger_of(owner.package, os.path.basename(owner.path))
        if row is not None and row.own_pools:
            found[row.module] = found.get(row.module, 0) + owner.num_threads
    return found


def unreached_packages(owned: Mapping[str, int]) -> tuple[Pool, ...]:
    """Give the loaded packages with a row of `adapters` that no limit reaches, without sizes.

    Parameters
    ----------
    owned
        As `owned_by` gives it.
    """
    return tuple(
        Pool(
            name=row.label,
            family=module,
            api="python",
            library=module,
            num_threads=None,
            would_use=None,
            scope="process",
            workers=owned.get(module),
            each=row.each,
            own_switch=row.switch,
        )
        for module, row in BY_MODULE.items()
        if row.own_pools and module in sys.modules
    )


def strange_pools(
    owners: Iterable[ThreadOwner], known: Collection[str], holders: Collection[str] = ()
) -> tuple[Pool, ...]:
    """Give a pool for each library that owns threads and is in no table of pools.

    Parameters
    ----------
    owners
        The owners of live threads.
    known
        Files of the OpenMP and BLAS runtimes, as the kernel names them.
    holders
        Files that a runtime is linked into: whose their threads are is not told by the file, so
        that only what a row says of them counts (libgomp is in OpenVINO 2026.4's largest file).

    Returns
    -------
    tuple of Pool
        Of the API ``"unknown"``, the one with most threads first. Those that serve the kernel,
        sockets or a screen are left out.
    """
    found: dict[str, Pool] = {}
    for owner in sorted(owners, key=lambda each: -each.num_threads):
        file_name = os.path.basename(owner.path)
        row = stranger_of(owner.package, file_name)
        if owner.path in known or serves(owner.package, file_name):
            continue
        if row is None:
            if owner.path in holders:
                continue
            has_rows = module_of(owner.package) or (
                owner.package is None and _FOLDER.search(owner.path)
            )
            if has_rows or owner.num_threads < _LEAST_THREADS:
                continue
            stem = file_name.partition(".")[0] or file_name
            name = f"{stem} ({owner.package})" if owner.package else file_name
            found[owner.path] = _pool(name, owner, switch="")
        elif not row.own_pools:
            before = found.get(row.label)
            more = before.workers or 0 if before is not None else 0
            found[row.label] = _pool(
                row.label, owner, row.switch, more, before.library if before else owner.path
            )
    return tuple(found.values())


def _pool(name: str, owner: ThreadOwner, switch: str, more: int = 0, path: str = "") -> Pool:
    return Pool(
        name=name,
        family=owner.package or os.path.basename(owner.path),
        api="unknown",
        library=path or owner.path,
        num_threads=None,
        would_use=None,
        scope="process",
        workers=owner.num_threads + more,
        own_switch=switch,
    )
