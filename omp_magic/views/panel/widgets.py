"""The dashboard as core ipywidgets: what shows, and what a person can turn.

Core controls only: widgets with front-end code of their own show an error where the server lacks
their extension, even beside a text/html that would do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from ...limits.spec import MOST_THREADS
from .box import Box
from .finding_widgets import FindingWidgets
from .html import MOST_BOXED
from .sending import close

INTERVALS_S = (0.5, 1.0, 2.0, 5.0)
"""Seconds between two looks, to choose from."""

_BUTTON = {"width": "auto"}
_ROW = {"display": "flex", "flex_flow": "row wrap", "align_items": "center"}


class Controls:
    """The widgets of one dashboard.

    Parameters
    ----------
    act
        Called with what a person did: ``("unsure", label, threads)``,
        ``("limit", name, threads, label)``, ``("apply", line)``, ``("auto",)``, ``("restore",)``,
        ``("guard", mode)``, ``("interval", seconds)``, ``("pause",)``, ``("refresh",)``,
        ``("close",)``.
    style
        The style of what it shows, as HTML.
    guard
        The guard's mode.
    interval_s
        Seconds between two looks.
    ident
        Names the panel in the page.
    refresh
        Whether to offer a button that looks again: where no thread may send.
    """

    def __init__(  # noqa: PLR0913 - each is a fact of its own
        self,
        act: Callable[..., None],
        *,
        style: str,
        guard: str,
        interval_s: float,
        ident: str,
        refresh: bool = False,
    ) -> None:
        import ipywidgets  # type: ignore[import-untyped]  # noqa: PLC0415 - no types; 35 ms, for those who ask

        self._widgets = ipywidgets
        self._act = act
        self._following = False
        """Whether a change of the guard, of the interval or of a box is ours, and no person's."""
        self.boxes: dict[str, Box] = {}
        """By the row that each stands in."""
        self.sure_to = 0
        """Threads up to which a number is set without asking again."""
        self.style, self.live = self._html(style), self._html("", "omp-flat")
        self.fold = self._html("", "omp-w-more")
        self.message = self._html("", "omp-w-msg")
        self.findings = FindingWidgets(ipywidgets, self._html, self._button)
        self.auto = self._button("auto", "limit every pool to the CPUs allowed", "auto")
        self.restore = self._button("restore", "give every pool its own count again", "restore")
        again = [self._button("refresh", "look now", "refresh")] if refresh else []
        self.pause = self._button(
            "pause", "let the curve and figures stand, until resumed", "pause"
        )
        self.close_button = self._button("close", "stop, and leave a snapshot here", "close")
        self.guard = ipywidgets.ToggleButtons(
            options=[("off", "off"), ("warn", "warn"), ("refuse", "raise")],
            value=guard,
            tooltips=[
                "guard off: imports are not watched",
                "guard warn: warn before an import would end this kernel",
                "guard raise: refuse an import that would end this kernel",
            ],
            style={"button_width": "auto"},
            layout={"width": "auto", "margin": "2px 0"},
        )
        self.interval = ipywidgets.Dropdown(
            options=_choices(interval_s),
            value=interval_s,
            description="every",
            tooltip="seconds between two looks",
            style={"description_width": "auto"},
            layout={"width": "auto", "margin": "2px 2px 2px 10px"},
        )
        guarded = ipywidgets.Label("guard", layout={"margin": "2px 4px 2px 10px", "width": "auto"})
        bar = ipywidgets.Box(
            [
                self.auto,
                self.restore,
                ipywidgets.HBox([guarded, self.guard]),
                self.interval,
                *again,
                self.pause,
                self.close_button,
            ],
            layout=_ROW,
        )
        bar.add_class("omp-bar-of")
        # As they stand below each other, so that the Tab key goes down the panel.
        self._above, self._below = (self.live, self.findings.root), (self.fold, bar, self.message)
        self.grid = ipywidgets.VBox((*self._above, *self._below))
        self.grid.add_class("omp-grid")
        self.root = ipywidgets.VBox([self.style, self.grid])
        for name in ("omp-magic", "omp-dash", f"omp-dash-{ident}"):
            self.root.add_class(name)
        for name, widget in (("guard", self.guard), ("interval", self.interval)):
            widget.observe(partial(self._chosen, name), "value")

    def _html(self, value: str = "", name: str = "") -> Any:
        # A margin would keep lines between sections away from the border.
        made = self._widgets.HTML(value, layout={"margin": "0"})
        if name:
            made.add_class(name)
        return made

    def _button(self, text: str, why: str, *action: str) -> Any:
        button = self._widgets.Button(description=text, tooltip=why, layout=_BUTTON)
        button.on_click(lambda _: self._act(*action))
        return button

    def _chosen(self, name: str, change: Any) -> None:
        if not self._following:
            self._act(name, change["new"])

    def show(self, guard: str, interval_s: float, paused: bool) -> None:
        """Show what the controls are set to, whoever set it."""
        self.pause.description = "resume" if paused else "pause"
        self._following = True
        try:
            self.guard.value = guard
            if self.interval.value != interval_s:
                with self.interval.hold_sync():  # new options choose the first one
                    self.interval.options = _choices(interval_s)
                    self.interval.value = interval_s
        finally:
            self._following = False

    def offer(self, pools: Sequence[tuple[str, str, str, int]], order: Sequence[str]) -> None:
        """Offer a limit for each pool among the first rows.

        Parameters
        ----------
        pools
            (row that it stands in, name in a limit, label, threads it has, 0: not known).
        order
            The rows.
        """
        before, self.boxes = self.boxes, {}
        places = {key: place for place, key in enumerate(order, 1)}
        self._following = True
        try:
            for key, name, label, threads in pools:
                place = places.get(key, 0)
                if not 0 < place <= MOST_BOXED:
                    continue
                box = before.get(key)
                if box is None or box.known != bool(threads):
                    box = self._limit(name, label, threads or "")
                box.show(threads or "")
                box.stand(place, folded=box.folded)
                self.boxes[key] = box
        finally:
            self._following = False
        numbers = tuple(box.number for box in self.boxes.values())
        children = (*self._above, *numbers, *self._below)
        if children != self.grid.children:
            self.grid.children = children
            for box in before.values():
                if box.number not in numbers:
                    close(box.number)

    def fold_away(self, shown: Collection[str], page: str) -> None:
        """Fold the boxes of rows that do not show, and say how many there are."""
        for key, box in self.boxes.items():
            box.stand(box.place, folded=key not in shown)
        self.fold.value = page

    def _limit(self, name: str, label: str, count: int | str) -> Box:
        facts: dict[str, Any] = {"value": count, "placeholder": "set"}
        if isinstance(count, int):
            facts = {"value": count, "min": 1, "max": MOST_THREADS}
        number = (self._widgets.BoundedIntText if count else self._widgets.Text)(
            description=label,  # for screen readers; the row shows it
            tooltip=f"limit {label} to this many threads: Enter sets it",
            continuous_update=False,
            layout={"width": "auto"},
            **facts,
        )
        number.add_class("omp-box")
        box = Box(number)

        def entered(change: Any) -> None:
            value = change["new"]
            if self._following or not box.entered(value):
                return
            if box.sure(value, self.sure_to):
                self._act("limit", name, value, label)
            else:
                self._act("unsure", label, value)

        number.observe(entered, "value")
        return box

    def bundle(self) -> dict[str, Any]:
        """Give what a front-end with widgets shows."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.root.model_id}
        return {"application/vnd.jupyter.widget-view+json": view}

    def close(self) -> None:
        """Take the widgets away, in every front-end."""
        close(self.root)


def _choices(interval_s: float) -> list[tuple[str, float]]:
    return [(f"{each:g} s", each) for each in sorted({*INTERVALS_S, interval_s})]
