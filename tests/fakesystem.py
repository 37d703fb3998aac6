"""A fourth system: a process as it was recorded on another one, for tests of what stands above.

`tests/data/windows` was recorded by a real CPython 3.11 for Windows under Wine 8.0, with NumPy
2.4.6, SciPy 1.17.1, scikit-learn 1.9.1 (and its Microsoft vcomp140) and two copies of intel-openmp
2021.4.0's libiomp5md.dll, A used and B loaded after it; in "masked" KMP_DUPLICATE_LIB_OK was set
and B was used too. Memory is what lies within 1 kB of the runtimes' registration flags.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from places import DATA

from omp_magic.formats.procfs import Mapped, Segments
from omp_magic.machine import Machine
from omp_magic.machine.port.cpurows import CGROUPS, Cores, CpuLimit
from omp_magic.machine.port.native import ExitMark, Native, Relatives, Starts, Variables
from omp_magic.machine.port.rows import Memory, MemoryUse, Process, ProcessMap, Symbols, ThreadRow
from omp_magic.machine.windows.cpus import parse_cores

_GETTERS = ("omp_get_max_threads", "openblas_get_num_threads", "scipy_openblas_get_num_threads64_")
_KIND = ctypes.CFUNCTYPE(ctypes.c_int)


class _Nobody:
    """No descendants; see `native.Relatives`."""

    unasked = 0

    def forget(self) -> None:
        pass

    def pids(self) -> set[int]:
        return set()

    def one(self, pid: int) -> tuple[Process, float | None] | None:
        raise AssertionError(pid)


class Recorded:
    """A recorded process; see `port.System`, `native.Native` and `native.Starts`."""

    name = "windows"
    long_bytes = 4
    has_global_scope = False

    def __init__(
        self, recording: str, environ: Mapping[str, str] | None = None, **changes: Any
    ) -> None:
        text = (DATA / "windows" / f"{recording}.json").read_text("utf-8")
        self.record: dict[str, Any] = {**json.loads(text), **changes}
        self.environ = dict(environ or {})
        name = f"__KMP_REGISTERED_LIB_{os.getpid()}"
        self.environ.setdefault(name, self.record["registration"])
        self.reasons: dict[str, str] = {CGROUPS: "Windows has no cgroups"}
        self.limits: tuple[CpuLimit, ...] = ()
        self.asked: list[str] = []
        """Functions of libraries that were called."""
        self._calls: dict[str, Any] = {}

    def machine(self) -> Machine:
        """Give it as the running process."""
        return Machine(environ=self.environ, system=lambda _: self)

    def lacks(self, what: str) -> str:
        return self.reasons.get(what, "")

    def native(self) -> Native:
        return self

    def process_map(self, process: int | None = None) -> ProcessMap:
        assert process is None
        rows = [(base, size, path) for base, size, path in self.record["modules"]]
        mapped = tuple(Mapped(path, "", 0, (base,), deleted=False) for base, _, path in rows)
        return ProcessMap(mapped, Segments.of_images(rows))

    def ships(self, path: str) -> bool:
        return path.lower().startswith("c:/windows/")

    @contextmanager
    def memory(self, process: int | None = None) -> Iterator[Memory]:
        assert process is None
        yield self._read

    def _read(self, address: int, size_bytes: int) -> bytes:
        if not any(b <= address < b + size for b, size, _ in self.record["modules"]):
            found = self.record["memory"].get(f"{address:x}")
            if found is None:
                raise OSError(998, "invalid access to memory")
            return bytes.fromhex(found)[:size_bytes]
        data = bytearray(size_bytes)
        for place, text in self.record["memory"].items():
            kept, begin = bytes.fromhex(text), int(place, 16)
            for at in range(max(begin, address), min(begin + len(kept), address + size_bytes)):
                data[at - address] = kept[at - begin]
        return bytes(data)

    def executable(self, process: int | None = None) -> str:
        del process
        return str(self.record["modules"][0][2])

    def variables_at_start(self, process: int | None = None) -> dict[str, str]:
        del process
        raise OSError("Windows does not keep it")

    def variables(self) -> Variables:
        raise OSError("not recorded")

    def published(self, name: str) -> Iterator[str]:
        del name
        yield from ()

    def num_threads(self) -> int:
        return len(self.record["threads"])

    def thread_counter(self) -> Callable[[], int]:
        return self.num_threads

    def thread_ids(self) -> tuple[int, ...]:
        return tuple(tid for tid, *_ in self.record["threads"])

    def thread_name(self, tid: int) -> str:
        del tid
        return ""

    def has_thread(self, tid: int) -> bool:
        return tid in self.thread_ids()

    def threads(self) -> tuple[ThreadRow, ...]:
        return tuple(ThreadRow(tid, cpu_s=cpu_s) for tid, _, _, cpu_s in self.record["threads"])

    def clocks(self, left_out: Collection[int] = ()) -> dict[int, int]:
        rows = self.record["threads"]
        return {tid: int(cpu_s * 1e9) for tid, _, _, cpu_s in rows if tid not in left_out}

    def clock(self, tid: int) -> int:
        return self.clocks()[tid]

    def clock_reader(self) -> Callable[[], dict[int, int]]:
        return self.clocks

    def starts(
        self, native: Native | None, process: int | None = None, home: Segments | None = None
    ) -> Starts:
        del native, process, home
        return self

    @property
    def main(self) -> int:
        return int(self.record["main"])

    def settle(self) -> None:
        pass

    def listed(self) -> list[tuple[str, int]]:
        return [(str(tid), began) for tid, began, *_ in self.record["threads"]]

    def find(self, wanted: set[int], segments: Segments) -> dict[int, tuple[int, int] | None]:
        del segments
        rows = self.record["threads"]
        return {tid: (start, 0) for tid, _, start, _ in rows if tid in wanted and start}

    def has_child(self) -> bool:
        return False

    def descendants(self, notes: list[str], *, ended: bool = False) -> tuple[Process, ...]:
        del notes, ended
        return ()

    def relatives(self) -> Relatives:
        return _Nobody()

    def command(self, process: int) -> str:
        raise ProcessLookupError(process)

    def size_mark(self, process: int | None = None) -> str:
        del process
        return ""

    def code_map(self) -> tuple[object, Segments]:
        return self.record["modules"], self.process_map().segments

    def affinity(self, process: int | None = None) -> frozenset[int] | int | None:
        assert process is None
        return frozenset(self.record["affinity"])

    def cores(self) -> Cores:
        rows = parse_cores(bytes.fromhex(self.record["cores"]))
        return Cores(sum(cpus for _, cpus in rows), physical=len(rows), told_by="recorded")

    def cpu_limits(self) -> tuple[CpuLimit, ...]:
        return self.limits

    def notes(self, *, quota: bool) -> tuple[str, ...]:
        del quota
        return ()

    def age_s(self, process: Process) -> float:
        raise ProcessLookupError(process.pid)

    def cpu_s(self, process: int | None = None) -> float:
        assert process is None
        return float(sum(cpu_s for *_, cpu_s in self.record["threads"]))

    def rss_bytes(self) -> int:
        return 92_753_920

    def peak_rss_bytes(self) -> int:
        return 92_753_920

    def reset_peak_rss(self) -> None:
        raise OSError("recorded")

    def memory_use(self, process: int | None = None, *, shared: bool = True) -> MemoryUse:
        del process, shared
        return MemoryUse(92_753_920)

    def machine_memory(self) -> tuple[int, int | None]:
        return 16 << 30, 8 << 30

    def machine_cpu_s(self) -> float:
        raise OSError("recorded")

    def loader_changes(self) -> tuple[int, int] | None:
        return len(self.record["modules"]), 0

    def load_order(self, read_memory: Memory) -> tuple[int, ...]:
        del read_memory
        return tuple(base for base, _, _ in self.record["modules"])

    def getenv(self, name: str) -> str | None:
        return self.environ.get(name)

    def setenv(self, name: str, value: str | None) -> None:
        self.environ[name] = value or ""

    def kept_env(self, name: str) -> tuple[str | None, ...]:
        return (self.getenv(name),)

    def set_others(self, name: str, value: str) -> None:
        self.setenv(name, value)

    def give_back_env(self, name: str, kept: tuple[str | None, ...], *, now: str | None) -> None:
        del now
        self.setenv(name, kept[0])

    def is_loaded(self, name: str) -> bool:
        return any(path.endswith(name) for _, _, path in self.record["modules"])

    def symbols(
        self, path: str, starts: tuple[int, ...], wanted: tuple[tuple[str, ...], ...]
    ) -> Symbols | None:
        del starts
        count = self.record["counts"].get(path)
        if path not in self.record["counts"]:
            return None
        found: list[int | None] = []
        for names in wanted:
            getter = any("get_max_threads" in n or "get_num_threads" in n for n in names)
            layer = any("get_parallel" in name for name in names)
            answer = 1 if layer else count
            found.append(self._address(path, answer) if getter or (layer and _blas(path)) else None)
        return tuple(found)

    def _address(self, path: str, answer: int | None) -> int:
        """Give a function of this process that answers what the recorded one did."""

        def called() -> int:
            self.asked.append(path)
            assert answer is not None, f"{path} may not be asked: that would end the process"
            return answer

        function = self._calls[f"{path}:{answer}"] = _KIND(called)
        return ctypes.cast(function, ctypes.c_void_p).value or 0

    def dependency_symbol(self, path: str, name: str) -> int | None:
        del path, name
        return None

    def bindings(self, names: Collection[str]) -> dict[tuple[int, str], int]:
        del names
        return {(base, name): to for base, name, to in self.record.get("bindings", ())}

    def global_symbol(self, name: str) -> int | None:
        del name
        return None

    def base_of(self, address: int) -> int | None:
        rows = self.record["modules"]
        return next((base for base, size, _ in rows if base <= address < base + size), None)

    def path_of(self, address: int) -> str | None:
        rows = self.record["modules"]
        return next((path for base, size, path in rows if base <= address < base + size), None)

    def blas_threading(self) -> str | None:
        return None

    def mark_exit(self, path: str) -> ExitMark:
        raise OSError(f"recorded: {path}")

    def close(self) -> None:
        pass


def _blas(path: str) -> bool:
    return "openblas" in path


assert struct.calcsize("P") == 8, "the recordings are of processes of 64 bits"
