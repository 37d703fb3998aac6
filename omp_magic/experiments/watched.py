"""A process that may do anything, watched by its pipes and ended with all that it started.

Nothing waits for the end of a pipe: what the process started may hold it open for ever. Whatever
happens in `Watched.watch`, an interrupt by the user included, `Watched.end` leaves no process, no
zombie, no descriptor and no file behind.
"""

from __future__ import annotations

import glob
import os
import secrets
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from ..machine.python.trials import has_ended, map_of, with_variable

_MARK = "_OMP_MAGIC_TRIAL"
_TAIL_BYTES = 16 * 1024
_READ_BYTES = 64 * 1024
_MOST_READS = 64
_LOOK_S = 0.05
_LAST_WORDS_S = 2.0
_ROUNDS = 10


class Watched:
    """One child process.

    Parameters
    ----------
    note
        Takes a line of its report; True when it is the last.
    deadline
        Gives the moment (`time.monotonic`) until which it may go on; asked again and again.
    """

    def __init__(self, note: Callable[[bytes], bool], deadline: Callable[[], float]) -> None:
        self.done = self.hung = False
        """Whether it said that it was done; whether it was past its deadline."""
        self.code: int | None = None
        """How it ended, as `subprocess.Popen.returncode`."""
        self.maps = ""
        """Its ``/proc/.../maps`` when it had hung."""
        self._note, self._deadline = note, deadline
        self._mark = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._process: subprocess.Popen[bytes] | None = None
        self._pipes: dict[str, int] = {}
        self._kept = {name: bytearray() for name in ("report", "faults", "stdout", "stderr")}

    def text(self, name: str) -> str:
        """Give the end of what came by a pipe: ``"stdout"``, ``"stderr"`` or ``"faults"``."""
        return bytes(self._kept[name]).decode("utf-8", "replace")

    def watch(
        self, command: Callable[[Mapping[str, int]], list[str]], env: Mapping[str, str]
    ) -> None:
        """Start it and read its pipes until it is done, gone or past its deadline.

        Parameters
        ----------
        command
            Gives the command from the pipe ends that the process writes to, ``"report"`` and
            ``"faults"``.
        env
            Its environment; a variable is added by which what it starts is found.
        """
        self._start(command, env)
        with selectors.DefaultSelector() as selector:
            for name, pipe in self._pipes.items():
                selector.register(pipe, selectors.EVENT_READ, name)
            while not self._is_over():
                self._read_ready(selector)
                if time.monotonic() > self._deadline() and not self._is_over():
                    self.hung = True
                    self._hear_last_words(selector)
                    return

    def end(self) -> None:
        """End the process and what it started, read what it left in the pipes, close them."""
        try:
            started = self._end_marked()
            if self._process is not None:
                # It has not been waited for, so that its number cannot be another's by now.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self.code = self._process.wait()
                started.add(self._process.pid)
            _forget_registrations(started)
            for name in self._pipes:
                for _ in range(_MOST_READS):
                    if not self._read(name):
                        break
        finally:
            pipes, self._pipes = self._pipes, {}
            for pipe in pipes.values():
                os.close(pipe)

    def _start(
        self, command: Callable[[Mapping[str, int]], list[str]], env: Mapping[str, str]
    ) -> None:
        ends: dict[str, int] = {}
        try:
            for name in self._kept:
                self._pipes[name], ends[name] = os.pipe()
                os.set_blocking(self._pipes[name], False)
            self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
                command(ends),
                stdin=subprocess.DEVNULL,
                stdout=ends["stdout"],
                stderr=ends["stderr"],
                env={**env, _MARK: self._mark},
                start_new_session=True,
                pass_fds=(ends["report"], ends["faults"]),
            )
        finally:
            for end in ends.values():
                os.close(end)

    def _is_over(self) -> bool:
        return self.done or self._is_gone()

    def _is_gone(self) -> bool:
        """Tell whether it has ended, without waiting for it: its number stays its own."""
        if self._process is None:
            return True
        return has_ended(self._process)

    def _read_ready(self, selector: selectors.BaseSelector) -> None:
        for key, _ in selector.select(_LOOK_S):
            if self._read(str(key.data)) == b"":
                selector.unregister(key.fileobj)

    def _read(self, name: str) -> bytes | None:
        """Read from a pipe; b"" at its end, None when there is nothing now."""
        try:
            data = os.read(self._pipes[name], _READ_BYTES)
        except BlockingIOError:
            return None
        kept = self._kept[name]
        kept += data
        if name == "report":
            *lines, rest = bytes(kept).split(b"\n")
            kept[:] = rest
            for line in lines:
                self.done = self._note(line) or self.done
        elif name == "faults":
            del kept[_TAIL_BYTES:]  # the first fault is the cause
        else:
            del kept[:-_TAIL_BYTES]
        return data

    def _hear_last_words(self, selector: selectors.BaseSelector) -> None:
        """Let faulthandler say where a process hangs: it answers SIGABRT without the GIL."""
        process = self._process
        if process is None:
            return
        self.maps = map_of(process.pid)
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGABRT)
        until = time.monotonic() + _LAST_WORDS_S
        while time.monotonic() < until and not self._is_gone():
            self._read_ready(selector)

    def _end_marked(self) -> set[int]:
        """End all that has inherited our variable, whatever session or parent it has by now.

        Where variables of others are not told its process group must do.
        """
        ended: set[int] = set()
        for _ in range(_ROUNDS):
            found = list(with_variable(f"{_MARK}={self._mark}".encode()))
            if not found:
                break
            ended.update(found)
            for pid in found:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_LOOK_S / 10)
        return ended


def _forget_registrations(pids: set[int]) -> None:
    """Remove what an LLVM runtime leaves when its process is ended (kmp_runtime.cpp)."""
    for pid in pids:
        for folder in ("/dev/shm", "/tmp"):  # noqa: S108 - the runtime's own choice
            for left in glob.glob(f"{folder}/__KMP_REGISTERED_LIB_{pid}*"):
                if left.endswith(str(pid)) or f"_{pid}_" in left:
                    with suppress(OSError):
                        os.unlink(left)
