"""Where the files of another process lie: its own /proc, its container's root, our cgroups."""

from __future__ import annotations

import os

from ...formats.cgroups import locate_texts, parse_mountinfo, parse_proc_cgroup

_SELF = "/proc/self"


class Elsewhere:
    """Turns a path as a process has it into one that leads to the same file from here.

    Parameters
    ----------
    pid
        The process.

    Notes
    -----
    What the kernel tells of mounts and cgroups is told for whoever reads it (cgroup_show_path and
    proc_cgroup_show in kernel/cgroup/cgroup.c take the reader's cgroup namespace). So a group of
    another process is looked for in our own mounts, which show all that is above it too; only
    where they do not show it, in the mounts of that process.

    A process in another mount namespace has its files below /proc/PID/root (proc_pid_root(5)).
    One in ours that was put into a folder by chroot(2) names files as we see them already.
    """

    def __init__(self, pid: int) -> None:
        self._own = f"/proc/{pid}"
        self._root = "" if _same(pid, "mnt") else f"{self._own}/root"
        self._mounts = "/proc/self/mountinfo"
        self._points: tuple[str, ...] = ("/sys/",)
        if self._root:
            self._choose_mounts()

    def _choose_mounts(self) -> None:
        try:
            groups, ours = _text(f"{self._own}/cgroup"), _text(self._mounts)
        except OSError:
            return
        # Of v1 each controller may be mounted apart: all are seen in one place or in the other.
        named = [name for row in parse_proc_cgroup(groups) for name in row.controllers]
        if any(locate_texts(groups, ours, name).chains for name in ("cpu", *named)):
            self._points = ("/sys/", *(f"{mount.point}/" for mount in parse_mountinfo(ours)))
        else:
            self._mounts = f"{self._own}/mountinfo"
            self._points = ()

    def path(self, name: str) -> str:
        """Give where a path leads."""
        if name == f"{_SELF}/mountinfo":
            return self._mounts
        if name == f"{_SELF}/ns/cgroup":
            return name  # whether what lies above is out of sight is a matter of who looks
        if name == _SELF or name.startswith(f"{_SELF}/"):
            return self._own + name[len(_SELF) :]
        if not self._root or name.startswith(("/proc/", *self._points)) or name == "/proc":
            return name
        return self._root + name


def _same(pid: int, namespace: str) -> bool:
    """Tell whether a process is in our namespace; one of which that is not told is taken to be."""
    try:
        theirs = os.readlink(f"/proc/{pid}/ns/{namespace}")
        return theirs == os.readlink(f"{_SELF}/ns/{namespace}")
    except OSError:
        return True


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
