"""What a Dask worker does with our plugin: limits its pools, and reports what is found there.

It runs in the worker's event loop, between its messages and beside its tasks. Nothing here may
fail a worker: distributed logs what `setup` raises, and a worker whose plugin cannot be loaded
does not start (distributed/worker.py, `_register_with_scheduler`).
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import re
import time
from builtins import eval as evaluate
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..facts.clusters import ClusterWorker
from ..facts.limits import Limit
from ..facts.packed import pack, unpack_once
from ..facts.workerstate import state_of
from ..here import HERE
from ..limits.lasting import Lasting
from ..limits.spec import parse_limit
from ..probes.seat import probe_worker
from ..rules import judge
from ..rules.shell_words import in_worker, remedies_in_worker
from .atscheduler import ANNOUNCE, BESIDE, LEAVE, NAME
from .shares import AUTO, share_of

if TYPE_CHECKING:
    from ..facts.libraries import Finding
    from ..facts.snapshots import Snapshot

_LOG = logging.getLogger("omp_magic")
LOOK_EVERY_S = 5.0
"""Seconds from one look to the next, at least."""
_SHARE = 100
"""A look rests so many times as long as it took: it stays below a hundredth of a CPU."""
_TRIES = 3


class AtWorker:
    """One worker that has our plugin.

    Parameters
    ----------
    worker
        Dask's.
    spec
        `AUTO`, or a limit as `omp_magic.limit` takes it.
    at_scheduler
        A text that gives the plugin of the scheduler.
    """

    def __init__(self, worker: Any, spec: str, at_scheduler: str) -> None:
        self._worker, self._spec, self._at_scheduler = worker, spec, at_scheduler
        self._lasting = Lasting()
        self._told: set[tuple[str, str]] = set()
        self._looking: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Limit this worker, and begin to look."""
        try:
            answer = await self._announce() if self._spec == AUTO else {}
            self._limit(answer.get("places", ()), int(answer.get("known", 0)))
            self._report(_seen())
        except Exception as error:  # noqa: BLE001 - law 7: the worker starts, whatever we fail at
            _fault("no limit here", error)
        self._looking = asyncio.ensure_future(self._look_on())

    async def end(self) -> None:
        """Give back what this worker had, and look no more."""
        if self._looking is not None:
            self._looking.cancel()
        try:
            self._lasting.end()
            self._worker.handlers.pop(BESIDE, None)
            if self._spec == AUTO:
                leave = getattr(self._worker.scheduler, LEAVE)
                await asyncio.wait_for(leave(address=self._worker.address), 2)
        except Exception as error:  # noqa: BLE001 - law 7: as above, and its scheduler may be gone
            _fault("not all was taken back", error, logging.INFO)

    async def _announce(self) -> dict[str, Any]:
        """Say that this worker is here, and learn who is beside it; {} when nobody knows."""
        facts = _seen()
        own = self._own(facts)
        self._worker.handlers[BESIDE] = self._beside
        sent = pickle.dumps(_Text(self._at_scheduler), 4)
        for _ in range(_TRIES):  # the last worker that leaves takes the plugin with it
            await self._worker.scheduler.register_scheduler_plugin(
                plugin=sent, name=NAME, idempotent=True
            )
            announce = getattr(self._worker.scheduler, ANNOUNCE)
            answer = await announce(address=own.address, machine=own.machine, place=pack(own))
            if isinstance(answer, dict) and "places" in answer:
                return answer
        return {}

    def _own(self, facts: Snapshot) -> ClusterWorker:
        """Give this worker with as much of its state as its share rests on."""
        state = state_of(facts)
        state = replace(
            state, python="", prefix="", libraries=(), pools=(), variables=(), limits=(), codes=(),
            unknown=(),
        )  # fmt: skip
        return replace(
            probe_worker(HERE.observer.machine, facts.budget, "inside"),
            address=self._worker.address,
            tasks=int(self._worker.state.nthreads),
            state=state,
        )

    async def _beside(self, places: Iterable[bytes]) -> None:
        """Be told by the scheduler who is on this machine now."""
        try:
            self._limit(places, 0)
        except Exception as error:  # noqa: BLE001 - law 7: as above
            _fault("the limit is as it was", error)

    def _limit(self, places: Iterable[bytes], known: int) -> None:
        """Put the limit in force: this worker's share, where that is asked for."""
        spec, why = self._spec, "its plugin"
        if spec == AUTO:
            own = self._own(_seen())
            beside = [each for each in map(unpack_once, places) if isinstance(each, ClusterWorker)]
            beside = [own, *(each for each in beside if each.address != own.address)]
            # Those that have not announced themselves yet are taken to be as this one is.
            coming = (replace(own, address=f"{n}") for n in range(known - len(beside)))
            threads, why = share_of(own, (*beside, *coming))
            spec = str(threads)
        told = Limit(
            spec=spec,
            set_by=f"omp_magic.dask_plugin({self._spec!r}): {why}",
            undo=f"client.unregister_worker_plugin({NAME!r})",
        )
        self._lasting.put(HERE.limiter, parse_limit(spec), told)

    async def _look_on(self) -> None:
        """Look again and again; a fault is told once and ends it."""
        rest_s = LOOK_EVERY_S
        try:
            while True:
                await asyncio.sleep(rest_s)
                began_s = time.perf_counter()
                self._report(_seen())
                rest_s = max(LOOK_EVERY_S, _SHARE * (time.perf_counter() - began_s))
        except Exception as error:  # noqa: BLE001 - law 7: as above
            _fault("this worker is not looked at any more", error)

    def _report(self, facts: Snapshot) -> None:
        """Tell the scheduler what is found here and was not told yet."""
        for finding in judge(facts):
            key = finding.code, re.sub(r"\d+", "", finding.title)
            if key not in self._told:
                self._told.add(key)
                self._worker.log_event(NAME, _message(self._worker, finding))


def _message(worker: Any, finding: Finding) -> dict[str, Any]:
    """Give what msgpack carries, in words for who has the client: a worker has no magics."""
    return {
        "worker": str(worker.address),
        "name": str(worker.name),
        "code": finding.code,
        "severity": finding.severity,
        "title": in_worker(finding.title),
        "why": in_worker(finding.why),
        "remedies": list(remedies_in_worker(finding.remedies)),
    }


class _Text:
    """Pickled, it is what its text gives where it is read."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return evaluate, (self._text,)


def _seen() -> Snapshot:
    """Look at this process; on the thread of its event loop, which runs no task."""
    with HERE.lock:
        facts = HERE.observer.take(limits=HERE.limits, altered=HERE.altered)
        return replace(facts, overruns=HERE.overruns)


def _fault(what: str, error: Exception, level: int = logging.WARNING) -> None:
    _LOG.log(level, "omp_magic: %s (%s: %s)", what, type(error).__name__, error)
