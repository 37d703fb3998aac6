"""What the dashboards of a shell share: their history, and the thread that looks.

The thread reads only what the kernel tells (`probes.live.pulse`). Counts of runtimes come from the
main thread, after each cell and after a change of ours. What a person turns takes effect at once
when no cell runs, else when the cell has ended.
"""

from __future__ import annotations

import _thread
import logging
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ..api import snapshot
from ..facts.ticks import Tick
from ..here import HERE
from ..probes.cost.meter import labels_of
from ..probes.cpus.budget import probe_budget
from ..probes.cpus.load import LoadProbe
from ..probes.cpus.throttling import probe_throttling
from ..probes.live.pulse import SHORTEST_S, Pulse
from ..rules import judge
from ..rules.judgement import ranked
from ..views.panel.sending import unparented
from .mainthread import MainThread, sends_by_itself

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..facts.snapshots import Snapshot
    from .session import Session
    from .watch import Watch

_LOG = logging.getLogger("omp_magic")
_KEPT_TICKS = 3600
_SHOWN_TICKS = 240
_JUDGE_EVERY_S = 2.0
_FIRST_LOOKS = 3
_NEIGHBOURS = "OMP211"
_FIGURES_EVERY_S = 5.0
"""A text that is replaced more often could not be selected and copied."""
INTERVAL_S = 0.5


class Shown(Protocol):
    """What shows a `Live` somewhere; a panel of the dashboard."""

    place: tuple[str, str]
    paused: bool

    def offer(self) -> None:
        """Offer a control for each pool."""

    def put(self) -> None:
        """Show it below the cell that runs."""

    def show(self, *, findings: bool = False) -> None:
        """Show the newest tick."""

    def show_all(self) -> None:
        """Show everything."""

    def say(self, text: str, *, lasting: bool = False) -> None:
        """Show a line about what was done."""

    def keep(self) -> None:
        """Keep what it shows in the notebook, for whoever opens that without this kernel."""

    def discard(self) -> None:
        """Take it away."""


