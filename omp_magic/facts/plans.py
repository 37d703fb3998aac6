"""A plan: how many workers, with how many threads each, and the lines that make it so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import MissingRendererError
from .cpus import Budget
from .libraries import Finding, Gap
from .memory import MemoryBound
from .mime import bundle
from .plain import as_plain

SCHEMA = 1
"""Version of what `Plan.to_dict` gives; raised when a key changes meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """One way to divide the CPUs: workers, threads of each, and CPUs that neither uses."""

    workers: int
    threads: int
    left_cpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerMemory:
    """What a worker needs, and how many of them the memory is enough for.

    Parameters
    ----------
    each_bytes
        Memory of a worker; None when it is not known.
    told_by
        ``"asked"``: as it was named; ``"PSS"`` or ``"RSS"``: measured on workers that live;
        "" when not known.
    live
        Workers that live and were measured; they count among those that fit.
    bound
        The tightest limit on the memory of this process; None when none is known.
    fits
        Workers that fit below it; None without a figure or a limit.
    """

    each_bytes: int | None = None
    told_by: str = ""
    live: int = 0
    bound: MemoryBound | None = None
    fits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The code that gives the plan to one kind of pool.

    Parameters
    ----------
    place
        Where it belongs: ``"ProcessPoolExecutor"``.
    code
        Lines to be copied as they are, imports included; ``work`` and ``items`` are the reader's.
    says
        What should be known of it, in a sentence; or "".
    imported
        Whether its package is imported here.
    """

    place: str
    code: str
    says: str = ""
    imported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan:
    """How the CPUs allowed are divided between worker processes and their pools.

    Parameters
    ----------
    workers
        Worker processes.
    threads
        Threads that each pool of a worker may have; at least 1.
    asked
        Whether the number of workers was named, and is no proposal.
    budget
        The CPUs allowed, and what decides that.
    divisions
        The sensible ways to divide them, from one worker to as many as CPUs.
    memory
        What a worker needs, and how many fit.
    settings
        The variables for the workers, by name; `variables` has them as a dict.
    recipes
        The code for each kind of pool, those of imported packages first.
    start_method
        How multiprocessing starts workers here: ``"fork"``, ``"spawn"`` or ``"forkserver"``.
    notebook
        Whether functions of the session are in no file that a worker could import.
    hazards
        Findings of pools that have started here and that a forked worker cannot use (OMP204).
    gaps
        What could not be read.
    """

    workers: int
    threads: int
    asked: bool
    budget: Budget
    divisions: tuple[Division, ...]
    memory: WorkerMemory
    settings: tuple[tuple[str, str], ...]
    recipes: tuple[Recipe, ...]
    start_method: str
    notebook: bool
    hazards: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()

    renderers: ClassVar[dict[str, Callable[[Any], str]]] = {}
    """Filled by `omp_magic.views`: facts stand below views and do not import them."""

    @property
    def variables(self) -> dict[str, str]:
        """The variables for the workers, for ``env=`` or ``os.environ.update``; a new dict."""
        return dict(self.settings)

    @property
    def left_cpus(self) -> float:
        """CPUs allowed that no thread of the workers is meant for."""
        return max(0.0, self.budget.cpus - self.workers * self.threads)

    def to_dict(self) -> dict[str, Any]:
        """Give the plan as plain dicts, lists, strings and numbers.

        Returns
        -------
        dict
            Keys ``schema``, ``workers``, ``threads``, ``asked``, ``left_cpus``, ``variables``,
            ``budget``, ``divisions``, ``memory``, ``recipes``, ``start_method``, ``notebook``,
            ``hazards`` and ``gaps``.
        """
        return {
            "schema": SCHEMA,
            "workers": self.workers,
            "threads": self.threads,
            "asked": self.asked,
            "left_cpus": self.left_cpus,
            "variables": self.variables,
            "budget": {"cpus": self.budget.cpus, **as_plain(self.budget)},
            "divisions": as_plain(self.divisions),
            "memory": as_plain(self.memory),
            "recipes": as_plain(self.recipes),
            "start_method": self.start_method,
            "notebook": self.notebook,
            "hazards": as_plain(self.hazards),
            "gaps": as_plain(self.gaps),
        }

    def _render(self, name: str) -> str:
        if name not in self.renderers:
            raise MissingRendererError(name)
        return self.renderers[name](self)

    def __repr__(self) -> str:
        """Give one line, so that a debugger stays readable; `str` gives the whole."""
        return f"<Plan workers={self.workers} threads={self.threads} cpus={self.budget.cpus:g}>"

    def __str__(self) -> str:
        """Give the whole plan as plain text, the variables for the workers among it."""
        return self._render("text")

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Give text/plain and text/html."""
        makers: dict[str, Callable[[], Any]] = {
            "text/plain": lambda: self._render("display"),
            "text/html": lambda: self._render("html"),
        }
        return bundle(makers, include, exclude)
