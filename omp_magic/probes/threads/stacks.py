"""Who started each OS thread: read from the top of its stack, without touching the thread.

Names do not tell: pool workers inherit the creator's, nearly always "python". What tells is the
function that the thread was started with, which the C library keeps at the top of the stack (see
`pthreads`). The file that this function lies in is the owner:

* libgomp's gomp_thread_start, LLVM's and Intel's __kmp_launch_worker, OpenBLAS's
  blas_thread_server, the workers of numba, numexpr, OpenCV, TensorFlow, polars (Rust) and libzmq
  start in the library's own file.
* A thread of std::thread starts in libstdc++ (execute_native_thread_routine) with an object whose
  first word is its table of virtual functions, which lies in the library that made the thread:
  libarrow, and libc10 for PyTorch's inter-op threads.
* A Python thread starts in libpython or in the python executable; the main thread has none.

Return addresses further down the stack tell who is at work, not who owns the thread. Measured:
a thread of numexpr had NumPy innermost, an inter-op thread of PyTorch had libgomp, and a Python
thread inside a BLAS call has OpenBLAS; with faiss, whose OpenBLAS is built on OpenMP, the workers
are libgomp's, whatever they run. So neither the innermost word nor "a known runtime anywhere on
the stack" decides. (numpy 2.4, scikit-learn 1.9, faiss-cpu 1.15, torch 2.13, numba 0.68 with
workqueue and omp, numexpr 2.14, pyarrow 26, polars 2.1, opencv 5.0, tensorflow 2.21, xgboost 3.2,
MKL with libiomp5 and with TBB, libiomp5 2021.4, pyzmq 27; idle and, where they spin, busy.)

The table of virtual functions of two libraries that give std::thread the same kind of function
may be one table, that of the library the loader found first (vague linkage, Itanium C++ ABI 5.2).

No thread is stopped or attached to, and no function of a runtime is called.
"""

from __future__ import annotations

import os
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...formats.procfs import Segments
from ...machine import Machine
from ...machine.port.native import Native
from ...machine.port.rows import Memory
from ...machine.python.own import python_threads

PYTHON = "Python"
_MOST_LOOKS = 3
_GO_BETWEEN = re.compile(r"lib(stdc\+\+|c\+\+|glib-2\.0|boost_thread)[-.]")
_PYTHON = re.compile(r"libpython\d|python\d+(_d)?\.dll|Python$", re.IGNORECASE)
"""macOS' framework builds have Python.framework/Versions/3.12/Python."""
_C_LIBRARY = re.compile(
    r"(ld|ld64|ld-.*|libc|libc-.*|libpthread|libpthread-.*)\.so"
    r"|(ucrtbased?|msvcrt|msvcr\d+|ntdll|kernel32|kernelbase)\.dll",
    re.IGNORECASE,
)


class Owner(NamedTuple):
    """Who started a thread.

    Parameters
    ----------
    label
        For people.
    path
        File of the runtime or library; None for Python threads.
    """

    label: str
    path: str | None


class Workers(NamedTuple):
    """Live threads by the file that owns them; Python threads are left out.

    Parameters
    ----------
    by_path
        Threads of each file.
    unknown
        Threads whose owner is not known.
    """

    by_path: Mapping[str, int]
    unknown: int


