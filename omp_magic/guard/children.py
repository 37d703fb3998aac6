"""Warns before a fork that a pool does not survive, and before a call that cannot be sent.

`hooks.forks` tells of a fork before it happens, whoever forks, and `hooks.sends` of what is given
to processes that start anew. A fork cannot be refused, such a call can.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import Refusal, UnsendableFunctionError
from ..facts.sends import Sending
from ..machine.port.rows import FORKS, THREAD_OWNERS
from ..rules import judge
from .guard import Alarm, sentence
from .unsendable import unsendable

if TYPE_CHECKING:
    from ..hooks.sends import Send
    from ..probes.observe import Observer


class ChildGuard:
    """Watches what is about to become of child processes.

    Parameters
    ----------
    observer
        Knows the process.
    report
        Shows an alarm; what it raises as a `Refusal` stops a call, and no fork.
    mode
        ``"warn"``, ``"raise"`` or ``"off"``.
    """

    def __init__(
        self, observer: Observer, report: Callable[[Alarm], None], mode: str = "warn"
    ) -> None:
        self.mode = mode
        self.alarms = 0
        self._observer = observer
        self._report = report
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._sent: set[Sending] = set()
        self._ever_sent: set[Sending] = set()
        self._threads: list[tuple[str, int]] = []

    def before_fork(self, who: str) -> None:
        """Look for pools that do not survive the fork that comes; each is told once.

        20 us when no thread came or went since the last look. It waits for nobody: a fork in
        another thread while one is looked at is let through.
        """
        if self.mode == "off" or self._pid != os.getpid():
            return
        system = self._observer.machine.system
        if system.lacks(THREAD_OWNERS) or system.lacks(FORKS):
            return
        if not self._lock.acquire(blocking=False):
            return
        try:
            threads = system.starts(self._observer.native).listed()
            if len(threads) < 2 or threads == self._threads:
                return
            found = judge(self._observer.take())
            findings = tuple(
                each for each in found if each.code == "OMP204" and each.title not in self._told
            )
            if findings:
                self._note(Alarm(who, findings, before=True, when="before it forks"))
                self._told.update(each.title for each in findings)
            self._threads = threads
        finally:
            self._lock.release()

    def before_send(self, send: Send) -> Exception | None:
        """Look at what another process is given; give the error that refuses it, or None.

        It is told once a cell, since a Pool starts its workers again and again.
        """
        if self.mode == "off" or self._pid != os.getpid():
            return None
        names = unsendable(send.what)
        if not names:
            return None
        sending = Sending(kind=send.kind, method=send.method, names=names)
        on_main = threading.current_thread() is threading.main_thread()
        if sending in (self._sent if on_main else self._ever_sent) and self.mode == "warn":
            return None
        facts = replace(self._observer.take(), stranded=(sending,))
        findings = tuple(each for each in judge(facts) if each.code == "OMP213")
        alarm = Alarm(f"this {send.kind}", findings, before=True, when="before it is sent")
        if self.mode == "raise":
            self.alarms += 1
            return UnsendableFunctionError(sentence(alarm))
        try:
            self._note(alarm)
        except Refusal as error:
            return error
        self._sent.add(sending)
        self._ever_sent.add(sending)
        if send.pool is not None:
            self._observer.sendings.append(_while_it_lives(send.pool, sending))
        return None

    def after_cell(self) -> None:
        """Be ready to tell again."""
        self._sent.clear()

    def _note(self, alarm: Alarm) -> None:
        self.alarms += 1
        self._report(alarm)


def _while_it_lives(pool: Any, sending: Sending) -> Callable[[], Sending | None]:
    """Give what tells of a sending until its pool has ended."""
    alive = weakref.ref(pool)

    def ask() -> Sending | None:
        now = alive()
        # Pool's state; the executor's two flags. One that has none of them is taken for dead.
        running = getattr(now, "_state", None) in ("INIT", "RUN") or (
            getattr(now, "_shutdown_thread", True) is False and not getattr(now, "_broken", True)
        )
        return sending if running else None

    return ask
