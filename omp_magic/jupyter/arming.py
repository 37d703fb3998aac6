"""What a recorder sets up beside its file: the last line, the exit, the request to end, figures.

It comes with the first runtime that is loaded, or after the first cell, when the modules that it
needs are imported anyway. Each part that cannot be had is a gap of the record.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ParseError
from ..facts.libraries import Finding, Library, named_apart
from ..facts.plain import as_plain
from ..facts.remains import Loaded, Seen
from ..facts.snapshots import Snapshot
from ..here import HERE
from ..machine import Machine
from ..machine.python import recordfile as layout
from ..machine.python.recordfile import RecordFile
from ..probes.deaths import probe_began, probe_boot, probe_host, remove_old
from ..probes.kills import probe_kills
from ..probes.remains import mark_of
from .laststderr import LastStderr

if TYPE_CHECKING:
    from ..machine.port.native import ExitMark

_TICK_S = 2.0
_LINE = "last line on stderr"
_MOST_ROWS, _MOST_FINDINGS = 24, 8


class Recording(Protocol):
    """What the parts need of the recorder."""

    identity: dict[str, Any]

    @property
    def notebook(self) -> str:
        """The notebook's path, or ""."""

    @property
    def busy(self) -> bool:
        """Whether a cell runs."""

    def write_identity(self) -> None:
        """Write who the kernel is."""


