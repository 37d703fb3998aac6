"""One look at a cluster: all of its workers are asked, brought what they lack, and limited."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..bars import Bar
from ..facts.clusterhosts import hosts_of
from ..facts.clusters import ClusterWorker
from ..facts.clustersnapshots import ClusterSnapshot
from ..facts.gaps import Gap
from ..facts.workerstate import LIMIT
from .answers import lacks_us, worker_of
from .carried import carrying_text_of, text_of
from .ownversions import own_versions
from .port import Answer, ClusterError, Engine, Seat
from .shares import AUTO, share_on

OFF = "off"
"""The limit that gives back what each worker had."""
HOLD = "hold"
EXAMPLE = "omp_magic.cluster(client, {})"

_INTERRUPTED = "not waited for: interrupted"
_NOT_ASKED = "not asked of {} without an answer: there it is as it was"
_CUT = "not asked of {}, interrupted: there it is as it was"
_UNSURE = "not known whether it is in force there: {}"

_Call = tuple[str | float, ...]
"""A function of `atworker`, and the arguments of its own."""


class Asking:
    """One look at a cluster, and one limit.

    Parameters
    ----------
    engine
        The cluster.
    each_s
        Seconds that each worker has for each question.
    bar
        Shows how many have answered.
    outside
        Gives what can be known of a worker of this machine that has not answered.
    """

    def __init__(
        self,
        engine: Engine,
        each_s: float,
        bar: Bar,
        outside: Callable[[ClusterWorker], ClusterWorker] = lambda worker: worker,
    ) -> None:
        self._engine, self._each_s, self._bar, self._outside = engine, each_s, bar, outside
        self._began_s = time.monotonic()
        self._token = uuid.uuid4().hex
        self._lacking: set[str] = set()
        self._cut = False

    def snapshot(self, limit: str | None) -> ClusterSnapshot:
        """Ask all workers, limit them, and give what they said.

        Parameters
        ----------
        limit
            `AUTO`, `OFF`, or as `omp_magic.limit` takes it; None for no change.

        Raises
        ------
        ClusterError
            When the engine does not say who its workers are.
        KeyboardInterrupt
            When it came before any worker had answered.
        """
        seats = self._engine.seats()
        besides = _optional(self._engine, "besides") if limit == AUTO else ()
        gaps: tuple[Gap, ...] = ()
        try:
            found = self._ask(("look", self._token), (*seats, *besides), "looks")
            workers = {seat.address: found.pop(seat.address) for seat in seats}
            if self._cut and all(each.gap is not None for each in workers.values()):
                raise KeyboardInterrupt
            seats, gaps = self._replaced(seats, workers)
            for seat in seats:
                if seat.beside and workers[seat.address].gap is not None and not self._cut:
                    workers[seat.address] = self._outside(workers[seat.address])
            if limit is not None:
                calls = _calls(limit, workers, found)
                gaps = (*gaps, *self._limit(calls, seats, workers))
        finally:
            self._bar.close()
        return ClusterSnapshot(
            engine=self._engine.kind,
            title=self._engine.title,
            workers=tuple(workers.values()),
            took_s=time.monotonic() - self._began_s,
            limit=limit,
            own_versions=own_versions(workers.values()),
            gaps=gaps,
        )

    def _replaced(
        self, seats: Sequence[Seat], workers: dict[str, ClusterWorker]
    ) -> tuple[tuple[Seat, ...], tuple[Gap, ...]]:
        """Ask those that came while others were asked; one may be in the place of one that ended.

        Returns
        -------
        tuple
            The seats that `workers` has now, and what became of those that it has no more.
        """
        silent = not self._cut and any(each.gap is not None for each in workers.values())
        given = _optional(self._engine, "again") if silent else ()
        now = {seat.address: seat for seat in given}
        coming = [seat for address, seat in now.items() if address not in workers]
        came = self._ask(("look", self._token), coming, "looks") if coming else {}
        by_name = {seat.name: seat for seat in coming if seat.name}
        gaps, places = [], []
        for seat in seats:
            gap = workers[seat.address].gap
            heir = None if gap is None or seat.address in now else by_name.pop(seat.name, None)
            places.append(heir or seat)
            if heir is not None and gap is not None:
                gaps.append(replace(gap, why=f"{gap.why}; {heir.address} is in its place"))
        places += [seat for seat in coming if seat not in places]
        found = {**workers, **came}
        workers.clear()
        workers.update({seat.address: found[seat.address] for seat in places})
        return tuple(places), tuple(gaps)

    def _limit(
        self,
        calls: Mapping[str, _Call],
        seats: Sequence[Seat],
        workers: dict[str, ClusterWorker],
    ) -> tuple[Gap, ...]:
        """Limit the workers that have answered, and put what they say then in their places."""
        by_call: dict[_Call, list[Seat]] = {}
        for seat in seats:
            if seat.address in calls:
                by_call.setdefault(calls[seat.address], []).append(seat)
        cut = 0
        for call, those in by_call.items():
            if self._cut:
                cut += len(those)
                continue
            # A worker that gets it later, when nobody waits any more, leaves everything as it is.
            within_s = time.monotonic() - self._began_s + self._each_s
            told = self._ask((*call, self._token, round(within_s, 3)), those, "limits")
            for address, now in told.items():
                before = workers[address]
                workers[address] = now if now.gap is None else _unsure(before, now.gap)
            for seat in those:
                if seat.passing and call[0] == HOLD:
                    gap = Gap(what=LIMIT, why=seat.passing, where=seat.address)
                    worker = workers[seat.address]
                    workers[seat.address] = replace(worker, gaps=(*worker.gaps, gap))
        left = (_NOT_ASKED, len(workers) - len(calls)), (_CUT, cut)
        return tuple(
            Gap(what=LIMIT, why=why.format(f"{number} worker{'' if number == 1 else 's'}"))
            for why, number in left
            if number
        )

    def _ask(self, call: _Call, seats: Sequence[Seat], doing: str) -> dict[str, ClusterWorker]:
        """Ask seats, those without omp_magic a second time; a worker for each, in their order."""
        found: dict[str, ClusterWorker] = {}

        def arrived(answer: Answer) -> None:
            address = answer.seat.address
            if lacks_us(answer) and address not in self._lacking:
                self._lacking.add(address)
                return
            found[address] = worker_of(answer)
            self._bar.tell(len(found), len(seats), doing, f"{len(found)} of {len(seats)} workers")

        name, *arguments = call
        written = f"{name}({', '.join(map(repr, arguments))})"
        try:
            self._bar.tell(0, len(seats), doing, f"{len(seats)} workers")
            self._engine.ask(text_of(written), seats, self._each_s, arrived)
            self._bring(written, [each for each in seats if each.address not in found], arrived)
        except KeyboardInterrupt:
            self._cut = True
        cut = (Answer(seat=each, error=_INTERRUPTED) for each in seats if each.address not in found)
        found |= {each.seat.address: worker_of(each) for each in cut}
        return {seat.address: found[seat.address] for seat in seats}

    def _bring(
        self, written: str, seats: Sequence[Seat], arrived: Callable[[Answer], None]
    ) -> None:
        """Ask seats that lack omp_magic, with ours in the text."""
        if not seats:
            return
        try:
            text = carrying_text_of(written)
        except OSError as error:
            for seat in seats:
                arrived(Answer(seat=seat, error=f"no omp_magic there, and none to bring: {error}"))
        else:
            self._engine.ask(text, seats, self._each_s, arrived)


def _optional(engine: Engine, name: str) -> tuple[Seat, ...]:
    """Give the seats that an engine has by a method that not all have; () where it fails."""
    give = getattr(engine, name, tuple)
    try:
        return tuple(give())
    except ClusterError:
        return ()


def _calls(
    limit: str, workers: Mapping[str, ClusterWorker], besides: Mapping[str, ClusterWorker]
) -> dict[str, _Call]:
    """Give what is called at each worker that has answered, by address.

    Parameters
    ----------
    limit
        As in `Asking.snapshot`.
    workers
        Those that are meant.
    besides
        Others of the same cluster: their tasks run on the same CPUs.
    """
    known = [each for each in workers.values() if each.gap is None]
    if limit == OFF:
        return {each.address: ("release",) for each in known}
    set_by = EXAMPLE.format(f"limit={limit!r}")
    if limit != AUTO:
        return {each.address: (HOLD, limit, set_by) for each in known}
    return {
        worker.address: (HOLD, str(threads), f"{set_by}: {why}")
        for host in hosts_of((*workers.values(), *besides.values()))
        if host.cpus is not None
        for worker in host.workers
        if worker.gap is None and worker.address in workers
        for threads, why in [share_on(host, worker)]
    }


def _unsure(worker: ClusterWorker, gap: Gap) -> ClusterWorker:
    """Give a worker that has answered the first question and not the one that limits it."""
    unsure = Gap(what=LIMIT, why=_UNSURE.format(gap.why), where=gap.where)
    return replace(worker, gaps=(*worker.gaps, unsure))
