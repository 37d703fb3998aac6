"""Text of /proc/self/cgroup, mountinfo, cpu.max, cfs_* -> where the limits stand and what they say.

See cgroups(7), proc_pid_mountinfo(5) and the kernel's cgroup-v1 and cgroup-v2 guides.
Nothing here opens a file: `locate` says which directories to read, leaf first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from .errors import ParseError

DEFAULT_PERIOD_US = 100_000
"""The kernel's period when cpu.max gives none (Documentation/admin-guide/cgroup-v2.rst)."""


@dataclass(frozen=True, slots=True)
class Membership:
    """One line of /proc/self/cgroup: a hierarchy and this process's path in it."""

    controllers: tuple[str, ...]
    path: str

    @property
    def unified(self) -> bool:
        """Whether this is the cgroup v2 line, ``0::PATH``."""
        return not self.controllers


@dataclass(frozen=True, slots=True)
class Mount:
    """One cgroup mount of mountinfo: which part of the hierarchy is seen where."""

    root: str
    point: str
    fstype: str
    controllers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Group:
    """One cgroup on the way from the leaf to the mount's root.

    Parameters
    ----------
    path
        Its path as /proc/self/cgroup names it.
    directory
        Where its files can be read.
    """

    path: str
    directory: str


@dataclass(frozen=True, slots=True)
class Hidden:
    """A mount that shows the process's group under a name that has to be searched for.

    The mount's root lies above the cgroup namespace (``/../..`` in mountinfo): the directories
    `depth` levels below `point` must be searched for the one that, with `rest` appended, lists
    the process in its cgroup.procs. See cgroup_namespaces(7).
    """

    point: str
    depth: int
    rest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the CPU limits of a process can be read.

    Parameters
    ----------
    version
        1 or 2: the hierarchy that carries the cpu controller. 0 when there is none.
    chains
        One chain of groups, leaf first, for each mount that shows the process's own group.
    hidden
        Mounts that must be searched.
    """

    version: int
    chains: tuple[tuple[Group, ...], ...]
    hidden: tuple[Hidden, ...]


def parse_proc_cgroup(text: str) -> tuple[Membership, ...]:
    """Give the lines of /proc/self/cgroup, ``ID:CONTROLLERS:PATH``.

    Paths may hold colons and spaces, so each line is split at its first two colons. Lines in
    another form are passed over. Named hierarchies keep their ``name=`` token.
    """
    found = []
    for line in text.split("\n"):
        parts = line.split(":", 2)
        if len(parts) == 3 and parts[2].startswith("/"):
            controllers = tuple(word for word in parts[1].split(",") if word)
            if controllers or parts[0] == "0":
                found.append(Membership(controllers, parts[2]))
    return tuple(found)


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """Give the cgroup mounts of mountinfo that can be seen, in order.

    Fields are separated by single spaces; root and mount point are escaped in octal; zero or
    more optional fields end at the first lone ``-``; super options may hold spaces (seen on
    WSL). Of two mounts on one point the last hides the first. Lines in another form are
    passed over.
    """
    on_point: dict[str, Mount] = {}
    for line in text.split("\n"):
        fields = line.split(" ")
        try:
            dash = fields.index("-", 6)
        except ValueError:
            continue
        after = fields[dash + 1 :]
        point = _unescape(fields[4])
        on_point.pop(point, None)
        if after and after[0] in ("cgroup", "cgroup2"):
            options = ",".join(after[2:])
            on_point[point] = Mount(
                _unescape(fields[3]), point, after[0], frozenset(options.split(","))
            )
    return tuple(on_point.values())


def parse_cpu_max(text: str) -> float | None:
    """Give quota/period of cgroup v2's cpu.max in CPUs, or None for no limit.

    Raises
    ------
    ParseError
        When it is neither ``max PERIOD`` nor ``QUOTA PERIOD`` nor one of the two words alone.
    """
    words = text.split()
    if not 1 <= len(words) <= 2:
        raise ParseError("cpu.max", text, "'QUOTA PERIOD' in microseconds or 'max PERIOD'")
    period_us = _number("cpu.max", words[1]) if len(words) == 2 else DEFAULT_PERIOD_US
    if words[0] == "max":
        return None
    return _ratio(_number("cpu.max", words[0]), period_us)


def parse_cfs(quota: str, period: str) -> float | None:
    """Give cgroup v1's cpu.cfs_quota_us / cpu.cfs_period_us in CPUs, or None for no limit (-1).

    Raises
    ------
    ParseError
        When either text is not one whole number.
    """
    return _ratio(_number("cpu.cfs_quota_us", quota), _number("cpu.cfs_period_us", period))


def parse_cpu_stat(text: str) -> dict[str, int]:
    """Give the ``NAME NUMBER`` lines of cpu.stat; lines in another form are passed over."""
    values = {}
    for line in text.split("\n"):
        name, _, number = line.partition(" ")
        if name and number.isascii() and number.isdigit() and len(number) <= 20:
            values[name] = int(number)
    return values


def parse_cpu_list(text: str) -> frozenset[int]:
    """Give the CPUs of a list such as ``0-3,8``, see cpuset(7).

    Raises
    ------
    ParseError
        When a part is no number and no range.
    """
    cpus: set[int] = set()
    for part in text.strip().split(","):
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part.strip(), re.ASCII)
        if match is None:
            if part.strip():
                raise ParseError("CPU list", text, "numbers and ranges such as '0-3,8'")
            continue
        first, last = int(match[1]), int(match[2] or match[1])
        cpus.update(range(first, last + 1))
    return frozenset(cpus)


@lru_cache(maxsize=4)
def locate_texts(proc_cgroup: str, mountinfo: str) -> Place:
    """Give `locate` of the two files' texts; the same texts are not parsed twice."""
    return locate(parse_proc_cgroup(proc_cgroup), parse_mountinfo(mountinfo))


