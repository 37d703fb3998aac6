"""The descendants of this process and the CPUs they use, cheap enough for once a second."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ParseError
from ...facts.libraries import Gap
from ...facts.ticks import ChildTick
from ...machine import Machine
from ...machine.port.rows import CHILDREN
from .pace import Pace

MOST_CHILDREN = 50

_WHAT = CHILDREN
_COMMAND_CHARACTERS = 160


@dataclass(slots=True)
class _Member:
    """One descendant at the look before."""

    started: int
    name: tuple[str, bool] | None
    command: str
    at_s: float
    cpu_s: float | None


class Family:
    """Follows the descendants of this process from look to look.

    Without a child a look costs one system call. Their parents are asked anew as often as the
    `Pace` allows; in between a new child goes unseen.

    Parameters
    ----------
    machine
        The machine to read.
    plain
        The same, its reads giving the GIL away: a command line lies in the memory of another
        process, which may have to be read from disk.
    """

    def __init__(self, machine: Machine, plain: Machine) -> None:
        self._machine = machine
        self._plain = plain
        self._pace = Pace()
        self._pids: list[int] = []
        self._members: dict[int, _Member] = {}
        self._relatives = machine.system.relatives()
        self._fault: Gap | None = None

    def look(self, now_s: float, gaps: list[Gap]) -> tuple[ChildTick, ...]:
        """Give the descendants that live now, by pid.

        Parameters
        ----------
        now_s
            A clock that never goes back.
        gaps
            Receives what cannot be read, or is not looked at.
        """
        why = self._machine.system.lacks(CHILDREN)
        if why:
            gaps.append(Gap(what=_WHAT, why=why))
            return ()
        if not self._machine.system.has_child():
            self._pids, self._members = [], {}
            self._relatives.forget()
            return ()
        if self._pace.may(now_s):
            self._fault = None
            try:
                self._pids = sorted(self._relatives.pids())
            except (OSError, ParseError) as error:
                self._fault = Gap.of(_WHAT, error)
            self._pace.done(now_s)
        if self._fault is not None:
            gaps.append(self._fault)
        unasked = self._relatives.unasked
        if unasked:
            why = f"{unasked} processes have not been asked yet for their parent"
            gaps.append(Gap(what=_WHAT, why=why))
        if len(self._pids) > MOST_CHILDREN:
            why = f"only the first {MOST_CHILDREN} of {len(self._pids)} are looked at"
            gaps.append(Gap(what=_WHAT, why=why))
        before, self._members = self._members, {}
        found = (self._tick(pid, before, now_s) for pid in self._pids[:MOST_CHILDREN])
        return tuple(tick for tick in found if tick is not None)

    def _tick(self, pid: int, before: dict[int, _Member], now_s: float) -> ChildTick | None:
        found = self._relatives.one(pid)
        if found is None:
            return None
        now, cpu_s = found
        then = before.get(pid)
        if then is not None and then.started != now.started:
            then = None
        # The name and this flag change when it starts another program.
        name = now.command, now.forked
        text = then.command if then is not None and then.name == name else self._command(pid)
        # In the middle of an exec there is none (get_mm_cmdline in fs/proc/base.c): ask again.
        kept = name if text else None
        self._members[pid] = _Member(now.started, kept, text, now_s, cpu_s)
        cpus = None
        if then is not None and then.cpu_s is not None and cpu_s is not None and now_s > then.at_s:
            cpus = max(0.0, cpu_s - then.cpu_s) / (now_s - then.at_s)
        command = text or _shown(now.command)
        return ChildTick(pid=pid, command=command, num_os_threads=now.num_threads, cpus=cpus)

    def _command(self, pid: int) -> str:
        try:
            return _shown(self._plain.system.command(pid))
        except OSError:
            return ""


def _shown(text: str) -> str:
    short = text[: _COMMAND_CHARACTERS + 1].replace("\0", " ").strip()[:_COMMAND_CHARACTERS]
    return short.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
