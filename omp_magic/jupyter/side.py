"""A place in JupyterLab's right sidebar, by the package `sidecar`."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from IPython.core.error import UsageError

from ..views.panel.sending import close, unparented


class Side:
    """A place for one widget; made before it, since it may be refused.

    Parameters
    ----------
    closed
        Called when a person has closed it by its x.

    Raises
    ------
    UsageError
        When sidecar is not installed.
    """

    def __init__(self, closed: Callable[[], None]) -> None:
        if find_spec("sidecar") is None:
            raise UsageError(
                "omp_dashboard: --side needs the package sidecar, in JupyterLab's environment too; "
                "then load JupyterLab's page anew; run: %pip install sidecar"
            )
        self._closed = closed
        self._sidecar: Any = None
        self._inside: Any = None

    def show(self, widget: Any) -> bool:
        """Show a widget there, and tell whether this has been done now; a second time it is there.

        What shows is the sidecar's own output, and nothing that is displayed while it is open:
        that would be looked for among the messages of the cell.
        """
        if self._sidecar is not None:
            return False
        unparented(self._make, widget)
        return True

    def _make(self, widget: Any) -> None:
        from ipywidgets import VBox  # type: ignore[import-untyped]  # noqa: PLC0415 - no types; for those who ask
        from sidecar import Sidecar  # noqa: PLC0415 - for those who ask

        # A sidecar sends nothing when a person closes it. But from 0 on the front-end counts the
        # views of a widget (ipywidgets, Widget._view_count), and this one shows nowhere else.
        # A page that is loaded again counts one more, so that any way down is an end.
        self._inside = VBox([widget], _view_count=0)
        self._inside.observe(self._viewed, "_view_count")
        view = {"version_major": 2, "version_minor": 0, "model_id": self._inside.model_id}
        data = {"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}
        shown = {"output_type": "display_data", "data": data, "metadata": {}}
        # Without an anchor, which older ones lack, it is in the right sidebar.
        self._sidecar = Sidecar(title=f"threads · pid {os.getpid()}", outputs=(shown,))

    def _viewed(self, change: Any) -> None:
        if change["new"] < change["old"] and self._sidecar is not None:
            self._closed()

    def close(self) -> None:
        """Take it away, and leave the widget."""
        sidecar, inside, self._sidecar = self._sidecar, self._inside, None
        if sidecar is not None:
            inside.children = ()
            for each in (sidecar, inside):
                unparented(close, each)
