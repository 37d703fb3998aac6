"""A cluster's live panel as core ipywidgets: what is there, how it is looked at, and a button.

What is there has a widget of its own: one that is set anew folds up what a person has unfolded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from .sending import close
from .twins import hiding_dead, hiding_saved

_FAINT = "{opacity:.5}"
"""Of a page that is not kept up to date any more."""


class ClusterBox:
    """The widgets of one panel; each text that is set is one message.

    Parameters
    ----------
    ident
        Names the panel in the page.
    page, line
        What it shows first, as HTML.
    closed
        Called when a person has pressed the button.
    """

    def __init__(self, ident: str, page: str, line: str, closed: Callable[[], None]) -> None:
        import ipywidgets  # type: ignore[import-untyped]  # noqa: PLC0415 - no types; 35 ms, for those who ask

        gone = f"<style>.omp-dash-{ident}.jupyter-widgets-disconnected .omp-magic{_FAINT}</style>"
        style = ipywidgets.HTML(hiding_saved(ident) + gone, layout={"margin": "0"})
        self.page = ipywidgets.HTML(page, layout={"margin": "0"})
        self.line = ipywidgets.HTML(line, layout={"margin": "0"})
        why = "stop looking, and leave what was seen last here"
        alone = {"width": "auto", "flex": "0 0 auto"}
        button = ipywidgets.Button(description="close", tooltip=why, layout=alone)
        button.on_click(lambda _: closed())
        beside = {"justify_content": "space-between", "align_items": "center"}
        grid = ipywidgets.VBox([self.page, ipywidgets.HBox([self.line, button], layout=beside)])
        grid.add_class("omp-grid")
        self.root = ipywidgets.VBox([style, grid])
        self.root.add_class(f"omp-dash-{ident}")

    def bundle(self) -> dict[str, Any]:
        """Give what a front-end with widgets shows."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.root.model_id}
        return {"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}

    def close(self) -> None:
        """Take the widgets away, in every front-end."""
        close(self.root)


def line_html(text: str, faint: str = "") -> str:
    """Give the line on how the cluster is looked at.

    Parameters
    ----------
    text
        What it says.
    faint
        The panel whose page is not kept up to date any more, and shows so; "" for none.
    """
    pages = f".omp-dash-{faint} .omp-magic,.omp-saved-{faint} .omp-magic"
    style = f"<style>{pages}{_FAINT}</style>" if faint else ""
    return style + str(Markup('<div style="opacity:.75;padding:0 2px">{}</div>').format(text))


def saved_html(page: str, line: str, ident: str) -> str:
    """Give both as they stay in the notebook."""
    return f'{hiding_dead(ident)}<div class="omp-saved-{ident}">{page}{line}</div>'
