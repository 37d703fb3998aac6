"""Text of /proc/self/cgroup and mountinfo -> where the limits of a process stand.

See cgroups(7), proc_pid_mountinfo(5) and the kernel's cgroup-v1 and cgroup-v2 guides.
Nothing here opens a file: `locate` says which directories to read, leaf first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


class Membership(NamedTuple):
    """One line of /proc/self/cgroup: a hierarchy and this process's path in it."""

    controllers: tuple[str, ...]
    path: str

    @property
    def unified(self) -> bool:
        """Whether this is the cgroup v2 line, ``0::PATH``."""
        return not self.controllers


class Mount(NamedTuple):
    """One cgroup mount of mountinfo: which part of the hierarchy is seen where."""

    root: str
    point: str
    fstype: str
    controllers: frozenset[str]


class Group(NamedTuple):
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


class Hidden(NamedTuple):
    """A mount that shows the process's group under a name that has to be searched for.

    The mount's root lies above the cgroup namespace (``/../..`` in mountinfo): the directories
    `depth` levels below `point` must be searched for the one that, with `rest` appended, lists
    the process in its cgroup.procs. See cgroup_namespaces(7).
    """

    point: str
    depth: int
    rest: tuple[str, ...]


class Place(NamedTuple):
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


@lru_cache(maxsize=16)
def locate_texts(proc_cgroup: str, mountinfo: str, controller: str = "cpu") -> Place:
    """Give `locate` of the two files' texts; the same texts are not parsed twice."""
    return locate(parse_proc_cgroup(proc_cgroup), parse_mountinfo(mountinfo), controller)


def locate(
    memberships: Iterable[Membership], mounts: Iterable[Mount], controller: str = "cpu"
) -> Place:
    """Say where the limits of the process stand that a controller sets.

    The hierarchy that carries the controller decides: version 1 when a line names it among
    its controllers, as a whole word, else version 2. A lone v1 hierarchy without it (freezer,
    net_cls, systemd's own) does not make the system version 1.
    """
    lines = tuple(memberships)
    own = next((line for line in lines if controller in line.controllers), None)
    version = 1
    if own is None:
        own = next((line for line in lines if line.unified), None)
        version = 2
    if own is None:
        return Place(0, (), ())
    chains, hidden = [], []
    for mount in mounts:
        if version == 1 and (mount.fstype != "cgroup" or controller not in mount.controllers):
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
