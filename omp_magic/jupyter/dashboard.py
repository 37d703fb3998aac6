"""One dashboard below one cell: what it shows, and what a person turns in it."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import OmpMagicError
from ..limits.pools import DIALS
from ..views.panel.html import (
    PanelFacts,
    findings_html,
    live_html,
    message_html,
    pool_label,
    static_html,
    static_text,
    style_html,
)
from ..views.panel.widgets import Controls, unparented

if TYPE_CHECKING:
    from ..facts.snapshots import Snapshot
    from ..facts.ticks import Tick
    from .live import Live

_WHO = "the dashboard"


class Panel:
    """One dashboard below one cell.

    Parameters
    ----------
    live
        What it shows.
    place
        The cell that opens it, and the run of it, as `MainThread.place` gives them.
    """

    def __init__(self, live: Live, place: tuple[str, str] = ("", "")) -> None:
        self._live = live
        self.place = place
        self.paused = False
        self.closed = False
        self.message = ""
        self._told_of: tuple[object, ...] | None = None
        """What the message tells of; None when nothing makes it untrue."""
        self._frozen: tuple[Tick, ...] = ()
        """Ticks of the moment when it was paused."""
        self._shown: list[tuple[Any, dict[str, str]]] = []
        """Where it shows, and what is kept there when it is closed."""
        self._showing = threading.RLock()
        """Without it a page that one thread has made would replace the newer one of another."""
        self._told = ""
        self._codes: tuple[str, ...] | None = None
        self.controls: Controls = unparented(
            lambda: Controls(
                self.act,
                style=style_html(),
                guard=live.watch.mode,
                interval_s=live.interval_s,
                refresh=not live.threaded,
            )
        )

        self.say("")  # the region must be there before its first text

    def facts(self) -> PanelFacts:
        """Give what it shows now."""
        live = self._live
        return PanelFacts(
            snapshot=live.facts_snapshot,
            ticks=self._frozen if self.paused else live.ticks,
            cell=live.main.cell,
            paused=self.paused,
            interval_s=live.interval_s,
            threaded=live.threaded,
            guard=live.watch.mode,
            message=self.message,
            labels=live.labels,
        )

    def show(self, *, findings: bool = False) -> None:
        """Show the newest tick, and maybe the findings, unless it is paused."""
        if not self.paused and not self.closed:
            if findings:
                self.show_findings()
            with self._showing:
                page = live_html(self.facts())
                if not self.paused:  # it may be meanwhile, and has said so
                    self.controls.live.value = page

    def show_all(self) -> None:
        """Show everything: paused, too, since the ticks alone stand still then."""
        if self.closed:
            return
        live = self._live
        if self._told_of not in (None, live.state):
            self.say("")
        unparented(self.controls.show, live.watch.mode, live.interval_s, self.paused)
        self.show_findings()
        with self._showing:
            unparented(setattr, self.controls.live, "value", live_html(self.facts()))

    def offer(self) -> None:
        """Offer a control for each pool that the main thread has found; on that thread only."""
        if not self.closed:
            unparented(self.controls.offer, pools_to_limit(self._live.facts_snapshot))

    def show_findings(self) -> None:
        """Show the findings, and how many threads ``auto`` is."""
        facts = self.facts()
        told, codes = findings_html(facts), tuple(each.code for each in facts.snapshot.findings)
        other, quiet = told != self._told, codes == self._codes
        self._told, self._codes = told, codes

        def change() -> None:
            self.controls.auto.description = f"auto: {facts.snapshot.budget.threads}"
            if other:
                self.controls.findings.value = findings_html(facts, quiet=True) if quiet else told

        if not self.closed:
            unparented(change)

    def say(self, text: str, *, lasting: bool = False) -> None:
        """Show a line about what was done; it goes when it is no longer so, unless it lasts."""
        self.message = text
        self._told_of = self._live.state if text and not lasting else None
        if not self.closed:
            unparented(setattr, self.controls.message, "value", message_html(text))

    def act(self, what: str, *values: Any) -> None:
        """Do what a person asked for; called on whichever thread the front-end's message came."""
        live = self._live
        try:
            if what == "pause":
                self._frozen = live.ticks
                self.paused = not self.paused
                self.say("paused" if self.paused else "")
                self.show_all()
            elif what == "close":
                live.close(self)
            elif what == "interval":
                live.set_interval(values[0])
                self.say(f"every {values[0]:g} s")
            elif what == "guard":
                live.watch.set_mode(values[0])
                live.show()
                self.say(f"guard {values[0]}")
            elif what == "refresh":
                live.main.run(live.show_facts)
            elif what == "entered":
                label, entered = values
                self.say(f'{label} {entered}: press "set"')
            elif not live.main.run(lambda: self._limit(what, values)):
                self.say("applies after this cell")
        except Exception as error:  # noqa: BLE001 - a click must not print into somebody's cell
            self.say(f"not done: {error}")

    def _limit(self, what: str, values: tuple[Any, ...]) -> None:
        session = self._live.session
        try:
            if what == "restore":
                text = session.end(quietly=True)
            elif what == "auto":
                text = session.adjust("", "auto", _WHO)
            else:
                name, threads, *label = values
                text = session.adjust(name, threads, _WHO, *label)
        except OmpMagicError as error:
            text = f"not done: {error}"
        self._live.show_facts()
        self.say(text)

    def put(self) -> None:
        """Show it below the cell that runs."""
        from IPython.display import display  # noqa: PLC0415 - only where there is a front-end

        still, bundle = self._bundles()
        handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython has no types here
        if not self.closed:
            self._shown.append((handle, still))

    def discard(self) -> None:
        """Take the widgets away; a snapshot stays, for a notebook that is opened again."""
        shown, self._shown = self._shown, []
        last = self._still("as it was when it was closed")
        self.closed = True
        try:
            for number, (handle, still) in enumerate(shown):
                handle.update(still if number else last, raw=True)
        finally:
            unparented(self.controls.close)

    def to_frame(self) -> Any:
        """Give the history as a pandas DataFrame, a row a look."""
        from ..views.frame import ticks_frame  # noqa: PLC0415 - pandas, when asked

        return ticks_frame(tuple(self._live.history), self._live.labels)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the history to a file: .csv, or .parquet where pandas has an engine for it.

        Raises
        ------
        RequestError
            When the name ends otherwise. Nothing was written.
        """
        from ..views.frame import save_frame  # noqa: PLC0415 - pandas, when asked

        save_frame(self.to_frame(), path)

    def _still(self, cell: str) -> dict[str, str]:
        facts = replace(self.facts(), cell=cell)
        return {"text/html": static_html(facts), "text/plain": static_text(facts)}

    def _bundles(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Give what is kept of it, and what is shown now: that, and the widgets."""
        still = self._still("as it was when it was shown")
        return still, still if self.closed else {**self.controls.bundle(), **still}

    def _ipython_display_(self) -> None:
        if not self._live.in_kernel:
            # IPython then shows it as it shows any value, by the bundle below.
            raise NotImplementedError
        run = self._live.main.place()[1]
        if not run or run != self.place[1]:  # the magic has shown it in its own cell
            self.put()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self._bundles()[1]


def open_panel(live: Live) -> Panel:
    """Make a panel, and show it in the cell that runs."""
    panel = Panel(live, live.main.place())
    live.add(panel)
    return panel


def pools_to_limit(found: Snapshot) -> list[tuple[str, str, int]]:
    """Give the pools that a control is offered for: name in a limit, label, threads."""
    limitable = {dial.label: dial.name for dial in DIALS}
    rows = []
    for pool in found.pools:
        if pool.api == "unknown":
            continue
        if pool.api != "python":
            rows.append((pool.library, pool_label(pool), pool.size))
        elif pool.name in limitable:
            rows.append((limitable[pool.name], pool_label(pool), pool.size))
    return rows
