"""The kernels of the user on this machine, look by look: `omp-magic top`.

A kernel is a process whose command line names a connection file, whoever launched it; a server that
has it tells its notebook. What costs is kept: a command line is read once in a process's life, its
memory only when it has changed in size, and the servers are asked every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..errors import OmpMagicError, ParseError
from ..facts.kernels import Kernel, Kernels, Session
from ..facts.libraries import Gap
from ..facts.snapshots import Snapshot
from ..formats.commandline import kernel_of
from ..knowledge.catalog import is_family
from ..knowledge.commands import shown_command
from ..machine import Machine
from ..machine.other import OtherMachine
from ..machine.port.others import Standing, Users
from ..machine.systems import users_here
from ..probes.others import OtherObserver
from .process import judged, standing_of
from .servers import servers, sessions_of_all

_Value = TypeVar("_Value")
_ASKED_EVERY_S = 5.0
"""Between two questions to the servers: a notebook is renamed or moved seldom."""
_JUDGED_EVERY_S = 10.0
"""So old a judgement may be though nothing of the process's own has changed: limits may have."""
_YOUNG_S = 10.0
"""So long a process is looked at anew: it may call exec yet."""
_SHORT_ID = 8


@dataclass(slots=True)
class _Known:
    """What is kept of a process as long as it lives."""

    machine: OtherMachine
    standing: Standing
    kernel_id: str
    program: str
    folder: str
    observer: OtherObserver | None = None
    facts: Snapshot | None = None
    mark: tuple[str, int] = ("", 0)
    judged_s: float = float("-inf")
    used: tuple[float, float] | None = None
    """When its CPU time was read, and that."""
    has_runtime: bool = False