class Live:
    """The dashboard of one shell: its history, its panels and the thread that looks.

    Parameters
    ----------
    shell
        The shell whose cells run.
    session
        Holds the session's limit.
    watch
        The guard.
    """

    def __init__(self, shell: InteractiveShell, session: Session, watch: Watch) -> None:
        self.session = session
        self.watch = watch
        self.history: deque[Tick] = deque(maxlen=_KEPT_TICKS)
        self.panels: list[Shown] = []
        self.interval_s = INTERVAL_S
        self.stopped = ""
        """Why the thread has stopped by itself, or ""."""
        self.in_kernel = hasattr(shell, "kernel")
        self.threaded = sends_by_itself(shell)
        self._pulse, self._made_s = Pulse(HERE.observer.machine), time.monotonic()
        self._snapshot: Snapshot | None = None
        self.labels: dict[str, str] = {}
        """Names of owners of threads, by path."""
        self._loaded_as: dict[str, str] = {}
        self._load = LoadProbe()
        self._judge_from = self._figures_from = 0.0
        self._judged = 0
        self._wake, self._generation = threading.Event(), 0
        self.main = MainThread(shell, self._after_cell)
        self.look()

    @property
    def facts_snapshot(self) -> Snapshot:
        """The last snapshot of the main thread."""
        return self._snapshot if self._snapshot is not None else self.look()

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """The newest of the history, as many as a panel shows."""
        return tuple(self.history)[-_SHOWN_TICKS:]

    @property
    def state(self) -> tuple[object, ...]:
        """What the messages in a panel tell of: they are untrue when it is another one."""
        return self.watch.mode, self.interval_s, self.facts_snapshot.limits

    def look(self) -> Snapshot:
        """Take a snapshot; on the main thread only, since OpenMP's counts are a thread's."""
        found = self._snapshot = snapshot()
        owners = (self.history[-1].owners if self.history else None) or ()
        paths = {owner.path for owner in owners if "/" in owner.path}
        self.labels = labels_of(HERE.observer, paths)
        # The kernel's name for a file, by which its threads are known, is not always ours.
        self._loaded_as = {
            image.kernel_path: image.mapped.path
            for image in HERE.observer.scan().images
            if image.kernel_path not in ("", image.mapped.path)
        }
        for kernels, ours in self._loaded_as.items():
            self.labels.setdefault(ours, self.labels.get(kernels, ""))
        return found

    def add(self, panel: Shown) -> None:
        """Show a panel in the cell that runs; the first one starts the thread."""
        cell, run = panel.place
        for each in tuple(self.panels):
            if cell and each.place[0] == cell and each.place[1] != run:
                self.close(each)  # its output went when the cell was run again
        self.panels.append(panel)
        # Rates need some time between two looks; only the first panel waits for it.
        time.sleep(max(0.0, self._made_s + SHORTEST_S - time.monotonic()))
        self._tick()
        self.look()  # now that the owners of threads are known, for their names
        panel.offer()
        panel.show_all()
        if self.in_kernel:
            panel.put()
        if self.threaded and len(self.panels) == 1:
            self._generation += 1
            self._wake.clear()
            _thread.start_new_thread(unparented, (self._run, self._generation))

    def close(self, panel: Shown | None = None) -> None:
        """Take one panel away, or all; with the last one the thread ends."""
        for each in [panel] if panel is not None else list(self.panels):
            if each in self.panels:
                self.panels.remove(each)
                each.discard()
        if not self.panels:
            self._generation += 1
            self._wake.set()

    def end(self) -> None:
        """Close every panel and let go of the shell."""
        self.close()
        self.main.end()

    def set_interval(self, seconds: float) -> None:
        """Look that often from now on."""
        self.interval_s = seconds
        self._wake.set()
        self.show()

    def show(self) -> None:
        """Show everything in every panel, after anything but a tick."""
        for panel in tuple(self.panels):
            panel.show_all()

    def show_facts(self) -> None:
        """Take a snapshot, on the main thread, and show it in every panel."""
        self.look()
        if not self.threaded:
            self._tick()
        for panel in tuple(self.panels):
            panel.offer()
        self.show()

    def _after_cell(self) -> None:
        if self.panels:
            self.show_facts()
            for panel in tuple(self.panels):
                panel.keep()

    def _run(self, generation: int) -> None:
        """Look again and again, in the thread."""
        due = time.monotonic()
        while generation == self._generation:
            try:
                if any(not panel.paused for panel in self.panels):
                    self._tick()
                    judged = self._judge()
                    for panel in tuple(self.panels):
                        panel.show(findings=judged)
            except Exception as error:  # noqa: BLE001 - law 7: a dead thread must say so
                self.stopped = f"{type(error).__name__}: {error}"
                # No warning: it would be printed into the cell that runs.
                _LOG.info("omp_magic: the dashboard has stopped (%s)", self.stopped)
                for panel in tuple(self.panels):
                    panel.say(f"stopped: {self.stopped}", lasting=True)
                return
            due = max(due + self.interval_s, time.monotonic())
            if self._wake.wait(max(0.0, due - time.monotonic())) and generation == self._generation:
                self._wake.clear()
                due = time.monotonic()  # the interval is another one

    def _tick(self) -> None:
        tick = self._pulse.tick()
        if self.history and self.history[-1].at_s == tick.at_s:
            return  # too soon: the same once more
        if self._loaded_as and tick.owners is not None:
            ours = self._loaded_as.get
            owners = tuple(replace(each, path=ours(each.path, each.path)) for each in tick.owners)
            tick = replace(tick, owners=owners)
        self.history.append(tick)

    def _judge(self) -> bool:
        """Judge what the kernel tells; tell whether it is to be shown.

        While no cell runs, what the last one did stays as it was, and the neighbours are new.
        """
        now, known = time.monotonic(), self._snapshot
        if known is None or now < self._judge_from:
            return False
        # Rates need two looks, and who the neighbours are a third: these follow at once.
        self._judged += 1
        self._judge_from = now + (_JUDGE_EVERY_S if self._judged >= _FIRST_LOOKS else 0.0)
        busy = self.main.busy
        machine = HERE.observer.machine.once()
        budget = probe_budget(machine)
        throttling = probe_throttling(machine, budget)
        load = self._load.look(machine, throttling, [], budget)
        facts = replace(known, budget=budget, throttling=throttling, load=load)
        found = facts.with_findings(judge(facts))
        if not busy:
            told = [each for each in known.findings if each.code != _NEIGHBOURS]
            new = [each for each in found.findings if each.code == _NEIGHBOURS]
            found = replace(known, load=load, findings=ranked((*told, *new)))
        if self._snapshot is not known:
            return False  # the main thread has looked meanwhile, and knows more
        self._snapshot = found
        before, after = ([each.code for each in facts.findings] for facts in (known, found))
        same = before == after and budget.threads == known.budget.threads
        if same and (now < self._figures_from or (not busy and _NEIGHBOURS not in after)):
            return False
        self._figures_from = now + _FIGURES_EVERY_S
        return True
