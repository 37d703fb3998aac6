"""Limits as the magics use them: around one cell, or held for the session.

A failure of omp_magic itself becomes one logged line and the cell runs as if it were not there.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..errors import OmpMagicError
from ..facts.libraries import Limit
from ..facts.usage import Usage
from ..here import HERE
from ..limits.held import Held
from ..limits.notes import exceptions, topic
from ..limits.spec import ACCEPTED, LimitSpec, more_than_cpus, parse_limit
from ..probes.cost.meter import Meter
from ..probes.cpus.topology import probe_affinity
from ..views.plain import encodable
from ..views.record import appended, check_name, check_target
from ..views.usage import render_usage
from ..views.words import counted

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LOG = logging.getLogger("omp_magic")


def spec_of(text: str, also: str = "") -> LimitSpec:
    """Read a limit; a wrong one is one line for the user, with what else is accepted.

    Raises
    ------
    UsageError
        When it is no limit.
    """
    with _in_one_line():
        return parse_limit(text, accepted=ACCEPTED + also)


@contextmanager
def limited(
    shell: InteractiveShell, spec: LimitSpec, *, env: bool, report: bool, record: str | None
) -> Iterator[None]:
    """Limit the pools while a cell runs, and say afterwards what it cost.

    Parameters
    ----------
    shell
        Whose cell it is.
    spec
        The limit.
    env
        Whether child processes inherit it.
    report
        Whether to say what the cell cost.
    record
        Name of the DataFrame that a row of it is appended to, or None.

    Raises
    ------
    UsageError
        Before the cell runs, when the limit cannot be set here, or the name is no DataFrame's.
    """
    if record is not None:
        with _in_one_line():
            check_target(shell.user_ns.get(check_name(record)), record)
    held = _entered(spec, env=env)
    meter = _started() if report or record is not None else None
    usage = None
    try:
        yield
    finally:
        try:
            usage = _stopped(meter) if meter is not None else None
        finally:
            if held is not None:
                with _logged("the limits could not be put back"):
                    held.leave()
                with _logged("not said"):
                    _say(held.afterwards)
        if usage is not None and report:
            with _logged("not reported"):
                print(encodable(render_usage(spec.text, usage), sys.stdout))
        if usage is not None and record is not None:
            with _logged("not recorded"):
                _record(shell, record, usage, spec)


def _record(shell: InteractiveShell, name: str, usage: Usage, spec: LimitSpec) -> None:
    """Append a row to the user's DataFrame; importing pandas may load a BLAS, so it comes last."""
    frame = shell.user_ns.get(name)  # looked up again: the cell may have changed it
    try:
        cell = getattr(getattr(shell.displayhook, "exec_result", None), "execution_count", None)
        number = shell.execution_count if cell is None else cell
        shell.user_ns[name] = appended(frame, usage, spec=spec.text, cell=number)
    except OmpMagicError as error:
        print(f"omp_limit: not recorded: {error}", file=sys.stderr)


def _entered(spec: LimitSpec, *, env: bool) -> Held | None:
    held = None
    told = Limit(spec=spec.text, set_by=f"%%omp_limit {spec.text}", undo="the end of its cell")
    with _logged("not limited"), _in_one_line():
        held = HERE.limiter.enter(spec, env=env, told=told)
        _say(_entry_notes(spec, held))
    return held


def _started() -> Meter | None:
    with _logged("not measured"):
        meter = Meter.of(HERE.observer)
        meter.start()
        return meter
    return None


def _stopped(meter: Meter) -> Usage | None:
    with _logged("not measured"):
        return meter.stop()
    return None


