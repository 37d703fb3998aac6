"""Show a view in the running cell, as an output of its own."""

from __future__ import annotations

import sys

from IPython.display import display

from ..views.signs import encodable


def show(view: object) -> None:
    """Show a view: HTML where the front end has it, its text in a terminal.

    IPython escapes what a stream cannot encode for results, and not for what is displayed
    (`DisplayPublisher.publish` prints it): ``PYTHONIOENCODING=ascii`` would raise.
    """
    text = str(view)
    written = encodable(text, sys.stdout)
    if written == text:
        display(view)  # type: ignore[no-untyped-call]  # IPython's has no types
    else:
        print(written)
