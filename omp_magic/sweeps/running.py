"""Runs each case again and again, in rounds of random order, and repeats what was disturbed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from ..facts.sweeps import Run
from .disturbed import Ground, judged
from .port import Case, Meter, NotRunError

_SHORTEST_S = 0.1
"""A run lasts this long at least, by calling several times: the kernel counts in 10 ms."""
_SHORTEST_QUOTA_S, _LEAD_S, _LONGEST_LEAD_S = 0.5, 0.15, 2.0
"""The same below a quota, which the kernel deals out every 100 ms; and how long the code runs right
before, up to which length: what an idle moment has saved up would make many threads look fast."""
_MOST_CALLS, _MOST_SETUP = 1000, 5
_TOO_SLOW = 2.0
_SECOND_LOOKS = 3  # at most, of what is too slow, as long as something disturbs it
_SEED = 19980401
REPEATS, FEWER_REPEATS, _LONG_S = 5, 3, 20.0
"""Measured runs of a case, and of one whose runs are long, unless somebody says how many."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is.

    Parameters
    ----------
    done, total
        Runs, warm-ups among them.
    left_s
        Seconds that the others will take; None before anything is known.
    label
        What runs next.
    """

    done: int
    total: int
    left_s: float | None
    label: str


@dataclass(slots=True)
class Course:
    """What came of it.

    Parameters
    ----------
    runs
        By the case's place: the measured runs.
    left_out
        (Label, reason) of cases that were not run.
    repeated
        Runs that were made because others were disturbed.
    planned
        Runs that would have been made without an interrupt, repeated ones left out.
    interrupted
        Whether a KeyboardInterrupt ended it.
    """

    runs: dict[int, list[Run]] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    repeated: int = 0
    planned: int = 0
    interrupted: bool = False

    @property
    def interruption(self) -> list[str]:
        """A note of the interrupt, if there was one."""
        if not self.interrupted:
            return []
        made = sum(map(len, self.runs.values()))
        return [f"interrupted after {made} of {max(made, self.planned)} runs"]


class _PassingError(Exception):
    """Carries a StopIteration of the code out of generators, which would make it another error."""

    def __init__(self, error: StopIteration) -> None:
        super().__init__()
        self.error = error


class Runner:
    """Makes the runs of a sweep.

    Parameters
    ----------
    cases
        What is compared, from the fewest threads on.
    meter
        Makes each run.
    ground
        What the runs run on.
    repeats
        Measured runs of each case; chosen by how long they take when None.
    told
        Is told of each run before it begins, and of the end.
    after_first
        Called after the very first run, which is no measured one.
    """

    def __init__(  # noqa: PLR0913 - who is told what is a part of it
        self,
        cases: Sequence[Case],
        meter: Meter,
        ground: Ground,
        *,
        repeats: int | None = None,
        told: Callable[[Progress], None] = lambda _: None,
        after_first: Callable[[], None] = lambda: None,
    ) -> None:
        self._cases = cases
        self._meter = meter
        self._ground = ground
        self._repeats = repeats
        self._told = told
        self._after_first = after_first
        self._order = random.Random(_SEED)  # noqa: S311 - an order of runs
        self._calls: dict[int, tuple[int, int]] = {}
        self._expected_s: dict[int, float] = {}
        self._skipped: set[int] = set()
        self._done = 0
        self.course = Course()

    def run(self) -> Course:
        """Make all runs.

        Raises
        ------
        BaseException
            What the code raises; also KeyboardInterrupt, as long as nothing was measured.
        """
        try:
            for _ in self.steps():
                pass
        except _PassingError as passing:
            raise passing.error from None
        return self.course

    def steps(self) -> Generator[None, None, None]:
        """Make one run at each step."""
        course = self.course
        try:
            yield from self._climb()
            yield from self._rounds()
        except KeyboardInterrupt:
            if not any(course.runs.values()):
                raise
            course.interrupted = True
        course.runs = {place: runs for place, runs in course.runs.items() if runs}
        course.runs = self._judged()

    def _climb(self) -> Generator[None, None, None]:
        """Warm each case up; one that takes twice the best ends the climb of its like."""
        best_s = math.inf
        warm: dict[int, Run] = {}
        for place in range(len(self._cases)):
            if place in self._skipped:
                continue
            try:
                run = self._once(place, measured=False)
                if not self._expected_s:
                    self._look()
                yield
                warm[place] = run
                while run.wall_s > _TOO_SLOW * best_s and self._wants_another(place, warm):
                    # The first run of a case starts threads and fills caches: another one tells.
                    run = self._once(place, measured=True)
                    yield
            except NotRunError as error:
                self._skip(place, error.why)
                continue
            self._expected_s[place] = run.wall_s
            if run.wall_s > _TOO_SLOW * best_s:
                self._expected_s[place] = math.inf
                self._skip_further(place, run.wall_s / best_s)
                continue
            best_s = min(best_s, run.wall_s)
            self._calls[place] = self._calls_for(run)
        self._repeats = self._repeats or (FEWER_REPEATS if best_s > _LONG_S else REPEATS)

    def _skip_further(self, place: int, times: float) -> None:
        case = self._cases[place]
        for further in range(place + 1, len(self._cases)):
            if self._cases[further].is_more_than(case):
                self._skip(further, f"{case.label} took {times:.1f} times the best")

    def _skip(self, place: int, why: str) -> None:
        """Leave a case out, with what was measured of it."""
        if place not in self._skipped:
            self._skipped.add(place)
            self.course.left_out.append((self._cases[place].label, why))
            self.course.runs.pop(place, None)

    def _calls_for(self, run: Run) -> tuple[int, int]:
        """Give how often a run calls, and how often it calls before it is timed."""
        seconds = run.wall_s
        if seconds <= 0:
            return 1, 0
        if not self._ground.is_rationed:
            return _times(_SHORTEST_S, seconds, run.setup_s), 0
        lead = 0 if seconds > _LONGEST_LEAD_S else _times(_LEAD_S, seconds, run.setup_s)
        return _times(_SHORTEST_QUOTA_S, seconds, run.setup_s), lead

    def _rounds(self) -> Generator[None, None, None]:
        """Run each case once a round, in random order; repeat what was disturbed, up to a bound."""
        repeats = self._repeats or REPEATS
        places = [place for place, seconds in self._expected_s.items() if math.isfinite(seconds)]
        self.course.planned = len(places) * repeats
        for _ in range(repeats):
            yield from self._round(places)
        left = dict.fromkeys(places, repeats)
        while True:
            again = [
                place
                for place, runs in self._judged().items()
                if left.get(place) and sum(not run.disturbed for run in runs) < repeats
            ]
            if not again:
                return
            for place in again:
                left[place] -= 1
            self.course.repeated += len(again)
            yield from self._round(again)

    def _round(self, places: Sequence[int]) -> Generator[None, None, None]:
        for place in self._order.sample(list(places), len(places)):
            if place in self._skipped:
                continue
            try:
                self._once(place, measured=True)
            except NotRunError as error:
                self._skip(place, error.why)
            yield

    def _look(self) -> None:
        try:
            self._after_first()
        except StopIteration as error:
            raise _PassingError(error) from None

    def _once(self, place: int, *, measured: bool) -> Run:
        case = self._cases[place]
        self._told(Progress(self._done, self._total(), self._left_s(), case.label))
        self._meter.settle()
        try:
            with case.ready() as call:
                run = self._meter.run(call, *self._calls.get(place, (1, 0)), case.before)
        except StopIteration as error:
            raise _PassingError(error) from None
        self._done += 1
        if measured:
            self.course.runs.setdefault(place, []).append(run)
        return run

    def _wants_another(self, place: int, warm: Mapping[int, Run]) -> bool:
        """Tell whether a case that is too slow is to be run again before that is believed.

        The first run of a case starts threads and fills caches: only a second one tells, and that
        only where nothing disturbed it, beside the warm-ups of the cases before.
        """
        if not (runs := self.course.runs.get(place, [])):
            return True
        beside = {each: [run] for each, run in warm.items()} | {place: runs[-1:]}
        at_once = {each: self._cases[each].at_once for each in beside}
        last = judged(beside, self._ground, at_once)[place][0]
        return bool(last.disturbed) and len(runs) < _SECOND_LOOKS

    def _judged(self) -> dict[int, list[Run]]:
        keyed = {place: runs for place, runs in self.course.runs.items() if runs}
        at_once = {place: self._cases[place].at_once for place in keyed}
        return judged(keyed, self._ground, at_once)

    def _total(self) -> int:
        cases = len(self._cases) - len(self._skipped)
        return max(self._done + 1, cases * ((self._repeats or REPEATS) + 1))

    def _left_s(self) -> float | None:
        known = [each for each in self._expected_s.values() if math.isfinite(each)]
        if not known:
            return None
        usual_s = sum(known) / len(known)
        return (self._total() - self._done) * max(usual_s, _SHORTEST_S)


def _times(whole_s: float, each_s: float, setup_s: float) -> int:
    """Give how often something is called so that it takes so long; once at least.

    What is set up before each call may make the whole five times as long.
    """
    most = _MOST_SETUP * whole_s / (each_s + setup_s)
    return int(max(1, min(_MOST_CALLS, math.ceil(whole_s / each_s), most)))
