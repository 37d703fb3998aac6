"""Findings as widgets: each with a button for what a press can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .finding_parts import FindingParts
from .sending import close


@dataclass(slots=True)
class _Shown:
    """The widgets of one finding: `others` are its remedies and what is folded away."""

    shape: tuple[str, tuple[str, ...]]
    row: Any
    head: Any
    others: list[Any]


class FindingWidgets:
    """The widgets that show the findings.

    Parameters
    ----------
    widgets
        The module ipywidgets.
    html, button
        Make a widget with a page, and a button that acts: ``html(page, class)``,
        ``button(text, tooltip, *action)``.
    """

    def __init__(self, widgets: Any, html: Callable[..., Any], button: Callable[..., Any]) -> None:
        self._widgets, self._html, self._button = widgets, html, button
        self._shown: list[_Shown] = []
        self._told, self._none = html(), html()
        self.root = widgets.VBox([self._told, self._none])
        self.root.add_class("omp-wide").add_class("omp-found")

    def tell(self, parts: Sequence[FindingParts], *, none: str, told: str, quiet: bool) -> None:
        """Show findings.

        Parameters
        ----------
        parts
            The findings.
        none
            What stands there when there is none.
        told
            All of them for a screen reader.
        quiet
            Whether they are those that were shown before, with other figures: what is folded away
            stays as it is, and nobody is told again.
        """
        if [each.shape for each in parts] != [each.shape for each in self._shown]:
            old = self._shown
            self._shown = [self._made(each) for each in parts]
            rows = [each.row for each in self._shown]
            self.root.children = (self._told, self._none, *rows)
            for each in old:
                close(each.row)
        else:
            for new, each in zip(parts, self._shown, strict=True):
                each.head.value = new.head
                if not quiet:
                    values = (*(remedy.page for remedy in new.remedies), new.details)
                    for widget, value in zip(each.others, values, strict=True):
                        widget.value = value
        self._none.value = "" if parts else none
        if not quiet:
            self._told.value = told

    def _made(self, parts: FindingParts) -> _Shown:
        head = self._html(parts.head)
        rows, others = [head], []
        for remedy in parts.remedies:
            line = self._html(remedy.page, "omp-in")
            others.append(line)
            if remedy.action:
                button = self._button("apply", remedy.action, "apply", remedy.action)
                layout = {"align_items": "center"}
                rows.append(self._widgets.HBox([line, button], layout=layout))
            else:
                rows.append(line)
        details = self._html(parts.details, "omp-in")
        row = self._widgets.VBox([*rows, details])
        row.add_class("omp-one")
        return _Shown(parts.shape, row, head, [*others, details])
