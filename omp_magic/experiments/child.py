"""The program of a trial: imports step by step, then a call into each runtime, reported by a pipe.

It runs alone in its process and is ended from outside, whatever happens: `trial` watches it. What
it imports itself is the standard library and the passive probes; it sets no variable that a
runtime reads, and starts no thread.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..facts.libraries import Gap, Library
from ..facts.plain import as_plain
from ..knowledge.rivals import setters_of
from ..knowledge.variables import VARIABLES
from ..machine import Machine
from ..machine.here import native_here
from ..machine.python.own import affinity_cpus
from ..machine.python.trials import end_with_parent, leave_no_core
from ..probes.runtimes.images import Image
from ..probes.runtimes.libraries import LibraryProbe
from ..probes.runtimes.owners import Owner, Owners
from ..probes.runtimes.pools import probe_libraries

_SIZE = 128
"""OpenBLAS multiplies matrices of up to 64 x 64 x 64 on one thread, whatever its count
(interface/gemm.c, GEMM_MULTITHREAD_THRESHOLD)."""
_DGEMM = tuple(f"{prefix}dgemm_{suffix}" for prefix in ("", "scipy_") for suffix in ("", "64_"))
_MOST_MESSAGE = 2000


def main(config_text: str) -> None:
    """Run the trial that the configuration asks for; never returns.

    Parameters
    ----------
    config_text
        JSON with ``modules``, ``path`` (``sys.path`` or null), ``report`` and ``faults`` (pipe
        ends to write to) and ``parent`` (its pid).
    """
    config = json.loads(config_text)
    report, faults = config["report"], config["faults"]
    # What the modules start must not hold the pipes open.
    os.set_inheritable(report, False)
    os.set_inheritable(faults, False)
    end_with_parent(config["parent"])
    leave_no_core()
    faulthandler.enable(file=faults, all_threads=True)
    if config["path"] is not None:
        sys.path[:] = config["path"]
    run = _Run(report)
    try:
        run.all_steps(config["modules"])
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        run.send(at="done")
    finally:
        # Without the exit handlers of the modules: a thread left behind would be waited for.
        os._exit(0)


class _Nobody(Owners):
    """Owners that looks nothing up: it would import half of importlib.metadata's world."""

    def of(self, paths: Iterable[str]) -> dict[str, Owner]:
        return {path: Owner() for path in paths}


class _Run:
    """The steps, and the looks in between.

    Parameters
    ----------
    report
        The pipe.
    """

    def __init__(self, report: int) -> None:
        self._report = report
        self._pid = os.getpid()
        self._machine = Machine.here()
        self._native = native_here()
        self._probe = LibraryProbe(self._machine, self._native)
        self._probe.owners = _Nobody(self._machine)
        self._at_start = dict(os.environ)
        self._images: tuple[Image, ...] = ()
        self._libraries: tuple[Library, ...] = ()

    def send(self, **message: Any) -> None:
        """Write one line to the parent; a fork of this process ends instead."""
        if os.getpid() != self._pid:
            os._exit(0)
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._report, data) :]
        except OSError:
            os._exit(0)  # nobody listens any more

    def all_steps(self, modules: list[str]) -> None:
        """Import each module, then call into each runtime; end with the first failure."""
        self.send(at="ready", **self._look())
        for name in modules:
            if not self._step("import", name, "", partial(_import, name)):
                return
        called: set[int] = set()
        while True:
            # A call may map more: MKL loads its layers and their OpenMP.
            number = next((n for n, i in enumerate(self._images) if i.key not in called), None)
            if number is None:
                return
            image, library = self._images[number], self._libraries[number]
            called.add(image.key)
            why = _why_not(image, library)
            calls = [] if why else self._calls(image)
            if why or not calls:
                note = why or "it has none of the functions that could be called"
                self.send(at="skip", name=library.name, path=library.path, note=note)
            elif not self._step("call", library.name, library.path, partial(_call, calls)):
                return

    def _step(self, kind: str, name: str, path: str, act: Callable[[], dict[str, Any]]) -> bool:
        self.send(at="begin", kind=kind, name=name, path=path)
        started = time.perf_counter()
        ended = act()
        wall_s = time.perf_counter() - started
        self.send(at="end", wall_s=wall_s, **ended, **self._look())
        return not ended

    def _look(self) -> dict[str, Any]:
        """Read the runtimes and the variables; what cannot be read is a gap."""
        gaps: list[Gap] = []
        try:
            scan = self._probe.scan()
            gaps.extend(scan.gaps)
            self._images = scan.images
            self._libraries = probe_libraries(
                self._machine.once(), self._native, scan.images, _cpus(), gaps
            )
        except Exception as error:  # noqa: BLE001 - the trial goes on without the look
            gaps.append(Gap.of("libraries", error))
            self._images = self._libraries = ()
        variables = {}
        for name in VARIABLES:
            value = self._native.getenv(name)
            if value is not None:
                python, started = os.environ.get(name), self._at_start.get(name)
                setters = setters_of(name, python, value, started, sys.modules)
                variables[name] = value, python == value, setters
        return {
            "libraries": as_plain(self._libraries),
            "variables": variables,
            "gaps": as_plain(tuple(gaps)),
        }

    def _calls(self, image: Image) -> list[Callable[[], object]]:
        """Give the calls by which a program's own use of a runtime begins.

        OpenMP: its thread count is asked, and one parallel region is run with all its threads.
        GOMP_parallel(fn, data, num_threads, flags) is in libgomp and, for code of gcc, in LLVM's
        and Intel's runtime (openmp/runtime/src/kmp_gsupport.cpp); what the threads run is
        free(NULL), which does nothing. BLAS: a product of two matrices, which is what
        makes MKL choose its threading layer.
        """
        if image.family.api == "blas":
            address = self._symbol(image, _DGEMM)
            if address is None or sys.byteorder != "little":
                return []
            return [partial(_multiply, address)]
        calls: list[Callable[[], object]] = []
        if image.getter is not None:
            getter = image.getter
            # LLVM's and Intel's runtime may wait for ever in it: not with the GIL.
            calls.append(ctypes.CFUNCTYPE(ctypes.c_int)(getter))
        address = self._symbol(image, ("GOMP_parallel",))
        nothing = self._native.global_symbol("free")
        if address is not None and nothing is not None:
            kind = ctypes.CFUNCTYPE(
                None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
            )
            calls.append(lambda: kind(address)(nothing, None, 0, 0))
        return calls

    def _symbol(self, image: Image, names: tuple[str, ...]) -> int | None:
        found = self._native.symbols(image.mapped.path, image.mapped.starts, (names,))
        if (found is None or found[0] is None) and image.soname is not None:
            found = self._native.symbols(image.soname, image.mapped.starts, (names,)) or found
        return found[0] if found is not None else None


