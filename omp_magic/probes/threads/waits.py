"""Where the threads of another process are: the kernel says in which call, the stack in what code.

A stack is read, not unwound: words that point into code right behind a call instruction are where
calls return to. Some may be left from calls that have returned.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from ...facts.libraries import Gap
from ...facts.outside import Frame, Wait
from ...formats.callsites import BEFORE_BYTES, ends_in_call
from ...formats.procfs import Mapped, Segments
from ...knowledge.catalog import family_of
from ...machine.other import OtherMachine
from ...machine.port.others import WAITS, WaitRow
from ...machine.port.rows import Memory
from ...machine.python.names import cpu_name

_STACK_BYTES = 16384
_MOST_STACK_BYTES = 1024 * 1024
_MOST_FRAMES = 12
_MOST_CALLS = 400
_INTERPRETER = re.compile(r"/lib(python|pypy)\d[^/]*$")
_OF_C = re.compile(r"(ld|ld64|ld-.*|libc|libc-.*|libpthread|libpthread-.*)\.so|ld-musl-.*")


def probe_waits(
    machine: OtherMachine,
    owners: Mapping[int, str | None],
    mapped: Sequence[Mapped],
    segments: Segments,
    gaps: list[Gap],
) -> tuple[Wait, ...]:
    """Give where threads are; those that have ended are left out.

    Parameters
    ----------
    machine
        The process.
    owners
        The threads, and who started each, for people.
    mapped, segments
        The files of its memory.
    gaps
        Receives what may not be read.

    Raises
    ------
    OSError
        When the system does not tell.
    """
    why = machine.others.lacks(WAITS)
    if why:
        gaps.append(Gap(what=WAITS, why=why))
        return ()
    rows = machine.others.waits(tuple(owners))
    stacks: dict[int, tuple[Frame, ...]] = {}
    try:
        with machine.memory() as memory:
            walk = _Walk(machine, mapped, segments, memory)
            stacks = {row.tid: walk.frames(row) for row in rows}
    except OSError as error:
        gaps.append(Gap.of(WAITS, error))
    return tuple(
        Wait(
            tid=row.tid,
            state=row.state,
            owner=owners.get(row.tid),
            call=row.call,
            wchan=row.wchan,
            stack=stacks.get(row.tid, ()),
        )
        for row in rows
    )


class _Walk:
    """Looks at the stacks of one process."""

    def __init__(
        self,
        machine: OtherMachine,
        mapped: Sequence[Mapped],
        segments: Segments,
        memory: Memory,
    ) -> None:
        self._machine = machine
        self._by_path = {file.path: file for file in mapped}
        self._segments = segments
        self._memory = memory
        self._cpu = cpu_name()
        self._python = machine.system.executable()

    def frames(self, row: WaitRow) -> tuple[Frame, ...]:
        """Give the code that a thread is in, the innermost first."""
        if struct.calcsize("P") != 8:
            return ()
        if row.pointer:
            places = [row.counter, *self._returns(row.pointer, _STACK_BYTES, all_code=True)]
        else:
            begin, end = row.stack
            size = min(end - begin, _MOST_STACK_BYTES)
            places = list(self._returns(end - size, size, all_code=False)) if size else []
        named = [(path, place) for place in places if (path := self._code_at(place))]
        frames: list[Frame] = []
        for path, group in groupby(named, key=lambda each: each[0]):
            if frames and _OF_C.match(os.path.basename(path)):
                continue
            addresses = [place for _, place in group]
            names = self._functions(path, addresses)
            # The innermost function of a run is where it is; the outermost is what was called.
            inner = next((names[each] for each in reversed(addresses) if each in names), "")
            if not frames or frames[-1].path != path:
                frames.append(Frame(path=path, function=inner))
            if len(frames) == _MOST_FRAMES:
                break
        return tuple(frames)

    def _returns(self, pointer: int, size_bytes: int, *, all_code: bool) -> list[int]:
        """Give the addresses on a stack that calls return to."""
        try:
            data = self._memory(pointer, size_bytes)
        except OSError:
            return []
        found: list[int] = []
        for (word,) in struct.iter_unpack("=Q", data[: len(data) // 8 * 8]):
            if word < 1 << 16 or word >> 47:
                continue
            path = self._code_at(word)
            if path is None or not (all_code or self._is_runtime(path)):
                continue
            try:
                before = self._memory(word - BEFORE_BYTES, BEFORE_BYTES)
            except OSError:
                continue
            if ends_in_call(before, self._cpu):
                found.append(word)
                # Behind the interpreter lie the modules that have called into it.
                if len(found) == _MOST_CALLS or self._is_python(path):
                    break
        return found

    def _is_python(self, path: str) -> bool:
        return path == self._python or _INTERPRETER.search(path) is not None

    def _code_at(self, address: int) -> str | None:
        return self._segments.file_at(address, code=True)

    def _functions(self, path: str, addresses: Collection[int]) -> dict[int, str]:
        file = self._by_path.get(path)
        if file is None or not self._is_runtime(path):
            return {}
        return self._machine.others.functions_at(file, addresses)

    @staticmethod
    def _is_runtime(path: str) -> bool:
        family = family_of(os.path.basename(path))
        return family is not None and family.api == "openmp"
