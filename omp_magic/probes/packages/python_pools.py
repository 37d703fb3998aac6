"""Pools that live in Python packages, and those that other packages tell of by an entry point.

Only modules in ``sys.modules`` are looked at, and nothing is imported for it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from ...facts.libraries import Gap, Library, Pool
from ...machine import Machine
from ...machine.port.native import Native
from .adapters import ADAPTERS, Adapter
from .answers import count
from .poolcontext import Context, Kept

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "omp_magic.pools"
"""Entry points: the name is the module to look for, the object a function of that module that
gives its pools, as `Pool` or as (name, number of threads)."""

IMPORTED: set[str] = set()
"""Packages whose import has ended, though Python still marks it as going on."""


class PythonPools:
    """Reads the pools of Python packages, and keeps what cannot have changed between two looks.

    A look costs 1 us when none of the packages is loaded. The first one also lists the entry
    points: 6 ms, and 20 more where importlib.metadata is not loaded yet. Packages installed
    later are not seen.

    Parameters
    ----------
    machine, native
        The process; `native` is None where it cannot be called.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._machine = machine
        self._native = native
        self._kept = Kept()
        self._extras: list[_Extra] | None = None
        self._lasting: list[Gap] = []

    def pools(  # noqa: PLR0913 - each is a fact of its own
        self,
        libraries: tuple[Library, ...],
        gaps: list[Gap],
        *,
        quota_cpus: float | None = None,
        physical_cpus: int | None = None,
        machine_cpus: int | None = None,
        busy: Collection[str] = (),
        owned: Mapping[str, int] = MappingProxyType({}),
    ) -> tuple[Pool, ...]:
        """Give the pools of the packages that are loaded.

        Parameters
        ----------
        libraries
            The OpenMP and BLAS runtimes of this moment, whose threads some of them use.
        gaps
            Receives what could not be read; nothing is raised for it.
        quota_cpus
            CPU quota in CPUs, or None when there is none.
        physical_cpus, machine_cpus
            Cores and CPUs of the machine that are online; None when not known.
        busy
            Files known to have OS threads of their own, where that is known.
        owned
            Threads by module, as in `Context`.

        Returns
        -------
        tuple of Pool
            Those of `ADAPTERS` in its order, then those of entry points.
        """
        if not self._machine.live:
            return ()
        context: Context | None = None
        found: list[Pool] = []
        for adapter in ADAPTERS:
            module = sys.modules.get(adapter.module)
            if module is None or _put_off(module):
                continue
            if context is None:
                context = Context(
                    machine=self._machine,
                    native=self._native,
                    libraries=libraries,
                    quota_cpus=quota_cpus,
                    busy=frozenset(busy),
                    on_main=threading.current_thread() is threading.main_thread(),
                    kept=self._kept,
                    owned=owned,
                    physical_cpus=physical_cpus,
                    machine_cpus=machine_cpus,
                )
            try:
                found.append(_read(adapter, module, context))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - Rust's panics are no Exception
                gaps.append(Gap(what=f"threads of {adapter.name}", why=_why(error)))
        if self._extras is None:
            self._extras = self._listed()
        for extra in self._extras:
            found.extend(extra.pools(gaps))
        gaps.extend(self._lasting)
        return tuple(found)

    def _listed(self) -> list[_Extra]:
        try:
            # Imported here: 30 ms where nothing else has, and once only.
            from importlib.metadata import entry_points  # noqa: PLC0415

            return [_Extra(entry) for entry in entry_points(group=GROUP)]
        except Exception as error:  # noqa: BLE001 - the metadata of any package may be broken
            self._lasting.append(Gap(what="pools of other packages", why=_why(error)))
            return []


class _Extra:
    """An entry point: loaded when its module is there, and left alone after a failure."""

    def __init__(self, entry: EntryPoint) -> None:
        self._entry = entry
        self._function: Callable[[ModuleType], Iterable[object]] | None = None
        self._failed: Gap | None = None

    def pools(self, gaps: list[Gap]) -> tuple[Pool, ...]:
        """Give what it tells of; its failure is a gap in this look and in all that follow."""
        name = self._entry.name
        module = sys.modules.get(name)
        if module is None or _put_off(module) or not is_whole(name, module):
            return ()
        if self._failed is None:
            try:
                if self._function is None:
                    self._function = self._entry.load()
                return tuple(_pool(name, told) for told in self._function(module))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - code of others: it may raise anything
                where = f"entry point {self._entry.value}"
                self._failed = Gap(what=f"threads of {name}", why=_why(error), where=where)
        gaps.append(self._failed)
        return ()


def _read(adapter: Adapter, module: ModuleType, context: Context) -> Pool:
    if not is_whole(adapter.module, module):
        raise LookupError("its import has not ended")
    size = adapter.read(module, context)
    return Pool(
        name=adapter.name,
        family=adapter.module,
        api="python",
        library=adapter.module,
        num_threads=size.num_threads,
        would_use=size.would_use,
        scope=size.scope,
        lender=size.lender,
        variables=adapter.variables,
        for_io=adapter.for_io,
        taken=size.taken,
        layer=size.layer,
        note=size.note,
        workers=size.workers,
        each=adapter.each,
        own_switch=adapter.own_switch,
    )


def _pool(module: str, told: object) -> Pool:
    if isinstance(told, Pool):
        return told
    if not isinstance(told, tuple) or len(told) != 2 or not isinstance(told[0], str):
        raise TypeError(f"neither a Pool nor a name and a number: {told!r:.80}")
    return Pool(
        name=told[0],
        family=module,
        api="python",
        library=module,
        num_threads=None if told[1] is None else count(told[1]),
        would_use=None,
        scope="process",
    )


def _put_off(module: ModuleType) -> bool:
    """Tell whether the module is one that its first attribute would import (LazyLoader)."""
    util = sys.modules.get("importlib.util")
    # Its type, since isinstance may ask for __class__, and any attribute runs the import.
    return util is not None and issubclass(type(module), util._LazyModule)  # noqa: SLF001 - no other sign


def is_whole(name: str, module: ModuleType) -> bool:
    """Tell whether a module that may be in the middle of its import has run to its end."""
    # importlib/_bootstrap.py, _find_and_load: set while a module's code runs.
    going_on = getattr(vars(module).get("__spec__"), "_initializing", False)
    return name in IMPORTED or not going_on


def _why(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:200]
    except Exception:  # noqa: BLE001 - an error of others that cannot be put into words
        return type(error).__name__
