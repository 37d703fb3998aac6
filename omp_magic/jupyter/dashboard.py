"""One dashboard below one cell: what it shows, and what a person turns in it."""

from __future__ import annotations

import os
import threading
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import OmpMagicError
from ..facts.cpus import cpus_words
from ..views.panel.finding_parts import none_html, parts_of, told_html
from ..views.panel.html import (
    PanelFacts,
    fold_html,
    live_html,
    message_html,
    static_html,
    static_text,
    style_html,
)
from ..views.panel.offers import pools_to_limit
from ..views.panel.pool_rows import arranged, newly_busy
from ..views.panel.sending import unparented
from ..views.panel.twins import bring_up_to_date, leave_saved
from ..views.panel.widgets import Controls
from .side import Side

if TYPE_CHECKING:
    from ..facts.ticks import Tick
    from .live import Live

_WHO = "the dashboard"
_SURE_TO = 4
"""Times the CPUs allowed up to which a box sets a number without asking again."""


class Panel:
    """One dashboard below one cell.

    Parameters
    ----------
    live
        What it shows.
    place
        The cell that opens it, and the run of it, as `MainThread.place` gives them.
    aside
        Whether it shows in JupyterLab's sidebar first; UsageError where it cannot.
    """

    def __init__(self, live: Live, place: tuple[str, str] = ("", ""), *, aside: bool) -> None:
        self._live = live
        self._side = Side(lambda: live.close(self)) if aside else None
        self.place = place
        self.paused = False
        self.closed = False
        self.message = ""
        self._told_of: tuple[object, ...] | None = None
        """What the message tells of; None when nothing makes it untrue."""
        self._frozen: tuple[Tick, ...] = ()
        """Ticks of the moment when it was paused."""
        self.ident = uuid.uuid4().hex[:8]
        """Names it in the page, where what is saved of it hides while it shows itself."""
        self._order: tuple[str, ...] = ()
        self._unfolded: frozenset[str] = frozenset()
        self._shown: list[list[Any]] = []
        """Where it shows below cells, and last where what is kept of it stands."""
        self._showing = threading.RLock()
        """Without it a page that one thread has made would replace the newer one of another."""
        self._codes: tuple[str, ...] | None = None
        self.controls: Controls = unparented(
            lambda: Controls(
                self.act,
                style=style_html(self.ident),
                ident=self.ident,
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
            order=self._order,
            shown=self._unfolded if self._order else None,
            boxed=frozenset(self.controls.boxes),
        )

    def show(self, *, findings: bool = False) -> None:
        """Show the newest tick, and maybe the findings, unless it is paused."""
        if not self.paused and not self.closed:
            if findings:
                self.show_findings()
            with self._showing:
                self._unfold()
                page = live_html(self.facts())
                if not self.paused:  # it may be meanwhile, and has said so
                    self.controls.live.value = page

    def _unfold(self) -> None:
        """Show the rows that work although they were folded away."""
        if self._order and (new := newly_busy(self.facts(), self._unfolded)):
            self._unfolded |= new
            self._fold()

    def _fold(self) -> None:
        self.controls.fold_away(self._unfolded, fold_html(self.facts()))

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
        if self.closed:
            return
        live = self._live
        found = live.facts_snapshot
        with self._showing:
            self._order = ()
            self._order, self._unfolded = arranged(self.facts())
            self.controls.sure_to = _SURE_TO * found.budget.threads

            def change() -> None:
                self.controls.offer(pools_to_limit(found), self._order)
                self._fold()

            unparented(change)

    def show_findings(self) -> None:
        """Show the findings, and how many threads ``auto`` is."""
        facts = self.facts()
        codes = tuple(each.code for each in facts.snapshot.findings)
        quiet, self._codes = codes == self._codes, codes

        def change() -> None:
            self.controls.auto.description = f"auto: {facts.snapshot.budget.threads}"
            self.controls.findings.tell(
                parts_of(facts), none=none_html(facts), told=told_html(facts), quiet=quiet
            )

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
            elif what == "guard" or (what == "apply" and values[0].startswith("%omp_guard ")):
                mode = values[0].split()[-1]
                live.watch.set_mode(mode)
                live.show()
                self.say(f"guard {mode}")
            elif what == "refresh":
                live.main.run(live.show_facts)
            elif what == "unsure":
                label, entered = values
                cpus = cpus_words(live.facts_snapshot.budget.threads)
                self.say(f"{label}: {entered} threads for {cpus}? Enter {entered} again to set it")
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
            elif what == "apply":
                text = session.apply(values[0].partition(" ")[2], _WHO)
            else:
                name, threads, *label = values
                text = session.adjust(name, threads, _WHO, *label)
        except OmpMagicError as error:
            text = f"not done: {error}"
        self._live.show_facts()
        self.say(text)

    def put(self) -> None:
        """Show it below the cell that runs, and beside it what is kept of it.

        A trusted notebook that is opened again shows "model not found" for the widgets, whatever
        stands beside them in one output; so what is kept is an output of its own, which hides
        while the widgets show (jupyterlab-manager: WidgetRenderer.renderModel).
        """
        from IPython.display import display  # noqa: PLC0415 - only where there is a front-end

        if self.closed:
            display(self._still(), raw=True)  # type: ignore[no-untyped-call]  # IPython has no types here
            return
        bundles = [{**self.controls.bundle(), "text/plain": ""}, self._still()]
        if self._side is not None and self._side.show(self.controls.root):
            del bundles[0]
        self._shown.append(
            [display(each, raw=True, display_id=True) for each in bundles]  # type: ignore[no-untyped-call]  # as above
        )

    def keep(self) -> None:
        """Bring what is kept in the notebook up to date; at the end of each cell."""
        bring_up_to_date(self._shown, self._still())

    def discard(self) -> None:
        """Take the widgets away; a snapshot stays, for a notebook that is opened again."""
        shown, self._shown = self._shown, []
        last = self._still()
        self.closed = True
        try:
            leave_saved(shown, last)
        finally:
            if self._side is not None:
                self._side.close()
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

    def _still(self) -> dict[str, str]:
        facts = replace(self.facts(), saved=self._live.in_kernel, boxed=frozenset(), message="")
        return {"text/html": static_html(facts, self.ident), "text/plain": static_text(facts)}

    def _ipython_display_(self) -> None:
        if not self._live.in_kernel:
            # IPython then shows it as it shows any value, by the bundle below.
            raise NotImplementedError
        run = self._live.main.place()[1]
        if not run or run != self.place[1]:  # the magic has shown it in its own cell
            self.put()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self._still()
