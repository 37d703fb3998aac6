"""Messages of widgets that belong to no cell, and the end of widgets."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from typing import Any, TypeVar

_Value = TypeVar("_Value")


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


def close(widget: Any) -> None:
    """Close a widget and all it is made of: ipywidgets keeps what is open for ever."""
    widget.close()
    for part in (widget.layout, getattr(widget, "style", None), *getattr(widget, "children", ())):
        if hasattr(part, "layout"):
            close(part)
        elif part is not None:
            part.close()
