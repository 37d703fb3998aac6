"""What each loaded library made of each variable: a pure judgement that asks nothing.

A variable is called "too late" only when the library's own count proves it: the count is what
the value at the start gives, and not what the value now gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..facts.libraries import Library, Pool
from ..facts.settings import Reading
from .catalog import AT_LOAD, OMP_LAYERS
from .envvars import threads_in
from .icvs import PLACES, UNTOLD, has_taken
from .numexpr import MAX, most_threads, threads_of
from .precedence import ALWAYS, AT_IMPORT, ORDERS, Order, order_of
from .rivals import beaten_by

Values = Mapping[str, "str | None"]
"""Variables and what they hold; None, or missing, when not set."""


def readings_of(  # noqa: PLR0913 - each is a fact of its own
    now: Values,
    then: Values,
    libraries: Iterable[Library],
    pools: Iterable[Pool] = (),
    *,
    affinity_cpus: int = 0,
    limited: bool = False,
) -> dict[str, tuple[Reading, ...]]:
    """Give what each loaded library, and each Python package's pool, made of each variable.

    Parameters
    ----------
    now, then
        The variables as C sees them now, and as they were when the process started.
    libraries, pools
        Those that are loaded; of the pools only those of the API ``"python"`` are looked at.
    affinity_cpus
        CPUs in the affinity mask, the count of most libraries without a variable; 0 when unknown.
    limited
        Whether a limit of omp_magic is in force, so that a count proves nothing.

    Returns
    -------
    dict
        Readings by variable, in the order of the libraries; see `settings.Reading`.
    """
    at = _Moment(now, then, affinity_cpus, limited)
    found: dict[str, list[Reading]] = {}
    for reader in (*map(_of_library, libraries), *map(_of_pool, pools)):
        if reader is not None:
            for name, state, by in reader.states(at):
                why = reader.why(name, at) if state == "unknown" else ""
                reading = Reading(
                    reader=reader.name, family=reader.family, state=state, by=by,
                    num_threads=reader.num_threads, most=reader.most, why=why,
                )  # fmt: skip
                found.setdefault(name, []).append(reading)
    return {name: tuple(readings) for name, readings in found.items()}


class _Moment(NamedTuple):
    """The variables now and at the start, the CPUs, and whether a limit is in force."""

    now: Values
    then: Values
    cpus: int
    limited: bool


class _Reader(NamedTuple):
    """A library or a pool: what it reads, whether it has, the count it got, and what it keeps."""

    name: str
    family: str
    order: Order
    started: bool | None
    num_threads: int | None
    note: str = ""
    taken: Mapping[str, str] = MappingProxyType({})

    @property
    def most(self) -> int | None:
        """The most threads that it may have, where it tells."""
        return int(self.taken[MAX]) if MAX in self.taken else None

    def why(self, name: str, at: _Moment) -> str:
        """Say why it cannot be known what became of a variable."""
        if name not in self.order.variables and name in UNTOLD:
            return UNTOLD[name]
        if at.limited:
            return "a limit of omp_magic is in force"
        if not self.started or self.num_threads is None:
            return self.note or "whether it has read it cannot be seen from outside"
        return (
            f"it has {self.num_threads} thread{'s' * (self.num_threads != 1)}, which neither the "
            "value now nor the one at the start gives: a call has set them, or the variable "
            "changed twice"
        )

    def states(self, at: _Moment) -> Iterable[tuple[str, str, str]]:
        """Give (variable, state, by) for each variable that it knows and that is or was set."""
        order = self.order
        here = [name for name in order.variables if _held(name, at)]
        if here:
            yield from self._counts(here, at)
        for name in (*order.caps, *order.also):
            if at.now.get(name) is not None and name not in order.variables:
                yield name, *self._other(name, at)
        for name in order.ignored:
            if at.now.get(name) is not None:
                yield name, "ignored", ""

    def _other(self, name: str, at: _Moment) -> tuple[str, str]:
        """Judge a variable that no count can prove anything about."""
        rival = beaten_by(self.family, name, at.now)
        if rival:
            return "overruled", rival
        now, same = at.now.get(name), at.now.get(name) == at.then.get(name)
        taken = self.taken.get(name)
        if taken is not None and not (same and name != MAX):
            read = has_taken(self.family, name, now, taken)
            # Places may be those that another variable asked for at the start.
            if not (read and name in PLACES[1:] and any(at.then.get(each) for each in PLACES)):
                return {True: "in force", False: "too late", None: "ignored"}[read], ""
        cap = name in self.order.caps and self.family != "numexpr"
        if cap and self._threads(name, at.now) is None:
            return "ignored", ""
        if self.started is False:
            return "to come", ""
        if same:
            return "in force", ""
        return self._capped(at) if name in self.order.caps else "unknown", ""

    def _capped(self, at: _Moment) -> str:
        """Judge a variable that holds the most threads, and was changed, by the count."""
        if not self.started or at.limited or self.num_threads is None:
            return "unknown"
        if self._explains(self._winner(at.now), at.now, at.cpus):
            return "in force"
        return "too late" if self._explains(self._winner(at.then), at.then, at.cpus) else "unknown"

    def _counts(self, here: list[str], at: _Moment) -> Iterable[tuple[str, str, str]]:
        new, old = self._winner(at.now), self._winner(at.then)
        state = self._verdict(new, old, at)
        for name in here:
            kept = at.now.get(name) == at.then.get(name)
            if state == "too late" and name == old and (kept or at.now.get(name) is None):
                yield name, "in force" if kept else "too late", ""
            elif at.now.get(name) is None:
                continue
            elif self._threads(name, at.now) is None:
                yield name, "ignored", ""
            elif self._is_refused(name, at) and name == new and state != "too late":
                most = at.now.get(MAX)
                decided = MAX if most is not None and most_threads(most) == self.most else ""
                yield name, "refused", decided
            elif name != new:
                yield name, "overruled", new
            elif state == "too late" and kept:
                yield name, "overruled", old
            else:
                cap = self._cap(name, at.now) if state in ("in force", "to come") else ""
                yield name, "overruled" if cap else state, cap

    def _verdict(self, new: str, old: str, at: _Moment) -> str:
        """Give what became of the variable that wins now."""
        if self.order.read == ALWAYS:
            return "in force"
        if self.started is False:
            return "to come"
        changed = (new, at.now.get(new)) != (old, at.then.get(old))
        if not self.started or self.num_threads is None:
            # Whenever it reads it, or did, it is this value.
            return "unknown" if changed or at.limited else "in force"
        as_before = changed and not at.limited and self._explains(old, at.then, at.cpus)
        if self._explains(new, at.now, at.cpus):
            return "in force"
        return "too late" if as_before else "unknown"

    def _is_refused(self, name: str, at: _Moment) -> bool:
        """Tell whether a value is more than the library may have (NumExpr)."""
        return self.most is not None and (self._threads(name, at.now) or 0) > self.most

    def _threads(self, name: str, values: Values) -> int | None:
        text = values.get(name)
        return None if text is None else threads_in(self.family, name, text)

    def _winner(self, values: Values) -> str:
        """Give the variable that would set the count, or ""."""
        names = (name for name in self.order.variables if self._threads(name, values) is not None)
        return next(names, "")

    def _cap(self, winner: str, values: Values) -> str:
        """Give the variable that allows fewer threads than the winner says, or ""."""
        threads = self._threads(winner, values) or 0
        if self.family == "numexpr":
            return ""
        caps = (
            name for name in self.order.caps if (self._threads(name, values) or threads) < threads
        )
        return next(caps, "")

    def _explains(self, winner: str, values: Values, cpus: int) -> bool:
        """Tell whether these variables give the count that the library has."""
        count, order = self.num_threads, self.order
        if self.family == "numexpr":
            most = most_threads(values.get(MAX)) if self.most is None else self.most
            return count in threads_of(values, cpus, most)
        usual = {"cores": (cpus, cpus // 2), "one": (1,)}.get(order.default, (cpus,))
        threads = self._threads(winner, values) if winner else None
        capped = [each for name in order.caps if (each := self._threads(name, values))]
        if threads is None:
            if self.family == "pyarrow":
                usual = tuple(min([each, *capped]) for each in usual)
            return count in usual or (bool(capped) and count == min(capped))
        if count is None or count >= threads:
            return count == threads
        return count in capped or (order.capped and count in (*usual, *_MOST_OF_BUILDS))


_MOST_OF_BUILDS = (64, 128)
"""MAX_CPU_NUMBER, the most threads of an OpenBLAS: of the wheels on PyPI and of conda-forge."""


_OWN_COUNT = ("torch", "numba")
"""Packages that keep a count of their own for threads that they borrow."""


def _held(name: str, at: _Moment) -> bool:
    return at.now.get(name) is not None or at.then.get(name) is not None


def _of_library(library: Library) -> _Reader | None:
    order = order_of(library.family, library.threading_layer)
    if order is None:
        return None
    started = library.initialized
    if order.read == AT_LOAD and library.threading_layer not in OMP_LAYERS:
        started = True
    count = library.num_threads if started else library.would_use
    taken = dict(library.taken)
    return _Reader(library.title, library.family, order, started, count, taken=taken)


def _of_pool(pool: Pool) -> _Reader | None:
    """Give the pool of a package; those on lent threads say no more than their lender does."""
    order = ORDERS.get(pool.family) if pool.api == "python" else None
    if order is None or (pool.lender and pool.family not in _OWN_COUNT):
        return None
    if pool.variables[:1] != order.variables[:1]:
        return None
    count = pool.num_threads
    started: bool | None = count is not None or None
    if count is None and pool.would_use is not None:
        # A pool whose size is fixed at import is what the variable made of it, started or not.
        started = order.read == AT_IMPORT
        count = pool.would_use
    return _Reader(pool.name, pool.family, order, started, count, pool.note, dict(pool.taken))
