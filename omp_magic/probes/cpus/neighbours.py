"""Who else uses the CPUs that this process may use: other processes of its group, or the machine.

The group is the one whose quota binds, else the own one. What it used is one number of the kernel
where the hierarchy that counts it (v1's cpuacct) has that group too, else the sum over its
processes. These are read only when others use much, and at two looks, since a rate needs two.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ParseError
from ...facts.cpus import Budget
from ...facts.load import Neighbour, Neighbours
from ...formats.cgroupfiles import parse_cpu_stat
from ...formats.procfs import parse_stat
from ...machine import Machine
from ...machine.linux.lineage import descended
from ...machine.linux.units import ticks_per_s
from .quotas import groups_of, place_of

_MOST_PROCESSES = 1000
"""Processes that are read at a look: 10 us each."""
_MOST_SUMMED = 100
"""Processes of a group that are read at every look where the kernel does not count for it."""
_MOST_GROUPS = 200
_SHORTEST_S, _OLDEST_S = 0.1, 1.0
_SUSPECT = 0.5
"""Part of what is notable that calls for a closer look."""
_SHOWN = 3
_COMMAND_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Member:
    """One process of the group at one moment; it is the same one while `start_ticks` is."""

    start_ticks: int
    parent: int
    cpu_s: float
    comm: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What shares CPUs with this process.

    Parameters
    ----------
    folder
        The group's folder in the hierarchy that limits CPUs; "" for the whole machine.
    path
        Its path.
    counter
        The file that has its CPU time, or "".
    cpus
        CPUs that it may use.
    """

    folder: str
    path: str
    counter: str
    cpus: float


def shared_with(machine: Machine, budget: Budget) -> Shared:
    """Find the group whose CPUs this process shares.

    Raises
    ------
    OSError
        When the process's cgroups cannot be read.
    """
    place = place_of(machine, "cpu")
    groups = groups_of(machine, place)
    limiting = budget.binding.where if budget.binding.source.startswith("cgroup ") else None
    group = next((each for each in groups if each.path == limiting), groups[0] if groups else None)
    if group is None:
        return Shared("", "", "", budget.cpus)
    whole = group.path == "/" and limiting is None and not machine.in_cgroup_namespace()
    counter = f"{group.directory}/cpu.stat"
    if place.version == 1:
        counted = groups_of(machine, place_of(machine, "cpuacct"))
        same = next((each for each in counted if each.path == group.path), None)
        counter = f"{same.directory}/cpuacct.usage" if same is not None else ""
        if same is not None and counted[0].path != groups[0].path:
            counter = ""  # the process itself is counted elsewhere
    return Shared("" if whole else group.directory, group.path, counter, budget.cpus)


def used_s(machine: Machine, shared: Shared) -> float | None:
    """Give the CPU time of the group so far in s; None where the kernel does not count it."""
    try:
        text = machine.read(shared.counter) if shared.counter else ""
        if shared.counter.endswith("cpuacct.usage"):
            return int(text) / 1e9
        return parse_cpu_stat(text)["usage_usec"] / 1e6
    except (OSError, ValueError, KeyError):
        return None


