"""Where forks are seen before they happen, whoever forks: multiprocessing, gunicorn, os.fork.

`os.register_at_fork` takes nothing back, so one function of ours is registered once, and does
nothing while nobody watches. It is called for os.fork, os.forkpty, and for subprocess with a
preexec_fn (Python's Modules/posixmodule.c and _posixsubprocess.c), and not for what never runs
Python in the child: subprocess without one, posix_spawn, multiprocessing's spawn and its fork
server, loky. What it raises CPython prints and ignores: a fork cannot be refused.
"""

from __future__ import annotations

import os
import sys

from ..machine.python.own import at_fork

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_EXECS = ("subprocess", "ptyprocess", "pexpect", "loky.backend", "joblib.externals.loky.backend")
"""Modules that fork to run another program; IPython's ``!command`` is pexpect."""
_EXEC = frozenset(f"exec{how}" for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe"))
_AFTER_S = 0.05
_BETWEEN = frozenset(
    {"os", "pty", "posix", "multiprocessing.popen_fork", "multiprocessing.context"}
)


class Forks:
    """Who is told of forks; only in the process that asked, never in its forked children."""

    def __init__(self) -> None:
        self._watchers: tuple[Callable[[str], object], ...] = ()
        self._pid = 0
        self._registered = False
        self._busy = False

    def add(self, watcher: Callable[[str], object]) -> None:
        """Tell a function of every fork from now on, with who forks, before it happens."""
        if not self._registered:
            if not at_fork(self._before):
                return
            self._registered = True
        self._pid = os.getpid()
        if watcher not in self._watchers:
            self._watchers = (*self._watchers, watcher)

    def remove(self, watcher: Callable[[str], object]) -> None:
        """Tell it no more."""
        self._watchers = tuple(each for each in self._watchers if each != watcher)

    def _before(self) -> None:
        if not self._watchers or self._busy or self._pid != os.getpid():
            return
        self._busy = True
        try:
            who = forker(sys._getframe(1))  # noqa: SLF001 - the frame that forks
            if who is not None:
                for watcher in self._watchers:
                    watcher(who)
        except KeyboardInterrupt:
            # CPython would print it and go on: the user has asked for an end, and gets none.
            _interrupt_later()
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks a fork
            import logging  # noqa: PLC0415 - never needed when all goes well

            line = f"omp_magic: a fork was not looked at ({type(error).__name__}: {error})"
            logging.getLogger("omp_magic").warning(line)
        finally:
            self._busy = False


def _interrupt_later() -> None:
    """Interrupt the main thread again, when the fork is over."""
    import signal  # noqa: PLC0415 - as below
    import threading  # noqa: PLC0415 - only a Ctrl-C in these few ms pays

    # A signal, and to that thread: _thread.interrupt_main ends no call that waits.
    to = threading.main_thread().ident, signal.SIGINT
    again = threading.Timer(_AFTER_S, signal.pthread_kill, to)
    again.daemon = True
    again.start()


def forker(frame: FrameType | None) -> str | None:
    """Give who forks, for people; None where another program follows the fork.

    It does where a module that runs programs forks, and where the code that calls os.fork,
    or pty.fork, names os.execv or another of them.

    Parameters
    ----------
    frame
        The frame that forks.
    """
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if f"{module}.".startswith(tuple(f"{each}." for each in _EXECS)):
            return None
        if not _EXEC.isdisjoint(frame.f_code.co_names) or _cell_execs(frame):
            return None
        if module == "os" and frame.f_code.co_name == "_spawnvef":
            return None
        if module not in _BETWEEN:
            break
        frame = frame.f_back
    if frame is None:
        return "os.fork"
    module = str(frame.f_globals.get("__name__"))
    return "os.fork" if module == "__main__" else f"a fork by {module.partition('.')[0]}"


def _cell_execs(frame: FrameType) -> bool:
    """Tell whether a cell's text names os.exec…: each of its statements is code of its own."""
    if frame.f_code.co_name != "<module>":
        return False
    import linecache  # noqa: PLC0415 - only a fork pays

    kept = linecache.cache.get(frame.f_code.co_filename)
    return kept is not None and len(kept) > 2 and any("os.exec" in line for line in kept[2])


FORKS = Forks()
"""The forks of this process."""
