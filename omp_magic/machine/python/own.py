"""What Python itself asks of its system about this process; each in 1 us.

It imports what every interpreter has imported, since loading the extension needs some of it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable

_affinity = getattr(os, "sched_getaffinity", None)
"""Linux alone has it; a process's mask on Windows does not tell of its threads."""


_known_names: dict[str, bytes] = {}
_MOST_NAMES = 256


def encoded(name: str) -> bytes:
    """Give a variable's name as C has it."""
    known = _known_names.get(name)
    if known is None:
        if len(_known_names) >= _MOST_NAMES:
            _known_names.clear()
        known = _known_names[name] = os.fsencode(name)
    return known


def main_mask() -> frozenset[int] | None:
    """Give the main thread's CPUs; None where the system does not tell."""
    # On Linux the main thread has the process's number; 0 would be the thread that asks.
    return None if _affinity is None else frozenset(_affinity(os.getpid()))


def thread_mask(tid: int) -> frozenset[int] | None:
    """Give a thread's CPUs; None where the system does not tell.

    Raises
    ------
    OSError
        When it has ended.
    """
    return None if _affinity is None else frozenset(_affinity(tid))


def affinity_cpus() -> int | None:
    """Count the CPUs that the calling thread may run on; None where the system does not tell."""
    return None if _affinity is None else len(_affinity(0))


_HAS_BYTES = os.name == "posix"


def encoded_environ() -> dict[bytes, bytes] | None:
    """Give what lies below ``os.environ``, not to be changed; None where it is kept otherwise.

    ``os.environ`` raises and catches two errors for each name it lacks, 0.7 us; the dict below it,
    private though the same in 3.10 to 3.14, costs nothing. On Windows its names are texts in
    capitals.
    """
    raw = getattr(os.environ, "_data", None)
    return raw if _HAS_BYTES and isinstance(raw, dict) else None


def python_variables() -> dict[bytes, bytes]:
    """Give ``os.environ`` as C would have it; not to be changed."""
    raw = encoded_environ()
    if raw is not None:
        return raw
    return {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}


def rlimits() -> dict[str, tuple[int, int]]:
    """Give (soft, hard) of each RLIMIT by its name; 1 us each."""
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return {}
    if not _LIMITS:
        # RLIMIT_OFILE is another name of RLIMIT_NOFILE: the first of the alphabet stays.
        names = (name for name in sorted(dir(resource), reverse=True) if name[:7] == "RLIMIT_")
        by_number = {getattr(resource, name): name for name in names}
        _LIMITS.extend((name, number) for number, name in by_number.items())
    ask = resource.getrlimit
    return {name: ask(number) for name, number in _LIMITS}


_LIMITS: list[tuple[str, int]] = []


def children_cpu_s() -> float | None:
    """Give the CPU time of the children that were waited for; None where that is not known."""
    try:
        import resource  # noqa: PLC0415 - as above
    except ImportError:
        return None
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def real_path(path: str) -> str:
    """Give a path without links, in the form that paths are compared in.

    On Windows that is in lower case and with backslashes. `os.path.realpath` raises there what it
    does not know for "not found" (Lib/ntpath.py, _getfinalpathname_nonstrict), as of a path that
    is too long: it stays with its links then.
    """
    try:
        path = os.path.realpath(path)
    except OSError:
        path = os.path.normpath(path)
    return os.path.normcase(path)


def whole_path(path: str) -> str:
    r"""Give the path that the loader notes for one that it is asked for; a bare name stays.

    On Windows that begins at the drive, has no ``..`` and no prefix for long paths (``\\?\``); it
    is given with ``/``. Elsewhere only what has no root is put below the current folder: a ``..``
    may lead through a link.
    """
    drive, rest = os.path.splitdrive(path)
    if not drive and os.sep not in rest and (os.altsep or os.sep) not in rest:
        return path
    if os.altsep is None:
        return os.path.join(os.getcwd(), path)
    if path.startswith("\\\\?\\UNC\\"):
        path = "\\\\" + path[8:]
    return os.path.abspath(path.removeprefix("\\\\?\\")).replace("\\", "/")


def lies_in(path: str, folder: str) -> bool:
    """Tell whether a mapped file, named without links, is in a folder that `real_path` gave."""
    return os.path.normcase(path).startswith(folder.rstrip(os.sep) + os.sep)


FOLDER_OPENER = "add_dll_directory" if os.name == "nt" else ""
"""The function of `os` after which libraries are found in a folder; "" where there is none."""


RTLD_GLOBAL = getattr(os, "RTLD_GLOBAL", 0)
"""The flag of dlopen(3) for the global scope; Windows has neither."""


def thread_clock(ident: int) -> int | None:
    """Give the clock of a running thread of Python, for `time.clock_gettime`; None without one.

    Parameters
    ----------
    ident
        As `threading.get_ident` gives it.
    """
    import time  # noqa: PLC0415 - loading must stay cheap

    clock = getattr(time, "pthread_getcpuclockid", None)
    return None if clock is None else int(clock(ident))


def on_main_thread() -> bool:
    """Tell whether this runs on the interpreter's main thread."""
    import threading  # noqa: PLC0415 - another process is looked at without it: 1 ms

    return threading.current_thread() is threading.main_thread()


def python_threads() -> dict[int, str]:
    """Give the names of the Python threads that live, by the system's numbers of them."""
    import threading  # noqa: PLC0415 - as above

    return {
        each.native_id: each.name for each in threading.enumerate() if each.native_id is not None
    }


def num_python_threads() -> int:
    """Count the Python threads that live, the main thread among them."""
    import threading  # noqa: PLC0415 - as above

    return threading.active_count()


def at_fork(
    before: Callable[[], None] | None = None, in_child: Callable[[], None] | None = None
) -> bool:
    """Have functions called before each fork, and after it in the child, for good.

    Returns
    -------
    bool
        False where nothing ever forks.
    """
    register = getattr(os, "register_at_fork", None)
    if register is None:
        return False
    called = {"before": before, "after_in_child": in_child}
    register(**{when: function for when, function in called.items() if function is not None})
    return True
