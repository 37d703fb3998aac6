"""Variables that are set while a limit is in force, for children and for what is loaded meanwhile.

They are set in ``os.environ`` and in C, since children inherit either (`subprocess` without `env`
hands on C's, loky and ``env=os.environ.copy()`` Python's), and libraries read C's. Workers that are
there already keep what they inherited, and so do the children of a fork server.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from ..knowledge.inherited import CPU_COUNT, INHERITED
from ..machine.port.native import Native
from ..machine.python.own import encoded, encoded_environ
from ..probes.packages.answers import positive
from ..probes.state import STATE
from .spec import LimitSpec


def inherited(
    spec: LimitSpec, budget_threads: int, own: Callable[[str], str | None] = os.environ.get
) -> dict[str, str]:
    """Give the variables for a limit, by name.

    Parameters
    ----------
    spec, budget_threads
        The limit, and what ``auto`` is a share of.
    own
        Gives a variable as it is without limits: a smaller CPU count is the user's own ceiling.
    """
    found = {}
    for name, names in INHERITED:
        amount = spec.for_pool(names)
        if amount is not None:
            threads = amount.threads(budget_threads)
            if name == CPU_COUNT:
                threads = min(threads, positive(own(name)) or threads)
            found[name] = str(threads)
    return found


def fork_server() -> int | None:
    """Give the pid of multiprocessing's fork server, whose variables all its children inherit."""
    module = sys.modules.get("multiprocessing.forkserver")
    return getattr(getattr(module, "_forkserver", None), "_forkserver_pid", None)


def has_workers() -> bool:
    """Tell whether multiprocessing has started child processes that still run.

    joblib's are left out: it starts others when the variables have changed
    (joblib/_parallel_backends.py, _prepare_worker_env). Nothing is reaped, as it is by
    `multiprocessing.active_children`. 0.2 us where there are none.
    """
    children = getattr(sys.modules.get("multiprocessing.process"), "_children", None)
    if not children:
        return False
    from multiprocessing.connection import wait  # noqa: PLC0415 - others need not pay

    ours = [each for each in tuple(children) if not type(each).__module__.startswith("joblib.")]
    # One that ends, or is closed by another thread, between these lines.
    with suppress(OSError, ValueError):
        return len(wait([each.sentinel for each in ours], timeout=0)) < len(ours)
    return False


@dataclass(slots=True)
class _Page:
    """A variable before we set it, in Python and in C, and the values that are ours."""

    python: str | None
    native: str | None
    ours: tuple[str, ...]
    kept: tuple[str | None, ...] = ()


class Variables:
    """The variables that are set now, and what they were.

    A value that the user's code gives one of them meanwhile is the user's: it stays.

    Parameters
    ----------
    native
        The running process.
    """

    def __init__(self, native: Native) -> None:
        self._native = native
        self._pages: dict[str, _Page] = {}
        self._wanted: dict[str, str] = {}
        self._lifted: dict[str, int] = {}

    def settle(self, wanted: Mapping[str, str]) -> None:
        """Set these and put all others back; called again after an interrupt it goes on."""
        self._wanted = dict(wanted)
        for name in {**self._pages, **self._wanted}:
            self._apply(name)

    def lift(self, names: Iterable[str]) -> None:
        """Give variables their own values until `lower`."""
        for name in names:
            self._lifted[name] = self._lifted.get(name, 0) + 1
            if name in self._pages:
                self._apply(name)

    def lower(self, names: Iterable[str]) -> None:
        """End a `lift` of the same names."""
        for name in names:
            self._lifted[name] = max(0, self._lifted.get(name, 0) - 1)
            if name in self._wanted:
                self._apply(name)

    def forget_lifts(self) -> None:
        """End every `lift`: a load in another thread may have outlived the limits."""
        self._lifted.clear()

    def original(self, name: str) -> str | None:
        """Give a variable as C would have it without us."""
        page = self._pages.get(name)
        return self._native.getenv(name) if page is None else page.native

    def own(self, name: str) -> str | None:
        """Give a variable as Python would have it without us."""
        page, now = self._pages.get(name), _python_value(name)
        return now if page is None or now not in page.ours else page.python

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are set by us now."""
        return tuple(self._pages)

    def _apply(self, name: str) -> None:
        value = None if self._lifted.get(name) else self._wanted.get(name)
        page = self._pages.get(name)
        if value is None:
            if page is not None:
                self._put_back(name, page)
                self._pages.pop(name, None)
            return
        if page is None or (page.ours[-1] != value and _python_value(name) not in page.ours):
            kept = self._native.kept_env(name)
            page = _Page(_python_value(name), kept[0], (value,), kept)
            self._pages[name] = page
        elif page.ours != (value,):
            # Both are ours, should an interrupt come between these lines.
            page.ours = (page.ours[0], value)
        else:
            return
        os.environ[name] = value
        # Windows has an environment for each C runtime, of which Python sets its own.
        self._native.set_others(name, value)
        STATE.own(name, value, value)
        page.ours = (value,)

    def _put_back(self, name: str, page: _Page) -> None:
        if _python_value(name) not in page.ours:
            return
        # os.environ sets C's variable too, one of them.
        if page.python is None:
            # Loads in two threads may both put it back.
            with suppress(KeyError):
                del os.environ[name]
        else:
            os.environ[name] = page.python
        self._native.give_back_env(name, page.kept, now=page.python)
        STATE.own(name, page.python, page.native)


def _python_value(name: str) -> str | None:
    raw = encoded_environ()
    if raw is None:
        return os.environ.get(name)
    value = raw.get(encoded(name))
    return None if value is None else os.fsdecode(value)