def _cpus() -> int:
    """Give the CPUs in the affinity mask; all where there is none (macOS)."""
    return affinity_cpus() or os.cpu_count() or 1


def _why_not(image: Image, library: Library) -> str:
    """Give the reason for which nobody would call a runtime, or ""."""
    if library.idle:
        return "not called: whoever was linked with it is bound to another runtime"
    if image.static and image.getter is None:
        return "not called: it is linked into another library, which hides its functions"
    return ""


def _import(name: str) -> dict[str, Any]:
    """Import a module; {} when that went well, else what it raised."""
    try:
        importlib.import_module(name)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        said = "" if isinstance(error.code, int) or error.code is None else str(error.code)
        message = f"SystemExit: {said}" if said else "SystemExit"
        return {"outcome": "exited", "code": code, "message": message, **_where(error)}
    except BaseException as error:  # noqa: BLE001 - whatever a module raises is its outcome
        return {
            "outcome": "error",
            "error": type(error).__name__,
            "message": _text(error)[:_MOST_MESSAGE],
            **_where(error),
        }
    return {}


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception whose text fails is still an exception
        return ""


def _where(error: BaseException) -> dict[str, Any]:
    """Give the frames of an error, the innermost first, in the form of faulthandler."""
    frames = []
    entry = error.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        frames.append(f'File "{code.co_filename}", line {entry.tb_lineno} in {code.co_name}')
        entry = entry.tb_next
    return {"traceback": frames[::-1]}


def _call(calls: list[Callable[[], object]]) -> dict[str, Any]:
    """Make the calls; {} when that went well, else what was wrong with a result."""
    for call in calls:
        wrong = call()
        if wrong and isinstance(wrong, str):
            return {"outcome": "error", "error": "wrong result", "message": wrong}
    return {}


def _multiply(address: int) -> str:
    """Multiply matrices of ones with Fortran's dgemm; give what is wrong with the product, or "".

    Everything goes by pointer there, so that 64 bits do for integers of 32 too.
    """
    numbers = ctypes.c_double * (_SIZE * _SIZE)
    factor, product = numbers(*[1.0] * (_SIZE * _SIZE)), numbers()
    size = ctypes.byref(ctypes.c_int64(_SIZE))
    one, zero = ctypes.byref(ctypes.c_double(1)), ctypes.byref(ctypes.c_double(0))
    kept = ctypes.byref(ctypes.c_char(b"N"))
    given = (kept, kept, size, size, size, one, factor, size, factor, size, zero, product, size)
    # Fortran's compilers append the length of each text.
    lengths = (ctypes.c_size_t(1), ctypes.c_size_t(1))
    ctypes.CFUNCTYPE(None)(address)(*given, *lengths)
    wrong = set(product) - {float(_SIZE)}
    return f"a product of ones gave {min(wrong):g} instead of {_SIZE}" if wrong else ""