class ThreadOwners:
    """Knows the owners of a process's threads; keeps them while a thread lives.

    Parameters
    ----------
    machine
        The machine to read.
    native
        Calls into this process; None where there are none.
    pid
        Another process, which must be allowed by ptrace(2); this one when None.
    home
        Files of this process's memory; needed with `pid`, to find the list there.
    """

    def __init__(
        self,
        machine: Machine,
        native: Native | None,
        pid: int | None = None,
        home: Segments | None = None,
    ) -> None:
        self._machine = machine
        self._pid = pid
        self._starts = machine.system.starts(native, pid, home)
        # By tid: what tells one thread from the next of that tid, and its owner.
        self._known: dict[int, tuple[int, str | None]] = {}
        self._looks: Counter[int] = Counter()
        self._segments: Segments | None = None
        self._entries: list[tuple[str, int]] = []
        self._workers: Workers | None = None
        self._python = ""
        self.why: str | None = None
        """Why nothing can be known, after a call that gave nothing."""

    def settle(self) -> None:
        """Ask the C library where it keeps its threads: the one step that looks symbols up.

        Whoever counts on a thread of its own calls this on the main thread before: a process
        with one thread alone gives `workers` no reason to ask.

        Raises
        ------
        OSError
            When the process's memory cannot be read.
        """
        self._starts.settle()

    def of(
        self,
        tids: Iterable[int],
        segments: Segments,
        labels: Mapping[str, str] | None = None,
    ) -> dict[int, Owner | None]:
        """Give the owners of threads; None where it is not known.

        Parameters
        ----------
        tids
            The threads.
        segments
            Files of the process's memory. Unknown threads are looked at again when another
            object is given.
        labels
            Names for people by path; a file without one is called by its file name.
        """
        self.workers(segments)
        owners: dict[int, Owner | None] = {}
        made: dict[str, Owner] = {PYTHON: Owner(PYTHON, None)}
        for tid in tids:
            _, path = self._known.get(tid, (0, None))
            if path is not None and path not in made:
                label = (labels or {}).get(path) or os.path.basename(path)
                made[path] = Owner(label, path)
            owners[tid] = None if path is None else made[path]
        return owners

    def workers(self, segments: Segments) -> Workers | None:
        """Count the live threads of each library; None, and `why`, where it cannot be known.

        When no thread came or went this is one listing of the threads (`port.Starts.listed`).

        Parameters
        ----------
        segments
            As in `of`.
        """
        try:
            entries = self._starts.listed()
            if segments is not self._segments:
                self._segments = segments
                self._looks.clear()
                self._known = {t: known for t, known in self._known.items() if known[1]}
            elif entries == self._entries and not self._looks:
                return self._workers
            self._entries = entries
            self._workers = self._count(entries, segments)
        except OSError as error:
            self.why = error.strerror or str(error)
            self._entries, self._workers = [], None
        return self._workers

    def _count(self, entries: list[tuple[str, int]], segments: Segments) -> Workers:
        alive = {int(name): inode for name, inode in entries}
        known = self._known = {
            tid: seen for tid, seen in self._known.items() if alive.get(tid) == seen[0]
        }
        new = alive.keys() - known.keys() - {self._starts.main}
        main = self._starts.main
        if main in alive:
            known[main] = (alive[main], PYTHON)
        self._looks = Counter({tid: self._looks[tid] for tid in new if tid in self._looks})
        if new:
            found = self._find(new, segments)
            for tid in new:
                if tid in found:
                    known[tid] = (alive[tid], found[tid])
                    del self._looks[tid]
        self.why = None
        counts = Counter(path for _, path in known.values())
        unknown = counts.pop(None, 0) + len(alive.keys() - known.keys())
        del counts[PYTHON]
        return Workers({path: n for path, n in counts.items() if path is not None}, unknown)

    def _find(self, new: set[int], segments: Segments) -> dict[int, str | None]:
        """Look at new threads; one that is left out is to be looked at again."""
        owners: dict[int, str | None] = {}
        found = self._starts.find(new, segments)
        with self._machine.memory(self._pid) as memory:
            for tid, start in found.items():
                if start is None:
                    self._looks.setdefault(tid, 0)
                else:
                    owners[tid] = self._owner(tid, *start, segments, memory)
        # The kernel writes a new thread's tid a moment after it shows the thread. One that never
        # gets into the C library's list was not made by it.
        for tid in new - found.keys():
            self._look_again(tid, owners)
        return owners

    def _look_again(self, tid: int, owners: dict[int, str | None]) -> None:
        self._looks[tid] += 1
        if self._looks[tid] >= _MOST_LOOKS:
            owners[tid] = None

    def _owner(
        self, tid: int, start: int, argument: int, segments: Segments, memory: Memory
    ) -> str | None:
        """Give the file that a start routine and its argument tell of, or `PYTHON`."""
        path = segments.file_at(start, code=True)
        name = os.path.basename(path or "")
        if _GO_BETWEEN.match(name):
            try:
                (table,) = struct.unpack("=Q", memory(argument, 8))
            except (OSError, struct.error, OverflowError):
                return None
            path = segments.file_at(table)
            name = os.path.basename(path or "")
            if _GO_BETWEEN.match(name):
                return None
        if path is None or _C_LIBRARY.match(name):
            return PYTHON if start == 0 or self._is_python(tid) else None
        if not self._python:
            self._python = self._machine.system.executable(self._pid)
        return PYTHON if path == self._python or _PYTHON.match(name) else path

    def _is_python(self, tid: int) -> bool:
        """Tell whether a thread that the C library began for somebody is one of Python's.

        Windows' C runtime begins all that are made by _beginthreadex in a function of its own:
        Python's (Python/thread_nt.h) and those of std::thread.
        """
        if self._pid is not None or not self._machine.live:
            return False
        return tid in python_threads()