@dataclass(slots=True)
class KernelWatch:
    """Looks again and again.

    Parameters
    ----------
    every
        Whether to show all processes of the user that have an OpenMP or BLAS runtime mapped.
    folder
        Jupyter's runtime folder; the user's own when None.
    users
        Lists the user's processes.
    own
        The machine of the running process, which is left out.
    """

    every: bool = False
    folder: str | None = None
    users: Users = field(default_factory=users_here)
    own: Machine = field(default_factory=Machine.here)
    _known: dict[int, _Known] = field(default_factory=dict)
    _strangers: dict[int, float] = field(default_factory=dict)
    _swept_s: float = float("-inf")
    _sessions: dict[str, Session] = field(default_factory=dict)
    _asked: list[Gap] = field(default_factory=list)
    _asked_s: float = float("-inf")
    _looked_s: float | None = None

    def look(self) -> Kernels:
        """Give the kernels that live now; one that has ended meanwhile is not among them."""
        now_s = self.own.clock()
        self._list(now_s)
        self._ask(now_s)
        gaps = list(self._asked)
        rows = []
        waiting = self._wrappers()
        for pid, known in list(self._known.items()):
            row = self._row(known, now_s, gaps) if pid not in waiting else None
            if row is not None and (known.kernel_id or known.has_runtime):
                rows.append(row)
        before, self._looked_s = self._looked_s, now_s
        return Kernels(
            kernels=tuple(rows),
            interval_s=None if before is None else now_s - before,
            every=self.every,
            gaps=tuple(gaps),
        )

    def _list(self, now_s: float) -> None:
        """Know the processes that live now.

        One that was just forked has its parent's command line until it calls exec, and a number may
        be another process's later: so what is none to show is looked at again.
        """
        alive = set(self.users.pids()) - {self.own.pid}
        self._known = {pid: known for pid, known in self._known.items() if pid in alive}
        sweeps = now_s - self._swept_s >= _JUDGED_EVERY_S
        self._swept_s = now_s if sweeps else self._swept_s
        for pid in alive - self._known.keys():
            since_s = self._strangers.setdefault(pid, now_s)
            if sweeps or now_s - since_s < _YOUNG_S:
                met = self._met(pid)
                if met is not None:
                    self._known[pid] = met
        self._strangers = {
            pid: since_s
            for pid, since_s in self._strangers.items()
            if pid in alive and pid not in self._known
        }

    def _met(self, pid: int) -> _Known | None:
        """Look at a process for the first time; None for one that is not shown."""
        machine = OtherMachine(pid)
        try:
            words = machine.others.arguments()
            kernel_id = kernel_of(words) or ""
            if not kernel_id and not self.every:
                return None
            standing = standing_of(machine)
        except (OSError, ParseError, OmpMagicError):
            return None  # it has ended, or is none that may be looked at
        try:
            folder = machine.others.folder()
        except OSError:
            folder = ""
        program = shown_command(words, standing.name)
        if standing.forked:
            kernel_id = ""  # a child that goes on with the command line of its parent
            if not self.every:
                return None
        return _Known(machine, standing, kernel_id, program, folder)

    def _wrappers(self) -> set[int]:
        """Give what only waits for a kernel (conda run, a shell): the kernel is its child."""
        kernels = [each for each in self._known.values() if each.kernel_id]
        parents = {(each.standing.parent, each.kernel_id) for each in kernels}
        return {
            each.standing.pid for each in kernels if (each.standing.pid, each.kernel_id) in parents
        }

    def _ask(self, now_s: float) -> None:
        """Ask the servers for their sessions, when that is some time ago."""
        if now_s - self._asked_s < _ASKED_EVERY_S:
            return
        self._asked_s, self._asked, self._sessions = now_s, [], {}
        alive = set(self.users.pids())
        for server, told in sessions_of_all(servers(self._asked, self.folder)).items():
            if not isinstance(told, Exception):
                self._sessions |= {session.kernel_id: session for session in told}
            elif server.pid in alive:  # one that was killed leaves its file
                what = f"notebooks of the server at {server.url}"
                self._asked.append(Gap(what=what, why=str(told)))

    def _row(self, known: _Known, now_s: float, gaps: list[Gap]) -> Kernel | None:
        """Give a process's line; None when it has ended."""
        machine, pid = known.machine, known.standing.pid
        try:
            met = self._as_it_is(known, machine.others.standing())
            if met is None:
                return None
            known, machine = met, met.machine
            threads = machine.system.num_threads()
            mark = machine.system.size_mark()
            used_s = self.own.system.cpu_s(pid)
            rss_bytes = machine.system.memory_use(shared=False).rss_bytes
        except (FileNotFoundError, ProcessLookupError):
            return None
        except (OSError, ParseError) as error:
            gaps.append(Gap.of(f"process {pid}", error))
            return None
        cpus = None
        if known.used is not None and now_s > known.used[0]:
            cpus = max(0.0, used_s - known.used[1]) / (now_s - known.used[0])
        known.used = now_s, used_s
        self._judge(known, (mark, threads), now_s)
        facts = known.facts
        session = self._sessions.get(known.kernel_id)
        found = facts.findings if facts is not None else ()
        return Kernel(
            pid=pid,
            name=_name(known, session),
            kernel_id=known.kernel_id,
            kind=session.kind if session else "",
            state=session.state if session else "",
            program=known.program,
            folder=known.folder,
            cpus=cpus,
            num_threads=threads,
            rss_bytes=rss_bytes,
            allowed_cpus=facts.budget.cpus if facts is not None else None,
            runtimes=tuple(each.title for each in facts.libraries) if facts is not None else (),
            findings=tuple(dict.fromkeys(each.code for each in found)),
            severity=found[0].severity if found else "",
        )

    def _as_it_is(self, known: _Known, now: Standing) -> _Known | None:
        """Give the same, or what it has become by exec; None when it has ended, or is not shown.

        A kernel that `omp-magic run` starts, or a shell's ``exec``, has one number all the time.
        """
        was = known.standing
        if not now.ended and (now.started, now.image) == (was.started, was.image):
            return known
        met = None if now.ended or now.started != was.started else self._met(now.pid)
        if met is None:
            del self._known[now.pid]
        else:
            self._known[now.pid] = met
        return met

    def _judge(self, known: _Known, mark: tuple[str, int], now_s: float) -> None:
        """Take a snapshot where memory or threads have changed, or the last one is old."""
        fresh = mark[0] and mark == known.mark and now_s - known.judged_s < _JUDGED_EVERY_S
        if fresh:
            return
        known.mark, known.judged_s = mark, now_s
        words = _filed("its command line", [], known.machine.others.arguments)
        known.program = shown_command(words or (), known.standing.name)  # after an exec another one
        if not known.kernel_id:
            known.has_runtime = _has_runtime(known.machine)
            if not known.has_runtime:
                return
        if known.observer is None:
            known.observer = OtherObserver(known.machine, known.standing)
        known.facts = judged(known.observer.take())


def _has_runtime(machine: OtherMachine) -> bool:
    try:
        return any(is_family(file.file_name) for file in machine.system.process_map().mapped)
    except (OSError, ParseError):
        return False


def _name(known: _Known, session: Session | None) -> str:
    """Give what people call it."""
    if session is not None and session.path:
        return session.path
    if not known.kernel_id:
        return known.program
    short = known.kernel_id[:_SHORT_ID]
    return f"kernel {short} in {known.folder}" if known.folder else f"kernel {short}"


def _filed(what: str, gaps: list[Gap], ask: Callable[[], _Value]) -> _Value | None:
    try:
        return ask()
    except (OSError, ParseError) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or str(error)
        gaps.append(Gap(what=what, why=why))
        return None


def ordered(found: Kernels, by: str) -> Kernels:
    """Give the same in order: the most CPUs, threads or findings first, or by name."""
    return replace(found, kernels=tuple(sorted(found.kernels, key=_KEYS[by])))


_SEVERITIES = ("error", "warning", "info", "")
_KEYS: dict[str, Callable[[Kernel], tuple[float | str, ...]]] = {
    "cpu": lambda each: (-(each.cpus or 0.0), each.name, each.pid),
    "threads": lambda each: (-(each.num_threads or 0), each.name, each.pid),
    "findings": lambda each: (
        _SEVERITIES.index(each.severity),
        -len(each.findings),
        each.name,
        each.pid,
    ),
    "name": lambda each: (each.name, each.pid),
}
ORDERS = tuple(_KEYS)
"""What they may be sorted by."""