class NeighbourProbe:
    """Follows who else uses the CPUs, from look to look."""

    def __init__(self) -> None:
        self._base: tuple[float, str, float | None, float | None] | None = None
        self._members: tuple[float, str, dict[int, Member]] | None = None

    def look(
        self, machine: Machine, budget: Budget, own_s: float | None, *, starved: bool
    ) -> Neighbours | None:
        """Give what others used since an earlier look; None when it is little, or not known.

        Parameters
        ----------
        machine, budget
            The machine, and the CPUs allowed.
        own_s
            CPU time of this process so far.
        starved
            Whether its threads waited for a CPU. Only then are the other processes of a whole
            machine looked at, which has no limit that they would use up.
        """
        now_s = machine.clock()
        try:
            shared = shared_with(machine, budget)
        except OSError:
            return None
        if not shared.folder and not starved:
            self._base = self._members = None
            return None
        group_s = used_s(machine, shared)
        others = self._others(now_s, shared, own_s, group_s)
        if others is None and group_s is not None and shared.folder:
            return None
        if others is not None and others < _SUSPECT * Neighbours.notable(shared.cpus):
            self._members = None
            return None
        most = _MOST_PROCESSES if others is not None or starved else _MOST_SUMMED
        members = _members(machine, shared.folder, most)
        return self._told(machine, now_s, shared, members, others)

    def _others(
        self, now_s: float, shared: Shared, own_s: float | None, group_s: float | None
    ) -> float | None:
        """Give the CPUs that the rest of the group used since the base; None when not known."""
        base = self._base
        if base is None or base[1] != shared.path or now_s - base[0] >= _OLDEST_S:
            self._base = now_s, shared.path, own_s, group_s
        if base is None or base[1] != shared.path or now_s - base[0] < _SHORTEST_S:
            return None
        if None in (own_s, group_s, base[2], base[3]):
            return None
        rest_s = (group_s or 0.0) - (base[3] or 0.0) - (own_s or 0.0) + (base[2] or 0.0)
        return max(0.0, rest_s / (now_s - base[0]))

    def _told(
        self,
        machine: Machine,
        now_s: float,
        shared: Shared,
        members: dict[int, Member],
        others: float | None,
    ) -> Neighbours | None:
        base = self._members
        if base is None or base[1] != shared.path or now_s - base[0] >= _OLDEST_S:
            self._members = now_s, shared.path, members
        if base is None or base[1] != shared.path or now_s - base[0] < _SHORTEST_S:
            return None
        seconds = now_s - base[0]
        # What its descendants use is its own doing.
        parents = {pid: member.parent for pid, member in members.items()}
        ours = {machine.pid, *descended(machine.pid, parents)}
        rates = {
            pid: (member.cpu_s - then.cpu_s) / seconds
            for pid, member in members.items()
            if (then := base[2].get(pid)) is not None and then.start_ticks == member.start_ticks
        }
        children = sum(rate for pid, rate in rates.items() if pid in ours and pid != machine.pid)
        seen = {pid: rate for pid, rate in rates.items() if pid not in ours and rate > 0}
        largest = sorted(seen, key=lambda pid: -seen[pid])[:_SHOWN]
        cpus = max(0.0, others - children) if others is not None else sum(seen.values())
        return Neighbours(
            cpus=cpus,
            allowed_cpus=shared.cpus,
            group=shared.path if shared.folder else "",
            largest=tuple(
                Neighbour(pid=pid, command=_command(machine, pid, members), cpus=seen[pid])
                for pid in largest
            ),
        )


def _members(machine: Machine, folder: str, most: int) -> dict[int, Member]:
    """Read the processes of a group and of those below it, or of all; none if too many."""
    pids = _listed(machine, folder) if folder else _all(machine)
    if len(pids) > most:
        return {}
    per_s = ticks_per_s()
    found = {}
    for pid in pids:
        try:
            stat = parse_stat(machine.read(f"/proc/{pid}/stat"))
        except (OSError, ParseError):
            continue  # it has ended meanwhile, or is hidden from us
        cpu_s = (stat.user_ticks + stat.system_ticks) / per_s
        found[pid] = Member(stat.start_ticks, stat.parent, cpu_s, stat.comm)
    return found


def _listed(machine: Machine, folder: str) -> set[int]:
    pids: set[int] = set()
    waiting = [folder]
    for _ in range(_MOST_GROUPS):
        if not waiting:
            break
        each = waiting.pop()
        try:
            listed = machine.read(f"{each}/cgroup.procs").split()
        except OSError:
            continue
        # A process of another pid namespace is listed as 0.
        pids.update(int(word) for word in listed if word.isdigit() and word != "0")
        waiting += [f"{each}/{name}" for name in machine.folders(each)]
    return pids


def _all(machine: Machine) -> set[int]:
    try:
        return {int(name) for name, _ in machine.entries("/proc") if name.isdigit()}
    except OSError:
        return set()


def _command(machine: Machine, pid: int, members: dict[int, Member]) -> str:
    try:
        text = machine.read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    except OSError:
        text = ""
    return (text or members[pid].comm)[:_COMMAND_CHARACTERS]
