"""What runs at a worker of a cluster: a look at its process, and a limit that stays there.

Every answer is a tuple of builtins, so that whatever brings it need not know us. No answer is an
error: a worker's log would have its traceback.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from .errors import LimitError
from .facts.gaps import Gap
from .facts.limits import Limit
from .facts.packed import WIRE, pack
from .facts.snapshots import Snapshot
from .facts.workerstate import LIMIT, state_of
from .here import HERE
from .limits.lasting import Lasting
from .limits.spec import parse_limit
from .probes.seat import probe_worker
from .rules import judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    Told = tuple[str, int, str, tuple[bytes, ...]]
    """``("omp_magic", WIRE, version, parts)``: the worker, its state, findings, gaps, snapshot."""

UNDO = 'omp_magic.cluster(client, limit="off")'

_PACKAGE = (__package__ or "").partition(".")[0]
_SEEN = "inside" if _PACKAGE == "omp_magic" else "carried"
_MOST_LOOKS = 64
_LOOKED: dict[str, float] = {}
"""When a look was asked for, by its token: a limit must follow it in time."""
_LASTING = Lasting()


def look(token: str = "") -> Told:
    """Say what this process is like now; nothing is loaded, started or set.

    Parameters
    ----------
    token
        Names this look for a `hold` or `release` that follows it.
    """
    if token:
        for old in list(_LOOKED)[: 1 - _MOST_LOOKS]:
            del _LOOKED[old]
        _LOOKED[token] = time.monotonic()
    return _told()


def hold(
    spec: str, set_by: str = "omp_magic.cluster", token: str = "", within_s: float = 0
) -> Told:
    """Limit every pool here until `release`, in place of what `hold` set before.

    Threads that are there already take it before their next task where they are an executor's,
    Dask's too; what could not be limited is a gap of the answer.

    Parameters
    ----------
    spec
        As `omp_magic.limit` takes it.
    set_by
        Who asked, for whoever looks here.
    token, within_s
        The look that it follows, and how long after it this may be at the latest: an answer that
        nobody waits for any more must not set anything. "" for always.
    """
    if _is_late(token, within_s):
        return _told((_LATE,))
    try:
        _take_over()
        told = Limit(spec=spec, set_by=set_by, undo=UNDO)
        notes = (*_LASTING.put(HERE.limiter, parse_limit(spec), told).notes, *_running())
    except Exception as error:  # noqa: BLE001 - its line is the answer
        notes = (_line(error),)
    return _told(notes)


def release(token: str = "", within_s: float = 0) -> Told:
    """Give back what `hold` set, to the counts from before; without one nothing is done.

    A limit that somebody else holds here stays, and is a gap of the answer.

    Parameters
    ----------
    token, within_s
        As in `hold`.
    """
    if _is_late(token, within_s):
        return _told((_LATE,))
    try:
        _take_over()
        ended = _LASTING.end()
        notes = (*(ended.afterwards if ended is not None else ()), *_staying())
    except Exception as error:  # noqa: BLE001 - as above
        notes = (_line(error),)
    return _told(notes)


def _staying() -> tuple[str, ...]:
    """Give a line for each limit that others hold here, such as the plugin of Dask's workers."""
    return tuple(
        f"a limit to {each.spec} stays here, set by {each.set_by}; it ends with {each.undo}"
        for each in HERE.limits
    )


def end() -> None:
    """End what is held here, for another omp_magic that takes over; any version has this."""
    _LASTING.end()


_LATE = "this worker got the question when nobody waited any more; nothing was changed here"


def _is_late(token: str, within_s: float) -> bool:
    if not token:
        return False
    looked_s = _LOOKED.get(token)
    return looked_s is None or time.monotonic() - looked_s > within_s


def _take_over() -> None:
    """End what another omp_magic holds in this process: one that was brought, or is installed."""
    for name, module in tuple(sys.modules.items()):
        package, _, own = name.partition(".")
        if own == "atworker" and package != _PACKAGE and package.startswith("omp_magic"):
            module.end()


def _running() -> tuple[str, ...]:
    """Give a line where tasks of Dask's run now, whose threads nobody else can limit.

    A worker notes each in `active_threads` (distributed/worker.py).
    """
    worker = getattr(sys.modules.get("distributed.worker"), "Worker", None)
    tasks = sum(len(each.active_threads) for each in tuple(getattr(worker, "_instances", ())))
    dials = HERE.limiter.inventory.dials.values()
    if not tasks or not any(dial.per_thread for dial in dials):
        return ()
    return (f"OpenMP: threads take it before their next task; tasks that run now: {tasks}",)


def _line(error: Exception) -> str:
    return str(error) if isinstance(error, LimitError) else f"{type(error).__name__}: {error}"


def _told(notes: Iterable[str] = ()) -> Told:
    """Look, and give the facts with what a limit left to say."""
    with HERE.lock:
        facts = HERE.observer.take(limits=HERE.limits, altered=HERE.altered)
        facts = replace(facts, overruns=HERE.overruns)
    for gap in (*_unsized(facts), *(Gap(what=LIMIT, why=note) for note in notes)):
        facts = facts.with_gap(gap)
    try:
        facts = facts.with_findings(judge(facts))
    except Exception as error:  # noqa: BLE001 - what was read is told all the same
        why = f"a fault in omp_magic: {type(error).__name__}: {error}"
        facts = facts.with_gap(Gap(what="findings", why=why))
    version = str(vars(sys.modules[_PACKAGE])["__version__"])
    return "omp_magic", WIRE, version, _parts(facts)


def _unsized(facts: Snapshot) -> Iterator[Gap]:
    """Give the pools of libraries whose sizes are not known: a cluster's sums lack them."""
    notes = {each.path: each.note for each in facts.libraries}
    for pool in facts.pools:
        if pool.library in notes and not (pool.size or pool.lender or pool.for_io):
            why = pool.note or notes[pool.library] or "it was not asked"
            yield Gap(what=f"threads of {pool.name}", why=why)


def _parts(facts: Snapshot) -> tuple[bytes, ...]:
    """Pack what many workers have alike apart, so that it is read once."""
    worker = probe_worker(HERE.observer.machine, facts.budget, _SEEN)
    # A limit is told once, as one: where shares differ, so would a dozen variables.
    own = {name: HERE.own_variable(name) for name in HERE.altered}
    whole = (worker, state_of(facts, own), facts.findings, facts.gaps, facts)
    return tuple(map(pack, whole))
