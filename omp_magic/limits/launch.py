"""The moment when numba launches its threads, which a limit waits for and never brings about."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

from ..probes.packages.answers import attribute, loaded


class _Launch:
    """The wrapper round numba's launch, and who waits for it."""

    def __init__(self, parallel: ModuleType) -> None:
        self.parallel = parallel
        self.original: Callable[..., None] = attribute(parallel, "_launch_threads")
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        launched = vars(self.parallel).get("_is_initialized")
        self.original(*args, **kwargs)
        if launched or not vars(self.parallel).get("_is_initialized"):
            return
        for callback in tuple(self.waiting):
            # Our failure must not break the user's compilation.
            with suppress(Exception):
                callback()


_launches: dict[int, _Launch] = {}
_lock = threading.Lock()


def on_launch(module: ModuleType, callback: Callable[[], object]) -> Callable[[], None]:
    """Have a function called as soon as numba has launched its threads.

    Every way to the launch looks ``_launch_threads`` up in numba/np/ufunc/parallel.py: compiling
    a function with parallel=True, loading one from numba's cache, @vectorize and @guvectorize
    with target="parallel" where they are defined, ``get_num_threads`` and ``set_num_threads``
    (0.68). All come before the first parallel region.

    Parameters
    ----------
    module
        The package numba.
    callback
        Runs in the thread that launched, and in each that waited for the launch meanwhile. The
        launch has just set that thread's count of the OpenMP runtime that numba uses.

    Returns
    -------
    callable
        Takes the callback back, and with the last one the wrapper.

    Raises
    ------
    LookupError
        When this numba has no such function.
    """
    parallel = loaded(f"{module.__name__}.np.ufunc.parallel")
    with _lock:
        launch = _launches.get(id(parallel))
        if launch is None:
            launch = _Launch(parallel)
            _launches[id(parallel)] = launch
            parallel._launch_threads = launch  # type: ignore[attr-defined]  # noqa: SLF001 - no public place
        launch.waiting.append(callback)

    def undo() -> None:
        with _lock:
            if callback in launch.waiting:
                launch.waiting.remove(callback)
            # One that somebody wrapped again stays where it is, and passes everything on.
            ours = vars(parallel).get("_launch_threads") is launch
            if not launch.waiting and ours:
                parallel._launch_threads = launch.original  # type: ignore[attr-defined]  # noqa: SLF001 - no public place
                _launches.pop(id(parallel), None)

    return undo
