"""Limits as the magics use them: around one cell, or held for the session.

A failure of omp_magic itself becomes one logged line and the cell runs as if it were not there.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError

from .api import HERE
from .errors import OmpMagicError
from .facts import Limit
from .limits import Held
from .limitspec import LimitSpec, more_than_cpus, parse_limit
from .meter import Meter
from .probes.topology import probe_affinity
from .views.usage import render_usage
from .views.words import counted

_LOG = logging.getLogger("omp_magic")


def spec_of(text: str) -> LimitSpec:
    """Read a limit; a wrong one is one line for the user.

    Raises
    ------
    UsageError
        When it is no limit.
    """
    with _in_one_line():
        return parse_limit(text)


@contextmanager
def limited(spec: LimitSpec, *, report: bool) -> Iterator[None]:
    """Limit the pools while a cell runs, and say afterwards what it cost.

    Raises
    ------
    UsageError
        Before the cell runs, when the limit cannot be set here.
    """
    held = _entered(spec)
    meter = _started() if report else None
    try:
        yield
    finally:
        line = _stopped(meter, spec) if meter is not None else None
        if held is not None:
            with _logged("the limits could not be put back"):
                held.leave()
            with _logged("what the cell loaded is not known"):
                for name in held.missed():
                    print(f"omp_limit: {name} was loaded in this cell, unlimited", file=sys.stderr)
        if line is not None:
            print(line)


def _entered(spec: LimitSpec) -> Held | None:
    held = None
    with _logged("not limited"), _in_one_line():
        held = HERE.limiter.enter(spec)
        _say(spec, held)
    return held


def _started() -> Meter | None:
    with _logged("not measured"):
        meter = Meter(HERE.observer.machine)
        meter.start()
        return meter
    return None


def _stopped(meter: Meter, spec: LimitSpec) -> str | None:
    with _logged("not measured"):
        return render_usage(spec.text, meter.stop())
    return None


class Session:
    """The limit that `%omp_limit SPEC` holds until `%omp_limit off`."""

    def __init__(self) -> None:
        self._held: Held | None = None

    def set(self, text: str) -> str:
        """Put a limit in force instead of the one before, and give a line that says so.

        Raises
        ------
        UsageError
            When it cannot be set; the one before stays in force.
        """
        spec = spec_of(text)
        with _in_one_line():
            held = HERE.limiter.enter(spec)
        self._leave()
        self._held = held
        line = f"%omp_limit {spec.text}"
        HERE.session_limits = (Limit(spec=spec.text, set_by=line, undo="%omp_limit off"),)
        _say(spec, held)
        pools = counted(len(held.keys), "pool")
        return (
            f"omp_limit {spec.text}: in force for this session on {pools}; %omp_limit off ends it"
        )

    def end(self) -> str:
        """Take the limit back and give a line that says so."""
        if self._held is None:
            return "omp_limit: no limit is in force"
        spec = self._held.spec
        with _in_one_line():
            self._leave()
        return f"omp_limit off: {spec.text} has ended, every pool has its own count again"

    def tell(self) -> str:
        """Give a line that says what is in force."""
        if self._held is None:
            return "omp_limit: no limit is in force; example: %omp_limit auto"
        return f"omp_limit {self._held.spec.text} is in force; %omp_limit off ends it"

    def cover(self) -> None:
        """Before a cell: hold the limit also on libraries that were loaded since.

        Cells of a subshell run on another thread (ipykernel 7); the limit is the main one's.
        """
        main = threading.current_thread() is threading.main_thread()
        if self._held is not None and main:
            with _logged("new libraries are not limited"):
                self._held.cover()

    def _leave(self) -> None:
        if self._held is not None:
            self._held.leave()
            self._held = None
            HERE.session_limits = ()


def _say(spec: LimitSpec, held: Held) -> None:
    notes = list(held.notes)
    if any(not amount.auto for _, amount in spec.amounts):
        note = more_than_cpus(spec, probe_affinity(HERE.observer.machine, []))
        notes.extend([note] if note else [])
    for note in notes:
        print(f"omp_limit: {note}", file=sys.stderr)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Turn our own errors into one line without a traceback."""
    try:
        yield
    except OmpMagicError as error:
        raise UsageError(f"omp_limit: {error}") from None


@contextmanager
def _logged(consequence: str) -> Iterator[None]:
    """Turn any other failure of ours into one logged line."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
        _LOG.warning("omp_magic: %s (%s: %s)", consequence, type(error).__name__, error)
