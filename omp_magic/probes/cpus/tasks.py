"""How many threads may still start here: the pids controller, RLIMIT_NPROC, the machine."""

from __future__ import annotations

from ...errors import ParseError
from ...facts.libraries import Gap
from ...facts.tasks import TaskBound, TaskBudget, Want
from ...formats.cgroups import Group, Place
from ...formats.tasks import (
    escapes_nproc,
    parse_nproc,
    parse_owner,
    parse_refused,
    parse_running,
    parse_tasks,
)
from ...machine import Machine
from ...machine.port.cpurows import THERE_IS_NONE
from ...machine.port.rows import TASK_LIMITS
from .quotas import groups_of, place_of

_WHAT = "limit on threads"
_NEAR = 1024
"""Room below which the tasks of a user are counted, which costs 20 us a process."""
_TIGHT = 64
"""Room below which the kernel's count of refusals is read too."""
_MOST_PROCESSES = 2000
_SHARED_S = 0.5
_SYSTEM_S = 10.0
"""So long what only an administrator changes is not read again, nor a user's tasks counted."""
_SYSTEM = ("threads-max", "pid_max")


class TaskProbe:
    """Reads what bounds the tasks, and keeps what few looks could find changed."""

    def __init__(self) -> None:
        self._place: Place | None = None
        self._groups: tuple[Group, ...] = ()
        self._system: tuple[int | None, ...] = ()
        self._system_s = self._counted_s = float("-inf")
        self._counted: tuple[int, int | None, str] | None = None
        self._beyond: tuple[TaskBound, ...] = ()
        self._beyond_s = float("-inf")
        self._beyond_of: tuple[int, tuple[int, ...]] = (0, ())

    def look(self, machine: Machine, wants: tuple[Want, ...], gaps: list[Gap]) -> TaskBudget:
        """Give the budget of threads. What cannot be read becomes a `Gap`.

        Parameters
        ----------
        machine
            The machine to read.
        wants
            What loaded pools have yet to start.
        gaps
            Receives what could not be read.
        """
        why = machine.system.lacks(TASK_LIMITS)
        if why:
            if why != THERE_IS_NONE:
                gaps.append(Gap(what=_WHAT, why=why))
            return TaskBudget(wants=wants)
        bounds = list(self._of_groups(machine, gaps))
        try:
            bounds += self._beyond_groups(machine)
        except (OSError, ParseError) as error:
            gaps.append(Gap.of(_WHAT, error))
        return TaskBudget(bounds=tuple(bounds), wants=wants)

    def _beyond_groups(self, machine: Machine) -> tuple[TaskBound, ...]:
        """Give the bounds of the system and of the user; two looks within half a second share them.

        They are rarely near, and cost as much as the cgroups, which are read at each look.
        """
        now_s, limit = machine.clock(), machine.user_limit()
        whose = (machine.pid, limit or ())
        old = whose != self._beyond_of or not 0 <= now_s - self._beyond_s < _SHARED_S
        if old or limit is None:
            running = parse_running(machine.read("/proc/loadavg"))
            found = (*self._of_system(machine, running), self._of_user(machine, running))
            near = any(each.free is not None and each.free < _NEAR for each in found)
            self._beyond, self._beyond_of = found, whose
            self._beyond_s = float("-inf") if near else now_s
        return self._beyond

    def _of_groups(self, machine: Machine, gaps: list[Gap]) -> list[TaskBound]:
        """Read each visible group, leaf to root; a level without the file sets no limit."""
        try:
            place = place_of(machine, "pids")
        except OSError as error:
            gaps.append(Gap.of(_WHAT, error))
            return []
        if place is not self._place:
            self._place, self._groups = place, groups_of(machine, place)
        bounds = []
        for group in self._groups:
            try:
                bounds.append(_of_group(machine, group, place.version))
            except FileNotFoundError:
                continue  # the root has none, and a level to which pids is not delegated
            except (OSError, ParseError) as error:
                gaps.append(Gap.of(f"{_WHAT} of {group.path}", error, group.directory))
        return bounds

    def _of_system(self, machine: Machine, running: int) -> list[TaskBound]:
        now_s = machine.clock()
        if now_s - self._system_s >= _SYSTEM_S:
            self._system_s = now_s
            self._system = tuple(_number(machine, f"/proc/sys/kernel/{each}") for each in _SYSTEM)
        return [
            TaskBound(
                source=name,
                limit=limit,
                # A pid namespace may have a pid_max of its own, which `running` is no use of.
                used=running if limit is not None and running <= limit else None,
                name=f"kernel.{name}",
                file=f"/proc/sys/kernel/{name}",
            )
            for name, limit in zip(_SYSTEM, self._system, strict=True)
        ]

    def _of_user(self, machine: Machine, running: int) -> TaskBound:
        """Give RLIMIT_NPROC, which counts all tasks of the user; see setrlimit(2)."""
        file = "/proc/self/limits"
        limit = parse_nproc(machine.read(file))
        used, reason = None, ""
        if limit is not None and running <= limit - _NEAR:
            reason = f"not counted: the whole machine has {running} tasks"
        elif limit is not None:
            used, reason = self._of_this_user(machine, limit)
        return TaskBound(
            source="RLIMIT_NPROC",
            limit=limit,
            used=used,
            name="ulimit -u",
            file=file,
            reason=reason,
        )

    def _of_this_user(self, machine: Machine, limit: int) -> tuple[int | None, str]:
        """Give the tasks of the user, and why the limit does not hold or they are not known."""
        status = machine.read("/proc/self/status")
        if escapes_nproc(status, machine.read("/proc/self/uid_map")):
            return None, "it does not hold for root, nor with CAP_SYS_RESOURCE or CAP_SYS_ADMIN"
        uid, _ = parse_owner(status)
        now_s, known = machine.clock(), self._counted
        old = known is None or known[0] != uid or now_s - self._counted_s >= _SYSTEM_S
        if old or (known and known[1] is not None and limit - known[1] < _TIGHT):
            known = self._counted = (uid, *_count(machine, uid))
            self._counted_s = now_s
        return (known[1], known[2]) if known else (None, "")


def _of_group(machine: Machine, group: Group, version: int) -> TaskBound:
    file = f"{group.directory}/pids.max"
    limit = parse_tasks("pids.max", machine.read(file))
    used = refused = None
    if limit is not None:
        used = parse_tasks("pids.current", machine.read(f"{group.directory}/pids.current"))
        if used is not None and limit - used < _TIGHT:
            refused = _refused(machine, group)
    return TaskBound(
        source=f"cgroup v{version}",
        limit=limit,
        used=used,
        where=group.path,
        name="pids.max",
        file=file,
        refused=refused,
    )


def _refused(machine: Machine, group: Group) -> int | None:
    try:
        return parse_refused(machine.read(f"{group.directory}/pids.events"))
    except OSError:
        return None  # Linux before 4.8 has no such file


def _number(machine: Machine, file: str) -> int | None:
    try:
        return parse_tasks(file, machine.read(file))
    except (OSError, ParseError):
        return None


def _count(machine: Machine, uid: int) -> tuple[int | None, str]:
    """Count the tasks of a user that can be seen; None, and why, where there are too many."""
    pids = [name for name, _ in machine.entries("/proc") if name.isdigit()]
    if len(pids) > _MOST_PROCESSES:
        return None, f"not counted: there are {len(pids)} processes"
    used = 0
    for pid in pids:
        try:
            owner, threads = parse_owner(machine.read(f"/proc/{pid}/status"))
        except (OSError, ParseError):
            continue  # it has ended meanwhile
        used += threads if owner == uid else 0
    return used, ""
