"""One dashboard below one cell: what it shows, and what a person turns in it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .errors import OmpMagicError
from .limits.pools import DIALS
from .views.panel import (
    findings_html,
    live_html,
    message_html,
    pool_label,
    static_html,
    static_text,
    style_html,
)
from .views.widgets import Controls, unparented

if TYPE_CHECKING:
    from .live import Live
    from .snapshots import Snapshot


_WHO = "the dashboard"


class Panel:
    """One dashboard below one cell.

    Parameters
    ----------
    live
        What it shows.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self.paused = False
        self.closed = False
        self.message = ""
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

    def show(self, *, findings: bool = False) -> None:
        """Show the newest tick, and maybe the findings, unless it is paused."""
        if not self.paused and not self.closed:
            if findings:
                self.show_findings()
            self.controls.live.value = live_html(self._live.facts(self))

    def show_facts(self) -> None:
        """Show what the main thread has found, with a control for each pool."""
        pools = pools_to_limit(self._live.facts_snapshot)
        if not self.closed:
            unparented(self.controls.offer, pools)
            unparented(self.controls.show_guard, self._live.watch.mode)
        self.show_findings()

    def show_findings(self) -> None:
        """Show the findings, and how many threads ``auto`` is."""
        facts = self._live.facts(self)
        told, codes = findings_html(facts), tuple(each.code for each in facts.snapshot.findings)
        other, quiet = told != self._told, codes == self._codes
        self._told, self._codes = told, codes

        def change() -> None:
            self.controls.auto.description = f"auto: {facts.snapshot.budget.threads}"
            if other:
                self.controls.findings.value = findings_html(facts, quiet=True) if quiet else told

        if not self.closed:
            unparented(change)

    def say(self, text: str) -> None:
        """Show a line about what was done."""
        self.message = text
        if not self.closed:
            unparented(setattr, self.controls.message, "value", message_html(text))

    def act(self, what: str, *values: Any) -> None:
        """Do what a person asked for; called on whichever thread the front-end's message came."""
        try:
            if what == "pause":
                self.paused = not self.paused
                text = "resume" if self.paused else "pause"
                unparented(setattr, self.controls.pause, "description", text)
                self.say("paused" if self.paused else "")
            elif what == "close":
                self._live.close(self)
            elif what == "interval":
                self._live.set_interval(values[0])
                self.say(f"every {values[0]:g} s")
            elif what == "guard":
                if values[0] != self._live.watch.mode:
                    self._live.watch.set_mode(values[0])
                    self.say(f"guard {values[0]}")
                    for panel in self._live.panels:
                        unparented(panel.controls.show_guard, values[0])
            elif what == "refresh":
                self._live.on_main(self._live.show_facts)
            elif not self._live.on_main(lambda: self._limit(what, values)):
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

    def discard(self) -> None:
        """Take the widgets away."""
        self.closed = True
        unparented(self.controls.close)

    def to_frame(self) -> Any:
        """Give the history as a pandas DataFrame, a row a look."""
        from .views.frame import ticks_frame  # noqa: PLC0415 - pandas, when asked

        return ticks_frame(tuple(self._live.history), self._live.labels)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the history to a file: .csv, or .parquet where pandas has an engine for it.

        Raises
        ------
        RequestError
            When the name ends otherwise. Nothing was written.
        """
        from .views.frame import save_frame  # noqa: PLC0415 - pandas, when asked

        save_frame(self.to_frame(), path)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # It is kept in the notebook, where nothing runs any more.
        facts = replace(self._live.facts(self), cell="as it was when it was shown")
        bundle = {} if self.closed else self.controls.bundle()
        return {**bundle, "text/html": static_html(facts), "text/plain": static_text(facts)}


def pools_to_limit(found: Snapshot) -> list[tuple[str, str, int]]:
    """Give the pools that a control is offered for: name in a limit, label, threads."""
    limitable = {dial.label: dial.name for dial in DIALS}
    rows = []
    for pool in found.pools:
        if pool.api != "python":
            rows.append((pool.library, pool_label(pool), pool.size))
        elif pool.name in limitable:
            rows.append((limitable[pool.name], pool_label(pool), pool.size))
    return rows