class Armed:
    """The parts; see the top of the file.

    Parameters
    ----------
    recorder
        Whose they are.
    file
        The record.
    kernel
        ipykernel's kernel.
    """

    def __init__(self, recorder: Recording, file: RecordFile, kernel: Any) -> None:
        self._recorder = recorder
        self._file = file
        self._kernel = kernel
        self._seen = 0
        self._kills: dict[str, Any] = {}
        self._earlier = (0.0, 0.0)
        self._mark: ExitMark | None = None
        self._asked: Any = None
        self._ended = False
        self._last: Seen | None = None
        self._gaps: dict[str, str] = {}
        self.stderr = LastStderr(file)
        self._machine = HERE.observer.machine
        for what, begin in (
            (_LINE, self.stderr.begin),
            ("exit in C", self._mark_exit),
            ("request to end", self._hear_of_the_end),
            ("memory killer", self._count_kills),
            ("last figures", self._look_now_and_then),
        ):
            try:
                begin()
            except Exception as error:  # noqa: BLE001 - law 7: the others are worth having
                self._gaps[what] = str(error) or type(error).__name__
        # A cell may have put its stderr elsewhere, and give it back: once more after a cell.
        self._again = not self.stderr.began
        self._introduce()
        remove_old(os.path.dirname(file.path))

    def _introduce(self) -> None:
        """Write who the kernel is."""
        machine, recorder = self._machine, self._recorder
        recorder.identity.update(
            armed=True,
            boot=probe_boot(machine),
            host=probe_host(),
            process=probe_began(machine, os.getpid()),
            mark=self._mark.kind if self._mark is not None else "",
            inherited=inherited(machine, recorder.notebook),
            gaps=list(self._gaps.items()),
        )
        recorder.write_identity()

    def _mark_exit(self) -> None:
        native = HERE.observer.native
        if native is None:
            raise OSError("there are no calls into this process")
        self._mark = native.mark_exit(mark_of(self._file.path))

    def _hear_of_the_end(self) -> None:
        """Note when the kernel is asked to end: on another thread than the cell's, in time."""
        handlers = self._kernel.control_handlers
        original = handlers["shutdown_request"]

        def shutdown_request(stream: Any, ident: Any, parent: Any) -> Any:
            with suppress(Exception):
                again = bool(parent.get("content", {}).get("restart"))
                self._file.put(layout.SHUTDOWN_AT, layout.SHUTDOWN.pack(time.time(), again))
            return original(stream, ident, parent)

        handlers["shutdown_request"] = shutdown_request
        self._asked = handlers, original, shutdown_request

    def _count_kills(self) -> None:
        now = probe_kills(self._machine)
        if now != self._kills:
            self._kills = now
            data = json.dumps(now).encode()
            if len(data) <= layout.room(layout.MEMORY_BYTES):
                self._file.put(layout.MEMORY_AT, layout.packed(data))

    def _look_now_and_then(self) -> None:
        """Look at the figures while a cell runs, on the thread that answers control messages."""
        loop = self._kernel.control_thread.io_loop

        busy = True

        def look() -> None:
            nonlocal busy
            if self._ended:
                return
            with suppress(OSError, ParseError):
                # Once more after a cell: the killer may have ended a child of it, and not this.
                before, busy = busy, self._recorder.busy
                if busy:
                    self._look()
                if busy or before:
                    self._count_kills()
            loop.call_later(_TICK_S, look)

        loop.add_callback(look)

    def _look(self) -> None:
        system = self._machine.system
        now, cpu_s = time.time(), time.process_time()
        figures = (*self._earlier, now, cpu_s, system.rss_bytes(), system.num_threads())
        self._file.put(layout.FIGURES_AT, layout.FIGURES.pack(*figures))
        self._earlier = now, cpu_s

    def see(
        self,
        facts: Snapshot,
        findings: tuple[Finding, ...],
        coming: tuple[Library, ...],
        doing: str,
    ) -> None:
        """Write what was looked at: see `Recorder.see`."""
        libraries = named_apart((*facts.libraries, *coming))
        here = len(facts.libraries)
        self._put(
            Seen(
                doing=doing,
                loaded=tuple(
                    Loaded(
                        file=each.name,
                        path=each.path,
                        family=each.family,
                        whose=each.whose,
                        started=each.initialized,
                        coming=number >= here,
                    )
                    for number, each in enumerate(
                        libraries[-_MOST_ROWS:], len(libraries[:-_MOST_ROWS])
                    )
                ),
                findings=findings[:_MOST_FINDINGS],
                limits=tuple(each.spec for each in HERE.limits),
                variables=tuple(
                    (each.name, each.native)
                    for each in facts.environment
                    if each.native is not None
                ),
            )
        )

    def _put(self, seen: Seen) -> None:
        if seen == self._last:
            return
        data = _within(as_plain(seen), layout.room(layout.SEEN_BYTES))
        self._seen += 1
        at = layout.SEEN_AT[self._seen % 2]
        self._file.put(at, layout.packed(data, self._seen))
        self._last = seen

    def after_cell(self) -> None:
        """Note the limits where they have changed; all else is noted when it is looked at."""
        if self._again:
            self._again = False
            with suppress(OSError, ValueError):
                self.stderr.begin()
                del self._gaps[_LINE]
                self._introduce()
        limits = tuple(each.spec for each in HERE.limits)
        if self._last is not None and limits != self._last.limits:
            self._put(replace(self._last, limits=limits))

    def forget(self) -> None:
        """Let go in a forked child."""
        self._ended = True
        if self._mark is not None:
            self._mark.forget()

    def end(self, *, ending: bool) -> None:
        """Take everything back; `ending` is whether the process ends with it."""
        self._ended = True
        mark, self._mark = self._mark, None
        undos: list[Callable[[], object]] = []
        if mark is not None:
            undos.append(mark.take_back)
        if self._asked is not None:
            undos.append(self._hear_no_more)
        if not ending:
            undos.append(self.stderr.end)
        for undo in undos:
            with suppress(Exception):
                undo()

    def _hear_no_more(self) -> None:
        handlers, original, ours = self._asked
        if handlers.get("shutdown_request") is ours:
            handlers["shutdown_request"] = original


def _within(plain: dict[str, Any], most_bytes: int) -> bytes:
    """Give JSON that fits: the largest rows of what matters least are left out first."""
    data = json.dumps(plain).encode()
    for name in ("variables", "limits", "loaded", "findings"):
        while len(data) > most_bytes and plain[name]:
            plain[name] = plain[name][:-1]
            data = json.dumps(plain).encode()
    return data


def inherited(machine: Machine, notebook: str) -> bool:
    """Tell whether the notebook's name is that of the process which started this one.

    A notebook that runs another by nbclient hands its own variable on.
    """
    if not notebook:
        return False
    try:
        variables = machine.system.variables_at_start(os.getppid())
    except (OSError, ParseError):
        return False
    return bool(variables.get("JPY_SESSION_NAME") == notebook)
