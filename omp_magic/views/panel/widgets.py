"""The dashboard as core ipywidgets: what shows, and what a person can turn.

Core controls only: widgets with front-end code of their own show an error where the server lacks
their extension, even beside a text/html that would do.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from ...limits.spec import MOST_THREADS

_Value = TypeVar("_Value")

INTERVALS_S = (0.5, 1.0, 2.0, 5.0)
"""Seconds between two looks, to choose from."""

_BUTTON = {"width": "auto"}
_ROW = {"display": "flex", "flex_flow": "row wrap", "align_items": "center"}


def unparented(function: Callable[..., _Value], *arguments: Any) -> _Value:
    """Call a function so that messages it sends belong to no cell.

    ipykernel 7.4 answers a front-end on the shell that last sent on a widget; were that the main
    shell, a click would wait for the cell that runs (BaseComm._reply_subshell_for). In 7.0 a
    thread without a parent could send nothing at all (ContextVar shell_parent).

    Parameters
    ----------
    function, arguments
        What to call.
    """

    def alone() -> _Value:
        kernelbase = sys.modules.get("ipykernel.kernelbase")
        if kernelbase is not None and kernelbase.Kernel.initialized():
            # Private; where it is missing or something else, nothing needs to be done.
            parent = getattr(kernelbase.Kernel.instance(), "_shell_parent", None)
            if isinstance(parent, contextvars.ContextVar):
                parent.set({})
        return function(*arguments)

    return contextvars.copy_context().run(alone)


class Box:
    """The number box of one pool.

    It follows the pool's count, but a number that a person has entered stays until it is set. A
    front-end sends it when the box is left, or with Enter.

    Parameters
    ----------
    number, row
        The widget with the number, and the one that holds it and its button.
    """

    def __init__(self, number: Any, row: Any) -> None:
        self.row = row
        self._number = number
        self._shown: int | str = number.value

    @property
    def known(self) -> bool:
        """Whether it is made for a count that is known."""
        return isinstance(self._shown, int)

    def show(self, count: int | str) -> None:
        """Show the pool's count, "" when it is not known, unless something else was typed."""
        if self._number.value in (self._shown, count):
            self._shown = count  # first: it is asked for at each change
            self._number.value = count

    def take(self) -> int | str:
        """Give the number to be set; from now on the pool's count shows, whatever comes of it."""
        self._shown = self._number.value
        return self._shown

    def entered(self, value: int | str) -> bool:
        """Tell whether a value is a person's, and not the pool's count."""
        return value not in (self._shown, "")


