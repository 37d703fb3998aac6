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

from ..limitspec import MOST_THREADS

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
        self._shown: int = number.value

    def show(self, threads: int) -> None:
        """Show the pool's count, unless something else was typed."""
        count = max(1, threads)
        if self._number.value in (self._shown, count):
            self._number.value = self._shown = count

    def take(self) -> int:
        """Give the number to be set; from now on the pool's count shows, whatever comes of it."""
        self._shown = self._number.value
        return self._shown


class Controls:
    """The widgets of one dashboard.

    Parameters
    ----------
    act
        Called with what a person did: ``("limit", name, threads, label)``, ``("auto",)``,
        ``("restore",)``, ``("guard", mode)``, ``("interval", seconds)``, ``("pause",)``,
        ``("refresh",)``, ``("close",)``.
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
        self._pools: dict[str, Box] = {}
        # A margin would keep lines between sections away from the border.
        html = partial(ipywidgets.HTML, layout={"margin": "0"})
        self.style, self.live, self.findings, self.message = html(style), html(), html(), html()
        self.auto = self._button("auto", "limit every pool to the CPUs allowed", "auto")
        self.restore = self._button("restore", "give every pool its own count again", "restore")
        self.refresh = self._button("refresh", "look now", "refresh")
        self.pause = self._button("pause", "stop showing, until resumed", "pause")
        self.close_button = self._button("close", "stop, and take this panel away", "close")
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
            options=[(f"{each:g} s", each) for each in sorted({*INTERVALS_S, interval_s})],
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
                *([self.refresh] if refresh else []),
                self.pause,
                self.close_button,
            ],
            layout={**_ROW, "margin": "4px 12px"},
        )
        self.root = ipywidgets.VBox(
            [self.style, self.live, self.limits, bar, self.message, self.findings]
        )
        self.root.add_class("omp-dash")
        self.show_guard(guard)
        self.guard.observe(lambda change: act("guard", change["new"]), "value")
        self.interval.observe(lambda change: act("interval", change["new"]), "value")

    def _button(self, text: str, why: str, *action: str) -> Any:
        button = self._widgets.Button(description=text, tooltip=why, layout=_BUTTON)
        button.on_click(lambda _: self._act(*action))
        return button

    def show_guard(self, mode: str) -> None:
        """Show the guard's mode, whoever set it."""
        self.guarded.value = f"guard: {mode}"
        self.guard.value = mode

    def offer(self, pools: Sequence[tuple[str, str, int]]) -> None:
        """Offer a limit for each pool: (name in a limit, label, threads it has)."""
        before = self._pools
        self._pools = {
            name: before.get(name) or self._limit(name, label, threads)
            for name, label, threads in pools
        }
        for name, _, threads in pools:
            self._pools[name].show(threads)
        if self._pools.keys() != before.keys():
            self.limits.children = tuple(box.row for box in self._pools.values())

    def _limit(self, name: str, label: str, threads: int) -> Box:
        number = self._widgets.BoundedIntText(
            value=max(1, threads),
            min=1,
            max=MOST_THREADS,
            description=label,
            tooltip=label,
            # With continuous_update a click on "set" overtakes the last key: a front-end keeps a
            # change back while the one before is not answered, but not a click (ipywidgets 8.1).
            style={"description_width": "210px"},
            layout={"width": "auto"},
        )
        apply = self._widgets.Button(
            description="set", tooltip=f"limit {label} to this many threads", layout=_BUTTON
        )
        number.add_class("omp-number")
        box = Box(number, self._widgets.HBox([number, apply]))
        apply.on_click(lambda _: self._act("limit", name, box.take(), label))
        return box

    def bundle(self) -> dict[str, Any]:
        """Give what a front-end with widgets shows."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.root.model_id}
        return {"application/vnd.jupyter.widget-view+json": view}

    def close(self) -> None:
        """Take the widgets away, in every front-end."""
        for widget in (self.style, self.live, self.findings, self.message, self.limits, self.root):
            widget.close()
