"""The one door to the machine: a root folder, an environment, an affinity, a pid, a clock."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager

    from .port.cpusystem import CpuSystem
    from .port.native import Native
    from .port.rows import Memory
    from .port.system import System

_MOST_BYTES = 64 * 1024 * 1024


class Machine:
    """What probes read, real or laid out in a folder.

    Parameters
    ----------
    root
        Folder laid out like ``/``. Paths that a probe asks for are taken below it.
    environ
        Environment variables; ``os.environ`` when None.
    affinity
        CPUs this process may run on, as a count or as a set of CPU numbers. When None, the
        running process is asked, or the folder's ``/proc/self/status`` under another root.
    pid
        The process as cgroup.procs files name it; the running process when None.
    clock
        Seconds since some start, as a function.
    system
        Makes what tells of the process; that of the running system when None, and Linux' files
        under another root.

    Examples
    --------
    >>> Machine("/", affinity=4).affinity
    4
    """

    def __init__(  # noqa: PLR0913 - the door to all that tells of a process
        self,
        root: str | os.PathLike[str] = "/",
        environ: Mapping[str, str] | None = None,
        affinity: int | Collection[int] | None = None,
        pid: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        system: Callable[[Machine], System] | None = None,
    ) -> None:
        self.root = os.fspath(root)
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.affinity = affinity
        self.pid = os.getpid() if pid is None else pid
        self.clock = clock
        self.live = self.root == "/" and self.pid == os.getpid()
        """Whether this is the running process itself, so that it may be asked by calls too."""
        self.runs = self.live
        """Whether it is a process that runs, this one or another, and no folder of files."""
        self._texts: dict[str, str] | None = None
        self._make_system = system
        self._system: System | None = None

    @property
    def system(self) -> System:
        """What the system tells of this process; chosen once."""
        if self._system is None:
            if self._make_system is None:
                from .systems import system_of  # noqa: PLC0415 - loading must stay cheap

                self._make_system = system_of
            # A copy: two that refer to each other stay, each with the files of its moment, until
            # the garbage collector comes.
            self._system = self._make_system(self._copied())
        return self._system

    @property
    def cpus(self) -> CpuSystem:
        """What the system tells of the CPUs; `omp-magic run` loads nothing else of it."""
        if self._system is None and self._make_system is None:
            from .systems import cpus_of  # noqa: PLC0415 - as above

            alone = cpus_of(self)
            if alone is not None:
                return alone
        return self.system

    def native(self) -> Native:
        """Give calls into the running process.

        Raises
        ------
        OSError
            When it is not the running process, or its C library lacks a function.
        """
        return self.system.native()

    def once(self) -> Machine:
        """Give the same machine at one moment: a file that is read twice is read once."""
        moment = self._copied()
        moment._texts, moment._system = {}, None  # noqa: SLF001 - its own class
        return moment

    def _copied(self) -> Machine:
        import copy  # noqa: PLC0415 - a budget alone is read without one

        return copy.copy(self)

    @classmethod
    def here(cls) -> Machine:
        """Give the running process on its own machine."""
        return cls()

    def path(self, name: str) -> str:
        """Give where the absolute path `name` lies under the root."""
        return name if self.root == "/" else self.root.rstrip("/") + name

    def read(self, name: str) -> str:
        """Give a file's text, undecodable bytes kept as surrogates.

        Raises
        ------
        OSError
            When it cannot be read.
        """
        if self._texts is None:
            return self._read(name)
        if name not in self._texts:
            self._texts[name] = self._read(name)
        return self._texts[name]

    def _read(self, name: str) -> str:
        handle = os.open(self.path(name), os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            # One read a page at least: the kernel makes most of /proc in one go.
            parts = [os.read(handle, 65536)]
            size = len(parts[0])
            while parts[-1] and size < _MOST_BYTES:
                parts.append(os.read(handle, 1 << 20))
                size += len(parts[-1])
        finally:
            os.close(handle)
        return b"".join(parts).decode("utf-8", "surrogateescape")

    def user_limit(self) -> tuple[int, ...] | None:
        """Give this process's user and RLIMIT_NPROC; None where they are read from files."""
        if not self.live or os.name != "posix":
            return None
        import resource  # noqa: PLC0415 - Windows has none

        return os.geteuid(), *resource.getrlimit(getattr(resource, "RLIMIT_NPROC", 0))

    def in_cgroup_namespace(self) -> bool:
        """Tell whether the process is known to be in a cgroup namespace of its own.

        The first namespace has a fixed inode (PROC_CGROUP_INIT_INO in the kernel's
        include/linux/proc_ns.h).
        """
        return self.cgroup_namespace() not in ("", "cgroup:[4026531835]")

    def cgroup_namespace(self) -> str:
        """Give the namespace in which the paths of cgroups count; "" when not known."""
        try:
            return os.readlink(self.path("/proc/self/ns/cgroup"))
        except OSError:
            return ""

    def folders(self, name: str) -> tuple[str, ...]:
        """Give the names of the folders in `name`, sorted; none when it cannot be read."""
        try:
            with os.scandir(self.path(name)) as entries:
                return tuple(sorted(e.name for e in entries if e.is_dir(follow_symlinks=False)))
        except OSError:
            return ()

    def entries(self, name: str) -> list[tuple[str, int]]:
        """Give (name, inode) of everything in the folder `name`, in the kernel's order.

        Raises
        ------
        OSError
            When it cannot be read.
        """
        with os.scandir(self.path(name)) as found:
            return [(entry.name, entry.inode()) for entry in found]

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        """Give bytes of the running process's memory; an address that is not mapped is an error.

        Raises
        ------
        OSError
            When the memory cannot be read. A plain pointer would end the process there.
        """
        with self.memory() as read:
            return read(address, size_bytes)

    def memory(self, process: int | None = None) -> AbstractContextManager[Memory]:
        """Give a `read_memory` that keeps its door open, for many reads in a row.

        Parameters
        ----------
        process
            A descendant; this process when None.

        Raises
        ------
        OSError
            When the memory cannot be opened.
        """
        return self.system.memory(process)

    def size_and_inode_of(self, name: str) -> tuple[int, int]:
        """Give the size in bytes and the inode of a file.

        Raises
        ------
        OSError
            When there is none, or it cannot be looked at.
        """
        found = os.stat(self.path(name))
        return found.st_size, found.st_ino

    def inode_and_time_of(self, name: str) -> tuple[int, int] | None:
        """Give a file's inode and its time of modification in ns; None when it is gone."""
        try:
            found = os.stat(self.path(name))
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def inode_of(self, name: str) -> int | None:
        """Give the inode that a path leads to, or None when it leads nowhere.

        Raises
        ------
        OSError
            When that cannot be known.
        """
        try:
            return os.stat(self.path(name)).st_ino
        except (FileNotFoundError, NotADirectoryError):
            return None