def locate(memberships: Iterable[Membership], mounts: Iterable[Mount]) -> Place:
    """Say where the CPU limits of the process stand.

    The hierarchy that carries the cpu controller decides: version 1 when a line names ``cpu``
    among its controllers, else version 2. A lone v1 hierarchy without it (freezer, net_cls,
    systemd's own) does not make the system version 1.
    """
    lines = tuple(memberships)
    own = next((line for line in lines if "cpu" in line.controllers), None)
    version = 1
    if own is None:
        own = next((line for line in lines if line.unified), None)
        version = 2
    if own is None:
        return Place(0, (), ())
    chains, hidden = [], []
    for mount in mounts:
        if version == 1 and (mount.fstype != "cgroup" or "cpu" not in mount.controllers):
            continue
        if version == 2 and mount.fstype != "cgroup2":
            continue
        below = _below(own.path, mount.root)
        if below is not None:
            chains.append(chain(own.path, mount.point, below))
            continue
        search = _search(own.path, mount)
        if search is not None:
            hidden.append(search)
    return Place(version, tuple(chains), tuple(hidden))


def chain(own: str, point: str, below: tuple[str, ...]) -> tuple[Group, ...]:
    """Give the groups from the leaf `below` the mount point up to the point itself."""
    names = _parts(own)
    groups = []
    for kept in range(len(below), -1, -1):
        path = "/" + "/".join(names[: len(names) - (len(below) - kept)])
        groups.append(Group(path, "/".join((point.rstrip("/"), *below[:kept])) or "/"))
    return tuple(groups)


def _below(own: str, root: str) -> tuple[str, ...] | None:
    """Give the parts of `own` below `root`, or None when it does not lie there."""
    path, top = _parts(own), _parts(root)
    rest = path[len(top) :]
    return rest if path[: len(top)] == top and ".." not in rest else None


def _search(own: str, mount: Mount) -> Hidden | None:
    """Give how to search a mount whose root lies above the cgroup namespace."""
    top, path = _parts(mount.root), _parts(own)
    ups = path.count("..")
    if not top or set(top) != {".."} or path[:ups] != ("..",) * ups or ups >= len(top):
        return None
    return Hidden(mount.point, len(top) - ups, path[ups:])


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _number(what: str, text: str) -> int:
    word = text.strip()
    if not re.fullmatch(r"-?\d{1,20}", word, re.ASCII):
        raise ParseError(what, text, "a whole number of microseconds")
    return int(word)


def _ratio(quota_us: int, period_us: int) -> float | None:
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None
