"""`omp_magic.plan`: the CPUs allowed, divided between workers and their pools."""

from __future__ import annotations

from functools import partial
from operator import index
from typing import SupportsIndex

from .errors import ParseError, PlanError, RequestError
from .facts.libraries import Gap
from .facts.memory import MemoryBudget, bytes_words
from .facts.plans import Plan
from .facts.snapshots import Snapshot
from .formats.sizes import ACCEPTED, parse_size
from .here import HERE
from .plans.making import make_plan
from .plans.memory import worker_memory
from .plans.recipes import PACKAGES
from .probes.filing import filed
from .probes.importable import probe_importable
from .probes.memory import probe_memory
from .rules.processes import workers_of
from .views.renderers import plan_renderers

MOST_WORKERS = 8192
"""Largest number accepted: NR_CPUS of the largest x86 kernels, as for threads."""

_LEAST_BYTES = 1_000_000
_ASKING = "omp_magic.plan(workers=4, memory={!r})"


def plan(
    workers: SupportsIndex | None = None,
    memory: str | SupportsIndex | None = None,
    *,
    asking: str = _ASKING,
) -> Plan:
    """Divide the CPUs allowed between worker processes and their pools.

    Nothing is loaded, started or set. The CPUs and the memory are those that this process may
    use now: cgroups count, with all that are above it, and not the machine's alone.

    Parameters
    ----------
    workers
        Worker processes; None proposes as many as CPUs, with a thread each, as far as the
        memory is enough for them.
    memory
        What a worker needs: bytes, or ``"500MB"``, ``"2GiB"``, ``"1.5G"``; a MB is a million
        bytes, a MiB and a bare M 1048576. None measures the workers that live now, if any do.
    asking
        How it is asked for, with ``{!r}`` for the memory: what an error gives as an example.

    Returns
    -------
    Plan
        Frozen: ``workers``, ``threads`` of each, ``variables`` for them as a dict, ``memory``,
        ``recipes`` with the code for each kind of pool; ``str`` tells it all.

    Raises
    ------
    PlanError
        When one of them is no number of workers or no size.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.plan(workers=1000).threads
    1
    """
    Plan.renderers.update(plan_renderers)
    number = None if workers is None else _workers(workers, asking)
    each_bytes = None if memory is None else _bytes(memory, asking)
    snapshot = HERE.observer.take(limits=HERE.limits, altered=HERE.altered)
    gaps: list[Gap] = []
    memory_of = partial(probe_memory, HERE.observer.machine)
    budget = filed("memory limit", gaps, memory_of) or MemoryBudget()
    gaps += budget.gaps
    live = [] if each_bytes is not None else _memory_of_workers(snapshot, gaps)
    return make_plan(
        snapshot,
        worker_memory(budget, each_bytes, live),
        workers=number,
        packages=probe_importable(PACKAGES),
        gaps=gaps,
    )


def _memory_of_workers(snapshot: Snapshot, gaps: list[Gap]) -> list[tuple[int, int | None]]:
    """Give (RSS, PSS) of each worker that lives; one that ended meanwhile is left out."""
    found: list[tuple[int, int | None]] = []
    for child in workers_of(snapshot):
        try:
            use = HERE.observer.machine.system.memory_use(child.pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except (OSError, ParseError) as error:
            gaps.append(Gap.of(f"memory of process {child.pid}", error))
            continue
        if use.rss_bytes:
            found.append((use.rss_bytes, use.pss_bytes))
    return found


def _workers(given: SupportsIndex, asking: str) -> int:
    accepted = f"a number of workers, 1 to {MOST_WORKERS}"
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        raise PlanError(repr(given), accepted, asking.format("500MB"))
    number = index(given)
    if not 1 <= number <= MOST_WORKERS:
        raise PlanError(str(number), accepted, asking.format("500MB"))
    return number


def _bytes(given: str | SupportsIndex, asking: str) -> int:
    example = asking.format("500MB")
    if isinstance(given, str):
        text = given
    elif isinstance(given, bool) or not hasattr(given, "__index__"):
        raise PlanError(repr(given), ACCEPTED, example)
    else:
        text = str(index(given))
    try:
        size_bytes = parse_size(text, example)
    except RequestError:
        raise PlanError(text, ACCEPTED, example) from None
    if size_bytes < _LEAST_BYTES:
        # 500 without a unit is 500 bytes, and somebody who writes it means MB.
        accepted = f"{ACCEPTED}; a worker needs more than {bytes_words(_LEAST_BYTES)}"
        raise PlanError(text, accepted, example, f"{text}MB" if text.isdigit() else "")
    return size_bytes
