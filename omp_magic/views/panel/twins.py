"""A live panel and its saved twin: two outputs of one cell, of which one shows.

A trusted notebook that is opened again shows "model not found" for widgets, whatever stands beside
them in one output; so what is kept is an output of its own, which hides while the widgets show
(jupyterlab-manager: WidgetRenderer.renderModel).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def hiding_saved(ident: str) -> str:
    """Give the style, of a live panel, that hides its twin while it shows itself."""
    live, saved = f".omp-dash-{ident} .omp-grid", f".omp-saved-{ident}"
    return (
        f"<style>body:has({live}) .jp-OutputArea-child:has({saved}),"
        f"body:has({live}) {saved}{{display:none}}</style>"
    )


def hiding_dead(ident: str) -> str:
    """Give the style, of what is saved, that hides the widgets which do not show any more."""
    saved = f".jp-OutputArea-child:has(+.jp-OutputArea-child .omp-saved-{ident})"
    dead = ">.jp-OutputArea-output:not([data-mime-type],:has(.omp-grid))"
    elsewhere = f"body.jp-Notebook:not(:has(#rendered_cells)) .omp-dash-{ident}"
    return f"<style>{saved}{dead}{{display:none}}{elsewhere}{{display:none}}</style>"


def bring_up_to_date(shown: Iterable[Sequence[Any]], still: dict[str, str]) -> None:
    """Write what is saved of a panel anew.

    Parameters
    ----------
    shown
        The displays of each place where it stands, the saved one last.
    still
        What is to be seen there, by MIME type.
    """
    for *_, kept in shown:
        kept.update(still, raw=True)


def leave_saved(shown: Iterable[Sequence[Any]], last: dict[str, str]) -> None:
    """Empty the live displays of a panel, as `bring_up_to_date` has them, and leave its twins."""
    for *places, kept in shown:
        for place in places:
            place.update({"text/plain": ""}, raw=True)
        kept.update(last, raw=True)
