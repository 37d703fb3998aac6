"""What adapters of Python packages' pools may look at; nothing here starts or sets anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...facts.libraries import Library
from ...knowledge.catalog import answers_for
from ...machine import Machine
from ...machine.port.native import Native
from ...machine.port.rows import THREAD_NAMES

_OMP_SYMBOL = "omp_get_max_threads"
_CODE_BYTES = 16
_GUARD = re.compile(rb"(?:\xf3\x0f\x1e\xfa)?\x0f\xb6\x05(.{4})\x84\xc0(?:\x74|\x0f\x84)", re.DOTALL)
"""x86-64: [endbr64;] movzx eax, byte [rip + offset]; test al, al; je."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What an adapter found out; the fields are those of `facts.Pool`."""

    num_threads: int | None = None
    would_use: int | None = None
    scope: str = "process"
    lender: str = ""
    taken: tuple[tuple[str, str], ...] = ()
    layer: str = ""
    note: str = ""
    workers: int | None = None


@dataclass(slots=True)
class Kept:
    """What one look leaves to the next.

    Parameters
    ----------
    started
        Pools that have started, which none takes back.
    guards
        Address of each guard byte that was looked for, or None.
    lenders
        Paths of the OpenMP runtimes that a library may call, by its path and those of the
        runtimes that there are.
    at_exec
        The environment at the start of the process, once it was needed.
    tids, names, settled
        OS threads at the last look, their names, and whether these were read twice: a thread
        is listed before it has given itself its name.
    """

    started: set[str] = field(default_factory=set)
    guards: dict[str, int | None] = field(default_factory=dict)
    lenders: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    at_exec: dict[str, str] | None = None
    tids: tuple[int, ...] = ()
    names: dict[str, int] = field(default_factory=dict)
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One look at the pools of Python packages.

    Parameters
    ----------
    machine, native
        The running process; `native` is None where it cannot be called.
    libraries
        The OpenMP and BLAS runtimes of this look.
    quota_cpus
        CPU quota in CPUs, or None when there is none.
    busy
        Files known to have OS threads of their own.
    on_main
        Whether the thread that looks is the main thread.
    kept
        What earlier looks left.
    owned, physical_cpus, machine_cpus
        Threads by module, as `strangers.owned_by` gives them; cores and CPUs online.
    """

    machine: Machine
    native: Native | None
    libraries: tuple[Library, ...]
    quota_cpus: float | None
    busy: frozenset[str]
    on_main: bool
    kept: Kept
    owned: Mapping[str, int] = field(default_factory=dict)
    physical_cpus: int | None = None
    machine_cpus: int | None = None

    def getenv(self, name: str) -> str | None:
        """Give a variable as native code reads it."""
        if self.native is not None:
            return self.native.getenv(name)
        return self.machine.environ.get(name)

    def at_exec(self, name: str) -> str | None:
        """Give a variable as it was when the process started.

        Raises
        ------
        OSError
            When that cannot be read.
        """
        if self.kept.at_exec is None:
            self.kept.at_exec = self.machine.system.variables_at_start()
        return self.kept.at_exec.get(name)

    def has_started(self, key: str, look: Callable[[], bool | None]) -> bool | None:
        """Tell whether a pool has started, as `look` says until it has; None when unknown."""
        if key in self.kept.started:
            return True
        started = look()
        if started:
            self.kept.started.add(key)
        return started

    def thread_names(self) -> dict[str, int]:
        """Count the OS threads by name; they are read anew when others are there (10 us each)."""
        kept = self.kept
        system = self.machine.system
        if system.lacks(THREAD_NAMES):
            return {}
        tids = system.thread_ids()
        if tids == kept.tids and kept.settled:
            return kept.names
        kept.settled, kept.tids = tids == kept.tids, tids
        names: dict[str, int] = {}
        for tid in tids:
            try:
                name = system.thread_name(tid)
            except OSError:
                continue  # it has ended meanwhile
            names[name] = names.get(name, 0) + 1
        kept.names = names
        return names

    def static_exists(self, path: str | None, function: str) -> bool | None:
        """Tell whether the static variable that a C++ function begins with has been made.

        The function first tests the variable's guard, whose first byte is not 0 once it is
        made (Itanium C++ ABI, 3.3.3): the address of that byte stands in its first
        instruction, which is read and not run.

        Parameters
        ----------
        path
            A loaded library that has the function or was linked with what has it.
        function
            The mangled name.

        Returns
        -------
        bool or None
            None when it cannot be known: another processor, other instructions.
        """
        guards = self.kept.guards
        try:
            if function not in guards:
                guards[function] = self._guard(path, function)
            guard = guards[function]
            return None if guard is None else self.machine.read_memory(guard, 1) != b"\0"
        except OSError:
            return None

    def _guard(self, path: str | None, function: str) -> int | None:
        if self.native is None or path is None:
            return None
        address = self.native.dependency_symbol(path, function)
        if address is None:
            return None
        match = _GUARD.match(self.machine.read_memory(address, _CODE_BYTES))
        if match is None:
            return None
        # The offset counts from the end of the instruction, which ends with it.
        return address + match.end(1) + int.from_bytes(match[1], "little", signed=True)

    def lenders(self, path: str | None, symbol: str) -> tuple[Library, ...]:
        """Give the OpenMP runtime that a loaded library calls, or all that it may call.

        It was linked with one. Another in the global scope answers instead if it was there
        first, as torch's is after ``import torch``: Python has all symbols bound when a library
        is loaded. So the loader's log of bindings has it for faiss 1.15, imported before torch
        2.13 and after it.

        Parameters
        ----------
        path, symbol
            The library, and a symbol of its own.
        """
        openmp = [library for library in self.libraries if library.api == "openmp"]
        serving = next((library for library in openmp if library.serves), None)
        key = (path or "", serving.path if serving else "", *(each.path for each in openmp))
        if key not in self.kept.lenders:
            # Kept: the loader knows a wheel's runtime by another path, and compares files (30 us).
            found = self._lenders(path, symbol, openmp, serving)
            self.kept.lenders[key] = tuple(library.path for library in found)
        paths = self.kept.lenders[key]
        return tuple(library for library in openmp if library.path in paths)

    def _lenders(
        self, path: str | None, symbol: str, openmp: list[Library], serving: Library | None
    ) -> list[Library]:
        native = self.native
        address = native.dependency_symbol(path, _OMP_SYMBOL) if native and path else None
        if native is None or path is None or address is None:
            return openmp
        own = next(
            (
                each
                for each in openmp
                if native.dependency_symbol(each.path, _OMP_SYMBOL) == address
            ),
            None,
        )
        if own is None:
            return openmp
        if serving is None or serving is own or not answers_for(serving.kin, own.kin):
            return [own]
        ends = native.dependency_symbol(path, symbol), native.global_symbol(_OMP_SYMBOL)
        bases = [native.base_of(end) if end is not None else None for end in ends]
        order = native.load_order(self.machine.read_memory)
        if bases[0] not in order or bases[1] not in order:
            return [own, serving]
        return [serving if order.index(bases[1]) < order.index(bases[0]) else own]


def lent(libraries: tuple[Library, ...]) -> Size:
    """Give the size of a pool that is an OpenMP runtime's: `Context.lenders`."""
    if not libraries:
        return Size(scope="thread", note="not asked: its OpenMP runtime is not known")
    library = libraries[-1]
    note = f"its threads are those of {' or '.join(each.title for each in libraries)}"
    if len({(each.num_threads, each.would_use) for each in libraries}) > 1:
        return Size(scope="thread", note=f"{note}, which is not known, and they differ")
    return Size(
        num_threads=library.num_threads,
        would_use=library.would_use,
        scope="thread",
        lender=library.path,
        note=f"{note}; {library.note}" if library.note else note,
    )
