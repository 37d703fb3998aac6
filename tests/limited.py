"""What a limit must leave as it was; imported by programs that the tests run in children."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import ctypes
import importlib.machinery
import os
import random
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import omp_magic
from omp_magic.api import HERE
from omp_magic.knowledge.inherited import INHERITED
from omp_magic.machine.python.calls import call_get, call_set

_GETENV = ctypes.PyDLL(None).getenv
_GETENV.restype = ctypes.c_char_p
_NAMES = (
    "OMP",
    "OPENBLAS",
    "MKL",
    "NUMEXPR",
    "NUMBA",
    "BLOSC",
    "ARROW",
    "OPENCV",
    "BLIS",
    "POLARS",
)


def counts() -> dict[str, int | None]:
    """Give the count of every pool that may be asked, on this thread."""
    inventory = HERE.limiter.inventory
    inventory.refresh(limited=HERE.limiter.holds)
    return {f"{key} {dial.label}": dial.count() for key, dial in inventory.dials.items()}


def in_a_new_thread(function: Callable[[], Any]) -> Any:
    """Give what a function gives in a thread of its own."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def variables() -> dict[str, tuple[str | None, bytes | None]]:
    """Give the variables that matter, in Python and in C."""
    known = {name for name in os.environ if name.startswith(_NAMES)}
    known |= {name for name, _ in INHERITED}
    return {name: (os.environ.get(name), _GETENV(name.encode())) for name in sorted(known)}


def hooks() -> list[object]:
    """Give the functions that limits wrap."""
    item = concurrent.futures.thread._WorkItem
    loader = importlib.machinery
    numba = sys.modules.get("numba.np.ufunc.parallel")
    return [
        threading.Thread.start,
        item.__init__,
        item.run,
        asyncio.events.Handle._run,
        loader.ExtensionFileLoader.create_module,
        vars(loader.SourceFileLoader).get("exec_module"),
        ctypes._dlopen,  # type: ignore[attr-defined]
        getattr(numba, "_launch_threads", None),
        list(sys.meta_path),
    ]


class Program:
    """A random program of limits, threads, tasks, loads and errors.

    Parameters
    ----------
    seed
        Equal seeds give equal programs.
    specs
        Limits to choose from.
    loads
        What may be loaded, each once.
    """

    def __init__(self, seed: int, specs: list[str], loads: list[Callable[[], object]]) -> None:
        self.random = random.Random(seed)
        self.specs = specs
        self.loads = loads
        self.held: list[Any] = []
        self.steps: list[str] = []
        self.executor = ThreadPoolExecutor(2)
        self.executor.submit(int).result()

    def enter(self) -> None:
        spec = self.random.choice(self.specs)
        env = self.random.random() < 0.8
        self.steps.append(f"enter {spec} {env}")
        held = HERE.limiter.enter(
            omp_magic.limits.spec.parse_limit(spec), env=env, everywhere=self.random.random() < 0.3
        )
        self.held.append(held)

    def leave(self) -> None:
        if self.held:
            at = self.random.randrange(len(self.held))
            self.steps.append(f"leave {at}")
            self.held.pop(at).leave()

    def fail(self) -> None:
        self.steps.append("fail")
        try:
            with omp_magic.limit(self.random.choice(self.specs)):
                self.enter()
                _ = 1 / 0
        except ZeroDivisionError:
            pass

    def load(self) -> None:
        if self.loads:
            at = self.random.randrange(len(self.loads))
            self.steps.append(f"load {at}")
            self.loads.pop(at)()

    def thread(self) -> None:
        self.steps.append("thread")
        in_a_new_thread(self.enter_and_leave)

    def enter_and_leave(self) -> None:
        with omp_magic.limit(self.random.choice(self.specs)):
            pass

    def task(self) -> None:
        self.steps.append("task")
        self.executor.submit(self.enter_and_leave).result()

    def coroutines(self) -> None:
        self.steps.append("coroutines")

        async def one() -> None:
            with omp_magic.limit(self.random.choice(self.specs)):
                await asyncio.sleep(0)
                await asyncio.get_running_loop().run_in_executor(None, counts)
                await asyncio.sleep(0)

        async def all_of_them() -> None:
            await asyncio.gather(one(), one(), one())

        asyncio.run(all_of_them())

    def run(self, steps: int) -> None:
        """Run it, and leave what is still in force in any order."""
        choices = [self.enter, self.enter, self.leave, self.leave, self.fail, self.load]
        choices += [self.thread, self.task, self.coroutines]
        for _ in range(steps):
            self.random.choice(choices)()
        while self.held:
            self.leave()
        assert self.executor.submit(counts).result() == in_a_new_thread(counts)
        self.executor.shutdown()


class Interrupter:
    """Raises KeyboardInterrupt at the n-th line that runs in some files.

    Parameters
    ----------
    number
        The line, counted as they run.
    files, but
        Ends of the files' names, and functions in them that are left alone.
    """

    def __init__(self, number: int, files: tuple[str, ...], but: tuple[str, ...]) -> None:
        self.left = number
        self.raised = ""
        self.files = files
        self.but = but

    def __enter__(self) -> Interrupter:  # noqa: PYI034 - Self came with Python 3.11
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _called(self, frame: Any, _event: str, _argument: object) -> Any:
        code = frame.f_code
        if code.co_filename.endswith(self.files) and code.co_name not in self.but:
            return self._line
        return None

    def _line(self, frame: Any, event: str, _argument: object) -> Any:
        if event == "line" and not self.raised:
            self.left -= 1
            if self.left < 0:
                self.raised = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self._line


def disturb(value: int) -> None:
    """Set every runtime of this thread to a count of the user's."""
    for image in HERE.limiter.inventory.images:
        if image.setter is not None and image.key in HERE.limiter.inventory.dials:
            call_set(image.setter, value)


__all__ = [
    "Interrupter",
    "Program",
    "call_get",
    "counts",
    "disturb",
    "hooks",
    "in_a_new_thread",
    "variables",
]
