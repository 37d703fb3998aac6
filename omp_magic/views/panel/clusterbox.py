"""A cluster's live panel as core ipywidgets: one text that changes, and a button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from .sending import close
from .twins import hiding_dead, hiding_saved


class ClusterBox:
    """The widgets of one panel; each new page is one message.

    Parameters
    ----------
    ident
        Names the panel in the page.
    page
        What it shows first, as HTML.
    closed
        Called when a person has pressed the button.
    """

    def __init__(self, ident: str, page: str, closed: Callable[[], None]) -> None:
        import ipywidgets  # type: ignore[import-untyped]  # noqa: PLC0415 - no types; 35 ms, for those who ask

        style = ipywidgets.HTML(hiding_saved(ident), layout={"margin": "0"})
        self.page = ipywidgets.HTML(page, layout={"margin": "0"})
        why = "stop looking, and leave what was seen last here"
        button = ipywidgets.Button(description="close", tooltip=why, layout={"width": "auto"})
        button.on_click(lambda _: closed())
        grid = ipywidgets.VBox([self.page, button])
        grid.add_class("omp-grid")
        self.root = ipywidgets.VBox([style, grid])
        for name in ("omp-magic", f"omp-dash-{ident}"):
            self.root.add_class(name)

    def bundle(self) -> dict[str, Any]:
        """Give what a front-end with widgets shows."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.root.model_id}
        return {"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}

    def close(self) -> None:
        """Take the widgets away, in every front-end."""
        close(self.root)


def page_html(shown: str, told: str) -> str:
    """Give what the panel shows: the cluster's HTML, and a line on how it looks at it."""
    line = Markup('<div class="omp omp-magic" style="opacity:.75">{}</div>').format(told)
    return shown + str(line)


def saved_html(page: str, ident: str) -> str:
    """Give the page as it stays in the notebook."""
    return f'{hiding_dead(ident)}<div class="omp-saved-{ident}">{page}</div>'
