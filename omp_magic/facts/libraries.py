"""The facts: frozen values, tuples, units in their names. No code here reads anything.

A value that could not be read is None and has a `Gap` beside it; zero is only ever a zero
that was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from .gaps import Gap as Gap  # noqa: PLC0414 - most have it from here
from .names import Called, places_of, whose


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One mapped OpenMP or BLAS runtime; two files are two, one file under two names is one.

    Parameters
    ----------
    family
        Key of `catalog.FAMILIES`: ``"openblas"``, ``"libgomp"``, ``"libomp"`` …
    label
        The family's name for people.
    api
        ``"openmp"`` or ``"blas"``.
    kin
        Runtimes of one kin cannot share a process: ``"llvm"`` for libomp and libiomp5.
    soname
        DT_SONAME of the file, or None when the file has none or cannot be read.
    path
        The path it was mapped from, without the kernel's ``" (deleted)"``.
    device, inode
        Identity of the mapped file; None where the system does not tell.
    version
        Version, only where the library tells it passively: a constant text, or its file.
    owner, owner_version
        Distribution whose RECORD (or conda's metadata) lists the file, and its version when
        it was looked up; None when none does.
    users
        Who needs it, where it has no owner: distributions whose libraries were linked with this
        very file, else the names of such files.
    place
        The part of its path that tells it from another library of the same snapshot that would
        have the same name; "" when there is none.
    num_threads
        Threads its next parallel region would use on this thread; None when it may not
        be asked.
    initialized
        Whether the runtime has started up; None when that cannot be known from outside.
    would_use
        Threads it will use once it starts, read from the environment it will read.
    threading_layer
        For BLAS: ``"pthreads"``, ``"openmp"``, ``"intel"``, ``"sequential"`` …, or None.
    serves
        True when this library answers OpenMP calls bound through the global scope, False
        when another one does, None when the global scope has no OpenMP.
    idle
        True when whoever was linked with it is bound to another runtime, so that it is
        mapped and nobody calls it; None when that cannot be told.
    static
        True for a copy linked into another library, at `path`.
    workers
        OS threads that it has now; the thread that calls it comes on top. None when unknown.
    missing
        Worker threads that it hands work to and that do not live, since they could not start;
        0 when none is missing, None when that cannot be known.
    max_threads
        Threads it was built for; None when it does not tell.
    replaced
        True when the file on disk is no longer the mapped one; None when unknown.
    taken
        (variable, value) of those that are set and whose effect it tells: as its getter says it.
    install_name
        Its name for macOS' loader (LC_ID_DYLIB); None elsewhere.
    registers
        Where a copy of the LLVM family looks for others, or None (`knowledge.registration`).
    coalesces
        Whether copies of the LLVM family share functions with it on macOS, or None.
    note
        Why a value is missing or borrowed, or "".
    """

    family: str
    label: str
    api: str
    kin: str
    soname: str | None
    path: str
    device: str | None = None
    inode: int | None = None
    version: str | None = None
    owner: str | None = None
    owner_version: str | None = None
    users: tuple[str, ...] = ()
    place: str = field(default="", compare=False)
    num_threads: int | None = None
    initialized: bool | None = None
    would_use: int | None = None
    threading_layer: str | None = None
    serves: bool | None = None
    idle: bool | None = None
    static: bool = False
    workers: int | None = None
    missing: int | None = None
    max_threads: int | None = None
    replaced: bool | None = None
    taken: tuple[tuple[str, str], ...] = ()
    install_name: str | None = None
    registers: str | None = None
    coalesces: bool | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """SONAME, or the file's name where there is none."""
        return self.soname or self.file_name

    @property
    def file_name(self) -> str:
        """The last part of the path, in the form of any system."""
        return self.path.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]

    @property
    def called(self) -> Called:
        """What its name is made of."""
        return Called(self.api, self.owner, self.path, self.users, self.inode)

    @property
    def whose(self) -> str:
        """Who stands behind it: ``numpy``, or ``the system, used by lightgbm``."""
        return whose(self.called, self.place)

    @property
    def title(self) -> str:
        """Its name for people, which no other one of its snapshot has: ``OpenBLAS (numpy)``."""
        return f"{self.label} ({self.whose})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A thread pool of this process and its size.

    Parameters
    ----------
    name
        For people: ``"OpenBLAS 0.3.30 (numpy)"``.
    family, api
        As in `Library`; for a pool that lives in a Python package the package's name, and
        ``"python"``; ``"unknown"`` for live threads of a library that no table knows.
    library
        Path of the library that has the pool; the package's name where it is Python's.
    num_threads
        Size in threads, the calling thread included; None when it may not be asked.
    would_use
        Size it will have when it starts; None when it has started.
    scope
        ``"thread"`` when the size belongs to the thread that asks, else ``"process"``.
    lender
        Path of the runtime whose threads these are; "" when the pool has its own.
    variables
        Variables that set its size, the winner first.
    for_io
        Whether its threads read files and wait, so that more of them than CPUs do no harm.
    bound_cpus
        CPUs that its threads may use, where an import or OpenMP took some from the main thread;
        None where they are those of the process.
    taken
        (variable, value) of those whose value the package keeps as it read it.
    layer
        What a package's pool runs on where it has the choice: numba's ``"omp"``, ``"tbb"`` or
        ``"workqueue"``; "" when it has none, or it is not known.
    note
        Why a size is missing or borrowed, or "".
    workers
        OS threads that it has now, where the library tells nothing else; None when that is not
        known or stands at its library.
    each
        What has such a pool of its own each time: ``"session"``, ``"database"``; "" where there
        is one.
    own_switch
        The package's own way to set the number, where no limit reaches the pool; "" where one
        does, and where none is known.
    """

    name: str
    family: str
    api: str
    library: str
    num_threads: int | None
    would_use: int | None
    scope: str
    lender: str = ""
    variables: tuple[str, ...] = ()
    for_io: bool = False
    bound_cpus: int | None = None
    taken: tuple[tuple[str, str], ...] = ()
    layer: str = ""
    note: str = ""
    workers: int | None = None
    each: str = ""
    own_switch: str = ""

    @property
    def counted(self) -> bool:
        """Whether its size is known, or is another pool's; else `workers` is all there is."""
        return bool(self.size or self.lender)

    @property
    def unreached(self) -> bool:
        """Whether no limit reaches it, as far as is known."""
        return self.api == "unknown" or bool(self.own_switch)

    @property
    def size(self) -> int:
        """Threads it has, or will have when it starts; 0 when neither is known."""
        return self.num_threads or self.would_use or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong or worth knowing, with its evidence and its remedy.

    Parameters
    ----------
    code
        ``"OMP101"`` …; never reused.
    severity
        ``"error"``, ``"warning"`` or ``"info"``.
    title
        One line.
    why
        What happens and why.
    evidence
        The facts it rests on: paths, counts, who.
    remedies
        Lines to run or do, the best first.
    source
        Where the behaviour is documented.
    """

    code: str
    severity: str
    title: str
    why: str
    evidence: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    source: str = ""


def named_apart(libraries: Iterable[Library]) -> tuple[Library, ...]:
    """Give libraries, each with what tells it from all the others here: `Library.place`."""
    given = tuple(libraries)
    places = places_of([each.called for each in given])
    return tuple(
        each if each.place == place else replace(each, place=place)
        for each, place in zip(given, places, strict=True)
    )
