"""Limits what is loaded while a limit is in force, as it is loaded.

A runtime that reads OMP_NUM_THREADS when it is loaded takes the value for every thread to come,
and no call takes that back; so this variable has its own value while a library is mapped, and the
runtime is limited by a call right after. OpenBLAS has one count for the process, which is set
back by a call; it reads OPENBLAS_NUM_THREADS and starts no more threads than the limit allows.
"""

from __future__ import annotations

from typing import Protocol

from ..hooks.watcher import Watcher
from ..knowledge.catalog import family_of
from ..loader.arrivals import Arrivals
from ..machine.port.native import Native
from ..probes.observe import Observer
from ..probes.packages.python_pools import IMPORTED
from .fixed import HIDDEN_AT_IMPORT, HIDDEN_WHILE_LOADED
from .pools import DIALS
from .spec import BORROWERS
from .variables import Variables

_WHILE_MAPPED = ("OMP_NUM_THREADS",)
_PACKAGES = {
    *(pool.module for pool in DIALS),
    *HIDDEN_AT_IMPORT,
    *HIDDEN_WHILE_LOADED,
    *BORROWERS,
}


class Limits(Protocol):
    """Who limits what was loaded."""

    variables: Variables

    def loaded(self, lifted: frozenset[str] = frozenset(), imported: str = "") -> None:
        """Limit what was loaded just now."""


class LoadsUnderLimit(Watcher):
    """Told of loads while a limit is in force.

    Parameters
    ----------
    limits
        Limits what is new.
    observer
        Knows the process.
    """

    sources = frozenset(name.partition(".")[0] for name in _PACKAGES)

    def __init__(self, limits: Limits, observer: Observer, native: Native) -> None:
        self._limits = limits
        self._arrivals = Arrivals(observer.machine, native)

    def begin(self) -> None:
        """Take all that is loaded now as known."""
        self._limits.variables.forget_lifts()
        self._arrivals.names()

    def before_extension(self, name: str, path: str) -> None:
        """Let a library that it brings read its own variables; see `hooks`."""
        del name, path
        self._limits.variables.lift(_WHILE_MAPPED)

    def before_library(self, name: str, shared: bool) -> None:
        """Let a library that ctypes loads read its own variables; see `hooks`."""
        del name, shared
        self._limits.variables.lift(_WHILE_MAPPED)

    def after_load(self) -> None:
        """Limit what has come; see `hooks`."""
        try:
            names = self._arrivals.names()
            if names is None or any(family_of(name.rpartition("/")[2]) for name in names):
                self._limits.loaded(frozenset(_WHILE_MAPPED))
        finally:
            self._limits.variables.lower(_WHILE_MAPPED)

    def before_source(self, name: str) -> None:
        """Hide what a package would keep for good; see `hooks`."""
        if name in _PACKAGES:
            self._limits.variables.lift(_hidden(name))

    def after_source(self, name: str) -> None:
        """Limit the pools of a package whose import has ended; see `hooks`."""
        if name in _PACKAGES:
            IMPORTED.add(name)
            try:
                self._limits.loaded(frozenset(_hidden(name)), imported=name)
            finally:
                self._limits.variables.lower(_hidden(name))


def _hidden(module: str) -> tuple[str, ...]:
    return (*HIDDEN_AT_IMPORT.get(module, ()), *HIDDEN_WHILE_LOADED.get(module, ()))