class Session:
    """The limit that `%omp_limit SPEC` holds until `%omp_limit off`."""

    def __init__(self) -> None:
        self._held: Held | None = None
        self._said: tuple[str, ...] = ()
        self._labels: dict[str, str] = {}

    def set(self, text: str, *, env: bool = True) -> str:
        """Put a limit in force instead of the one before, and give a line that says so.

        Parameters
        ----------
        text
            The limit.
        env
            Whether child processes inherit it.

        Raises
        ------
        UsageError
            When it cannot be set; the one before stays in force.
        """
        spec = spec_of(text, ", or off")
        told = Limit(spec=spec.text, set_by=f"%omp_limit {spec.text}", undo="%omp_limit off")
        with _in_one_line():
            held, ended = self._put(spec, told, env=env)
        _say((*ended, *_entry_notes(spec, held)))
        pools, others = counted(len(held.amounts), "pool"), exceptions(held.notes)
        where = f"on {pools}, not on {others}" if others else f"on {pools}"
        return f"omp_limit {spec.text}: in force for this session {where}; %omp_limit off ends it"

    def adjust(self, name: str, threads: int | str, set_by: str, label: str = "") -> str:
        """Change the session's limit for one pool, and keep it for the others.

        Parameters
        ----------
        name
            Of the pool, as limits name it; ``""`` for every pool, instead of all before.
        threads
            A number or ``"auto"``.
        set_by
            Who asks, for people.
        label
            The pool's name for people, or "".

        Returns
        -------
        str
            A line that says what is in force.

        Raises
        ------
        LimitError
            When it cannot be set; the one before stays in force.
        """
        before = {} if self._held is None or not name else dict(self._held.spec.amounts)
        amounts = {each: amount.text for each, amount in before.items()}
        spec = parse_limit({**amounts, name: threads})
        self._labels[name] = label or name.rpartition("/")[2]
        text = ", ".join(
            f"{self._labels.get(each) or each} {amount.text}" if each else amount.text
            for each, amount in spec.amounts
        )
        told = Limit(spec=text, set_by=set_by, undo="%omp_limit off")
        held, ended = self._put(spec, told)
        return "; ".join((f"limit {text}", *held.notes, *ended))

    def _put(
        self, spec: LimitSpec, told: Limit, *, env: bool = True
    ) -> tuple[Held, tuple[str, ...]]:
        """Give the limit that is in force now, and what the one before could not give back."""
        held = HERE.limiter.enter(spec, env=env, everywhere=True, told=told)
        ended = self._leave()
        self._held, self._said = held, held.notes
        return held, ended

    def end(self, *, quietly: bool = False) -> str:
        """Take the limit back and give a line that says so.

        Parameters
        ----------
        quietly
            Whether what could not be given back is part of the line, and not printed.
        """
        line, otherwise = "omp_limit: no limit is in force for the session", ""
        ended: tuple[str, ...] = ()
        if self._held is not None:
            line = f"omp_limit off: {self._held.told.spec} has ended"
            otherwise = ", every pool has its own count again"
            with _in_one_line():
                ended = self._leave()
        left = "; ".join(f"{each.set_by}, until {each.undo}" for each in HERE.limits)
        line += f"; still in force: {left}" if left else otherwise
        if quietly:
            return "; ".join((line, *ended))
        _say(ended)
        return line

    def tell(self) -> str:
        """Say what is in force, a line for each limit."""
        lines = (
            f"omp_limit {each.spec} is in force, set by {each.set_by}; {each.undo} ends it"
            for each in HERE.limits
        )
        return "\n".join(lines) or "omp_limit: no limit is in force; example: %omp_limit auto"

    def cover(self) -> None:
        """Before a cell: follow the budget, and hold the limit on what was loaded past Python.

        Cells of a subshell run on another thread (ipykernel 7), which gets the limit too.
        """
        if self._held is None:
            with _logged("this thread may have an older limit"):
                HERE.sync()
        else:
            with _logged("new libraries are not limited"):
                self._held.follow()
                new = tuple(note for note in self._held.notes if note not in self._said)
                self._said += new
                _say(new)

    def _leave(self) -> tuple[str, ...]:
        if self._held is None:
            return ()
        held, self._held = self._held, None
        held.leave()
        return held.afterwards


def _entry_notes(spec: LimitSpec, held: Held) -> tuple[str, ...]:
    """Give what is worth a line when a limit begins."""
    if all(amount.auto for _, amount in spec.amounts):
        return held.notes
    line = more_than_cpus(spec, probe_affinity(HERE.observer.machine, []))
    return held.notes if line is None else (*held.notes, line)


_said: set[str | None] = set()
"""Topics of what nobody can change, and was said once: every limited cell would say it again."""


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        about = topic(note)
        if about not in _said:
            print(f"omp_limit: {note}", file=sys.stderr)
        if about is not None:
            _said.add(about)


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