class Controls:
    """The widgets of one dashboard.

    Parameters
    ----------
    act
        Called with what a person did: ``("entered", label, threads)``,
        ``("limit", name, threads, label)``, ``("auto",)``, ``("restore",)``, ``("guard", mode)``,
        ``("interval", seconds)``, ``("pause",)``, ``("refresh",)``, ``("close",)``.
    style
        The style of what it shows, as HTML.
    guard
        The guard's mode.
    interval_s
        Seconds between two looks.
    refresh
        Whether to offer a button that looks again: where no thread may send.
    """

    def __init__(
        self,
        act: Callable[..., None],
        *,
        style: str,
        guard: str,
        interval_s: float,
        refresh: bool = False,
    ) -> None:
        import ipywidgets  # type: ignore[import-untyped]  # noqa: PLC0415 - no types; 35 ms, for those who ask

        self._widgets = ipywidgets
        self._act = act
        self._following = False
        """Whether a change of the guard or of the interval is ours, and no person's."""
        self._pools: dict[str, Box] = {}
        # A margin would keep lines between sections away from the border.
        html = partial(ipywidgets.HTML, layout={"margin": "0"})
        self.style, self.live, self.findings, self.message = html(style), html(), html(), html()
        self.auto = self._button("auto", "limit every pool to the CPUs allowed", "auto")
        self.restore = self._button("restore", "give every pool its own count again", "restore")
        again = [self._button("refresh", "look now", "refresh")] if refresh else []
        self.pause = self._button(
            "pause", "let the curve and figures stand, until resumed", "pause"
        )
        self.close_button = self._button("close", "stop, and leave a snapshot here", "close")
        self.guard = ipywidgets.ToggleButtons(
            options=["off", "warn", "raise"],
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
            description="interval",
            tooltip="seconds between two looks",
            style={"description_width": "auto"},
            layout={"width": "auto", "margin": "2px 2px 2px 14px"},
        )
        self.guarded = ipywidgets.Label(layout={"margin": "2px 4px 2px 14px", "width": "auto"})
        columns = "repeat(auto-fill, minmax(330px, max-content))"
        self.limits = ipywidgets.GridBox(
            layout={"grid_template_columns": columns, "margin": "6px 12px 0"}
        )
        bar = ipywidgets.Box(
            [
                self.auto,
                self.restore,
                ipywidgets.HBox([self.guarded, self.guard]),
                self.interval,
                *again,
                self.pause,
                self.close_button,
            ],
            layout={**_ROW, "margin": "4px 12px"},
        )
        self.root = ipywidgets.VBox(
            [self.style, self.live, self.limits, bar, self.message, self.findings]
        )
        self.root.add_class("omp-dash")
        self.guarded.value = f"guard: {guard}"
        for name, widget in (("guard", self.guard), ("interval", self.interval)):
            widget.observe(partial(self._chosen, name), "value")

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
        self.guarded.value = f"guard: {guard}"
        self._following = True
        try:
            self.guard.value = guard
            if self.interval.value != interval_s:
                with self.interval.hold_sync():  # new options choose the first one
                    self.interval.options = _choices(interval_s)
                    self.interval.value = interval_s
        finally:
            self._following = False

    def offer(self, pools: Sequence[tuple[str, str, int]]) -> None:
        """Offer a limit for each pool: (name in a limit, label, threads it has, 0: not known)."""
        before, self._pools = self._pools, {}
        for name, label, threads in pools:
            box = before.get(name)
            if box is None or box.known != bool(threads):
                box = self._limit(name, label, threads or "")
            box.show(threads or "")
            self._pools[name] = box
        rows = tuple(box.row for box in self._pools.values())
        if rows != self.limits.children:
            self.limits.children = rows
            for box in before.values():
                if box.row not in rows:
                    _close(box.row)

    def _limit(self, name: str, label: str, count: int | str) -> Box:
        facts: dict[str, Any] = {"value": count, "placeholder": "not known"}
        if isinstance(count, int):
            facts = {"value": count, "min": 1, "max": MOST_THREADS}
        number = (self._widgets.BoundedIntText if count else self._widgets.Text)(
            description=label,
            tooltip=label,
            # With continuous_update a click on "set" overtakes the last key: a front-end keeps a
            # change back while the one before is not answered, but not a click (ipywidgets 8.1).
            continuous_update=False,
            style={"description_width": "210px"},
            layout={"width": "auto"},
            **facts,
        )
        apply = self._widgets.Button(
            description="set", tooltip=f"limit {label} to this many threads", layout=_BUTTON
        )
        number.add_class("omp-number")
        box = Box(number, self._widgets.HBox([number, apply], layout={"align_items": "center"}))
        apply.on_click(lambda _: self._act("limit", name, box.take(), label))

        def entered(change: Any) -> None:
            if box.entered(change["new"]):
                self._act("entered", label, change["new"])

        number.observe(entered, "value")
        return box

    def bundle(self) -> dict[str, Any]:
        """Give what a front-end with widgets shows."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.root.model_id}
        return {"application/vnd.jupyter.widget-view+json": view}

    def close(self) -> None:
        """Take the widgets away, in every front-end."""
        _close(self.root)


def _choices(interval_s: float) -> list[tuple[str, float]]:
    return [(f"{each:g} s", each) for each in sorted({*INTERVALS_S, interval_s})]


def _close(widget: Any) -> None:
    """Close a widget and all it is made of: ipywidgets keeps what is open for ever."""
    widget.close()
    for part in (widget.layout, getattr(widget, "style", None), *getattr(widget, "children", ())):
        if hasattr(part, "layout"):
            _close(part)
        elif part is not None:
            part.close()
