"""Linux: what /proc tells of another process beside the rest; see `port.others`."""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from ...errors import ParseError
from ...formats.procfs import Mapped, parse_stat
from ...formats.procstatus import inside, parse_id_map, parse_status
from ...formats.syscalls import parse_syscall, syscall_name
from ..port.others import Lists, Standing, WaitRow
from ..port.rows import Memory
from .pthreads import C_LIBRARY
from .rtld import lists_of
from .symbols import FileSymbols, mapped_of

if TYPE_CHECKING:
    from ..port.door import Door

_MOST_VARIABLES = 10_000
_LONGEST_VARIABLE_BYTES = 4096
_STACK = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) .*\[stack\]$", re.MULTILINE)
_ENVIRON = ("environ", "__environ")


class LinuxOthers:
    """See `port.Others`.

    Parameters
    ----------
    machine
        The process.
    """

    def __init__(self, machine: Door) -> None:
        self._machine = machine

    def lacks(self, what: str) -> str:  # noqa: ARG002 - the port's question
        """See `port.Others.lacks`: all is told."""
        return ""

    def standing(self) -> Standing:
        """Read /proc/PID/status and stat; with hidepid another user's process is not there."""
        pid, read = self._machine.pid, self._machine.read
        try:
            status = parse_status(read("/proc/self/status"))
            stat = parse_stat(read("/proc/self/stat"))
        except FileNotFoundError:
            raise ProcessLookupError(errno.ESRCH, "there is no such process") from None
        except ParseError as error:
            raise OSError(str(error)) from error
        user = status.users[1]
        try:
            own_user = inside(status.users[0], parse_id_map(read("/proc/self/uid_map")))
        except OSError:
            own_user = status.users[0]
        return Standing(
            pid=pid,
            name=stat.comm,
            started=stat.start_ticks,
            user=_name_of(user),
            ours=user == os.geteuid(),
            parent=stat.parent,
            forked=stat.forked,
            ended=stat.ended,
            threads_left=stat.num_threads - 1 if stat.ended else 0,
            kernel=stat.kernel,
            process=status.process,
            own_pid=status.numbers[-1] if status.numbers else pid,
            own_user=own_user,
            image=stat.stack,
        )

    def arguments(self) -> tuple[str, ...]:
        """Read /proc/PID/cmdline."""
        words = self._machine.read("/proc/self/cmdline").split("\0")
        return tuple(words[:-1] if words and not words[-1] else words)

    def folder(self) -> str:
        """Follow /proc/PID/cwd."""
        return os.readlink(self._machine.path("/proc/self/cwd"))

    def waits(self, tids: Collection[int]) -> tuple[WaitRow, ...]:
        """Read stat, wchan and, where the rules of ptrace(2) allow it, syscall of each."""
        rows: list[WaitRow] = []
        allowed = True
        for tid in tids:
            folder = f"/proc/self/task/{tid}"
            try:
                state = parse_stat(self._machine.read(f"{folder}/stat")).state
            except (OSError, ParseError):
                continue  # it has ended
            try:
                where = self._machine.read(f"{folder}/wchan")
            except OSError:
                where = ""
            row = WaitRow(tid, state, "" if where == "0" else where, None)
            if allowed:
                try:
                    row = self._with_call(row, self._machine.read(f"{folder}/syscall"))
                except PermissionError:
                    allowed = False
                except (OSError, ParseError):
                    pass  # it has ended, or the kernel has no such file
            rows.append(row)
        return tuple(rows)

    def _with_call(self, row: WaitRow, text: str) -> WaitRow:
        found = parse_syscall(text)
        if found is None:
            stack = self._stack if row.tid == self._machine.pid else (0, 0)
            return WaitRow(row.tid, row.state, row.wchan, "", stack=stack)
        name = "" if found.number is None else syscall_name(found.number, os.uname().machine)
        return WaitRow(
            row.tid, row.state, row.wchan, name, found.stack_pointer, found.program_counter
        )

    def lists(self) -> Lists:
        """See `rtld`."""
        with self._memory() as memory:
            return lists_of(self._symbols, memory)

    def variables_now(self) -> dict[str, str]:
        """Follow ``environ``, which lies in the program where that uses it, else in libc.

        A program that is linked with the variable has it, and libc's is not used then (a copy
        relocation, System V ABI).
        """
        place = self._environ()
        if place is None:
            raise OSError("its C library does not tell where its environment lies")
        found: dict[str, str] = {}
        with self._memory() as memory:
            try:
                (at,) = struct.unpack("=Q", memory(place, 8))
                if not at:
                    raise OSError("its C library has none: it is starting, or has cleared it")
                for index in range(_MOST_VARIABLES):
                    (text,) = struct.unpack("=Q", memory(at + index * 8, 8))
                    if not text:
                        return found
                    data, end, _ = memory(text, _LONGEST_VARIABLE_BYTES).partition(b"\0")
                    name, equals, value = os.fsdecode(data).partition("=")
                    if equals and end:
                        found.setdefault(name, value)
            except struct.error:
                raise OSError("its environment changed while it was read") from None
        raise OSError("its environment has no end")

    def number(self, file: Mapped, name: str) -> int | None:
        """See `port.Others.number`."""
        place = self._symbols.address_in(file, name)
        if place is None:
            return None
        with self._memory() as memory:
            return int.from_bytes(memory(place, 4), "little", signed=True)

    def functions_at(self, file: Mapped, addresses: Collection[int]) -> dict[int, str]:
        """See `port.Others.functions_at`."""
        return self._symbols.functions_at(file, addresses)

    def _environ(self) -> int | None:
        files = [each for each in self._mapped if each.path == self._program]
        files += [each for each in self._mapped if re.match(r"libc[.-]", each.file_name)]
        for file in files:
            for name in _ENVIRON:
                place = self._symbols.address_in(file, name)
                if place is not None:
                    return place
        return None

    @cached_property
    def _maps(self) -> str:
        return self._machine.read("/proc/self/maps")

    @cached_property
    def _mapped(self) -> tuple[Mapped, ...]:
        """Give the program and its C library: what else is asked about is named by who asks."""
        program = os.path.basename(self._program)
        return mapped_of(self._maps, re.compile(f"{C_LIBRARY.pattern}|{re.escape(program)}"))

    @cached_property
    def _program(self) -> str:
        link = os.readlink(self._machine.path("/proc/self/exe"))
        return link.removesuffix(" (deleted)")

    @cached_property
    def _symbols(self) -> FileSymbols:
        return FileSymbols(self._machine, self._mapped)

    @cached_property
    def _stack(self) -> tuple[int, int]:
        found = _STACK.search(self._maps)
        return (int(found[1], 16), int(found[2], 16)) if found else (0, 0)

    @contextmanager
    def _memory(self) -> Iterator[Memory]:
        with self._machine.memory() as memory:
            yield memory


class LinuxUsers:
    """See `port.Users`."""

    def pids(self) -> tuple[int, ...]:
        """List /proc: a process's folder belongs to its effective user (proc_pid(5))."""
        user, found = os.geteuid(), []
        with os.scandir("/proc") as entries:
            for entry in entries:
                try:
                    if entry.name.isdigit() and entry.stat().st_uid == user:
                        found.append(int(entry.name))
                except OSError:
                    continue  # it has ended
        return tuple(sorted(found))


def _name_of(user: int) -> str:
    import pwd  # noqa: PLC0415 - one system has it

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
