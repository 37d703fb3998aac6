"""Whose threads worked in a limited stretch, and whether that is more than its limit allows."""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..facts.limits import Limit
from ..facts.overruns import Overrun, Passing
from ..knowledge.passed import ARGUMENTS, obeys
from ..knowledge.spinning import spinning_s
from ..machine.python.calls import call_get
from ..machine.python.own import lies_in, real_path
from ..probes.observe import Observer
from ..probes.runtimes.images import Image
from ..probes.runtimes.pools import provider_of
from ..probes.threads.stacks import ThreadOwners
from .dials import Dial, PackageDial, RuntimeDial

_OMP = "omp_get_max_threads"
_PACKAGE_S = 0.1
_CALLS_S = 0.001
_OUTSIDE_SHARE = 0.2
_AT_ONCE = 1.05


class Pools(Protocol):
    """Who knows the pools that can be set."""

    dials: dict[Hashable, Dial]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the threads did in a stretch.

    Parameters
    ----------
    used_ns
        CPU time of each thread but the one that ran the stretch.
    limited
        Those that are under its limit.
    caller_ns
        CPU time of the thread that ran it.
    starts
        Python threads that were started in it under a limit.
    wall_s
        How long it took.
    """

    used_ns: Mapping[int, int]
    limited: frozenset[int]
    caller_ns: int
    starts: int
    wall_s: float


class Judge:
    """Compares what worked with what was allowed.

    Parameters
    ----------
    observer, pools
        The process, and its pools.
    """

    def __init__(self, observer: Observer, pools: Pools) -> None:
        self._observer = observer
        self._pools = pools
        self._owners = ThreadOwners(observer.machine, observer.native)

    def overruns(
        self, limit: Limit, allowed: Mapping[Hashable, int], seen: Seen
    ) -> tuple[Overrun, ...] | None:
        """Give the pools that worked with more threads than allowed; None when nobody can tell.

        Parameters
        ----------
        limit
            What a status says of the limit.
        allowed
            Threads by pool.
        seen
            What the threads did.
        """
        used = {tid: ns for tid, ns in seen.used_ns.items() if ns >= _CALLS_S * 1e9}
        by_path, python = self._owned(used)
        busiest = max((ns for each in by_path.values() for ns in each), default=0)
        mine = python & seen.limited
        # Who calls a region works in it: a thread outside that did may be the workers' caller.
        if any(used[tid] >= _OUTSIDE_SHARE * busiest for tid in python - mine):
            return None
        # Some may be counted twice; those that have ended are known by their number alone.
        callers = 1 + seen.starts + len(mine)
        found = []
        for dial, threads, worked in self._more(allowed, by_path, callers, seen.wall_s):
            raised = self._raised(allowed)
            if isinstance(dial, RuntimeDial) and dial.per_thread:
                if len(worked) <= (max(threads, raised) - 1) * callers:
                    continue
                # Teams of one inside teams of one are one thread, however deep.
                if threads > 1 and self._nests(dial.image):
                    continue
            elif raised:
                continue
            calling = 1 + max(seen.starts, len(mine)) if isinstance(dial, RuntimeDial) else 0
            found.append(
                Overrun(
                    pool=dial.label,
                    path=_path(dial),
                    allowed=threads,
                    worked=len(worked) + calling,
                    callers=max(1, calling),
                    cpu_s=sum(worked) / 1e9,
                    caller_cpu_s=seen.caller_ns / 1e9,
                    spec=limit.spec,
                    set_by=limit.set_by,
                    passing=self._passing(dial.image) if isinstance(dial, RuntimeDial) else (),
                )
            )
        return tuple(found)

    def _owned(self, used: Mapping[int, int]) -> tuple[dict[str, list[int]], set[int]]:
        """Give the CPU times by the file that owns the threads, and Python's threads."""
        segments = self._observer.scan().segments
        by_path: dict[str, list[int]] = {}
        python: set[int] = set()
        for tid, owner in (self._owners.of(used, segments) if segments else {}).items():
            if owner is not None and owner.path is None:
                python.add(tid)
            elif owner is not None and owner.path is not None:
                by_path.setdefault(owner.path, []).append(used[tid])
        return by_path, python

    def _more(
        self,
        allowed: Mapping[Hashable, int],
        by_path: Mapping[str, list[int]],
        callers: int,
        wall_s: float,
    ) -> list[tuple[Dial, int, list[int]]]:
        """Give the pools of which more threads worked: with the number allowed, and their times."""
        native = self._observer.native
        found: list[tuple[Dial, int, list[int]]] = []
        for key, dial in self._pools.dials.items():
            if key not in allowed or native is None:
                continue
            threads = allowed[key]
            if isinstance(dial, RuntimeDial):
                least_s = spinning_s(dial.image.family.key, native.getenv)
                times = by_path.get(_path(dial), [])
                # OpenMP gives each thread that calls it a team of its own.
                free = (threads - 1) * (callers if dial.per_thread else 1)
                proven = dial.per_thread or free == 0
            elif isinstance(dial, PackageDial) and dial.pool.module not in ("torch", "lightgbm"):
                least_s = _PACKAGE_S
                total = self._of_package(dial, allowed)
                if total is None:
                    continue
                # Whether the caller works too differs from package to package.
                free, proven, threads = total, False, total
                times = [ns for path in by_path if _is_in(dial, path) for ns in by_path[path]]
            else:
                continue
            worked = [ns for ns in times if least_s is not None and ns >= least_s * 1e9]
            # Others may have taken turns: more CPU time than they could have had is a proof.
            proven = proven or sum(worked) > _AT_ONCE * free * wall_s * 1e9
            if len(worked) > free and proven:
                found.append((dial, threads, worked))
        return found

    def _of_package(self, dial: PackageDial, allowed: Mapping[Hashable, int]) -> int | None:
        """Give the threads of all pools that a package has; None when one is not limited."""
        total = 0
        for key, each in self._pools.dials.items():
            if isinstance(each, PackageDial) and each.pool.module == dial.pool.module:
                if key not in allowed:
                    return None
                total += allowed[key]
        # Told of the first one alone.
        first = next(
            each
            for each in self._pools.dials.values()
            if isinstance(each, PackageDial) and each.pool.module == dial.pool.module
        )
        return total if first is dial else None

    def _raised(self, allowed: Mapping[Hashable, int]) -> int:
        """Give the greatest count that code in the stretch gave a pool past its limit, or 0."""
        most = 0
        for key, dial in self._pools.dials.items():
            if key in allowed:
                count = dial.count()
                most = max(most, count if count is not None and count > allowed[key] else 0)
        return most

    def _nests(self, image: Image) -> bool:
        """Tell whether regions inside regions may have teams: then a count bounds no total.

        libgomp before GCC 11 has any number of levels and a switch (libgomp/libgomp.h, nest_var);
        LLVM's says a line on stderr when it is asked for the switch, and needs it not.
        """
        native = self._observer.native
        names = (("omp_get_max_active_levels",), ("omp_get_nested",))
        found = native.symbols(image.mapped.path, image.mapped.starts, names) if native else None
        if found is None or found[0] is None or call_get(found[0]) <= 1:
            return False
        switch = found[1] if image.family.key == "libgomp" else None
        return switch is None or bool(call_get(switch))

    def _passing(self, image: Image) -> tuple[Passing, ...]:
        """Give the loaded packages that call a runtime and pass numbers of their own."""
        scan, native = self._observer.scan(), self._observer.native
        provides = provider_of(native, scan.images) is image
        found = []
        for each in ARGUMENTS:
            module = sys.modules.get(each.module)
            file = getattr(module, "__file__", None)
            if file is None or native is None or each.name in self._pools.dials:
                continue
            if obeys(each, str(getattr(module, "__version__", ""))):
                continue
            folder = real_path(os.path.dirname(file))
            for mapped in scan.mapped:
                if not lies_in(mapped.path, folder):
                    continue
                address = native.dependency_symbol(mapped.path, _OMP)
                base = native.base_of(address) if address is not None else None
                if base is not None and (provides or base == image.base):
                    found.append(Passing(name=each.name, arguments=each.arguments))
                    break
        return tuple(found)


def _path(dial: Dial) -> str:
    """Give the file that owns a pool's threads, as the kernel names it."""
    if isinstance(dial, RuntimeDial):
        return dial.image.kernel_path or dial.image.mapped.path
    return dial.label


def _is_in(dial: PackageDial, path: str) -> bool:
    """Tell whether a file is one of a package's."""
    file = getattr(sys.modules.get(dial.pool.module), "__file__", None)
    if not file:
        return False
    folder = real_path(os.path.dirname(file))
    return lies_in(path, folder) or lies_in(path, f"{folder}.libs")
