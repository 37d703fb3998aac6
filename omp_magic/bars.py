"""A bar while somebody waits, in a notebook and in a terminal."""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
from contextlib import suppress
from typing import Any

_LOG = logging.getLogger("omp_magic")


class Bar:
    """A bar of tqdm's. One that fails is logged, and whatever it is for goes on without it.

    Parameters
    ----------
    shown
        Whether there is one; when None in a notebook and in a terminal.
    delay_s
        Seconds until it is drawn: what is over sooner shows nothing, and leaves nothing behind.
        Not tqdm's own ``delay``, which draws at the first step after it: one that hangs has none.
    """

    def __init__(self, shown: bool | None, delay_s: float = 0.0) -> None:
        self._shown = (_in_kernel() or _is_terminal()) if shown is None else shown
        self._drawn: Any = None
        self._place: Any = None
        self._delay_s = delay_s
        self._lock = threading.RLock()
        self._later: threading.Timer | None = None
        self._told: tuple[int, int, str, str] = (0, 1, "", "")

    def tell(self, done: int, total: int, label: str, right: str) -> None:
        """Draw how far it is.

        Parameters
        ----------
        done, total
            In steps.
        label, right
            What stands before and behind it.
        """
        if not self._shown:
            return
        with self._lock:
            self._told = done, total, label, right
            if self._delay_s <= 0:
                self._draw()
            elif self._later is None:
                # In this context: an IPython kernel finds the cell in it that has the output.
                drawing = contextvars.copy_context()
                self._later = threading.Timer(self._delay_s, drawing.run, (self._due,))
                self._later.daemon = True
                self._later.start()

    def _due(self) -> None:
        with self._lock:
            self._delay_s = 0.0
            self._draw()

    def _draw(self) -> None:
        if not self._shown:
            return
        done, total, label, right = self._told
        try:
            if self._drawn is None:
                self._drawn = _made()
                self._place = _placed(self._drawn)
            drawn = self._drawn
            drawn.total, drawn.n = total, done
            drawn.bar_format = _form(f"{label} ", right)
            drawn.refresh()
        except Exception as error:  # noqa: BLE001 - no tqdm, a stream that is closed, a widget
            self._shown = False
            name = type(error).__name__
            _LOG.warning("omp_magic: no bar is shown (%s: %s)", name, error)

    def close(self) -> None:
        """Take it away; nothing is drawn any more."""
        if self._later is not None:
            self._later.cancel()
        with self._lock:
            self._shown = False
            self._remove()

    def _remove(self) -> None:
        if self._drawn is not None:
            with suppress(Exception):
                # A bar that is not full is left on the page, in red, as if something had failed.
                self._drawn.n = self._drawn.total
                self._drawn.close()
        if self._place is not None:
            with suppress(Exception):
                # A notebook that is opened again shows an error for a widget that is gone.
                self._place.update({"text/plain": ""}, raw=True)


def _made() -> Any:
    """Give a bar of tqdm, without its monitor, which is a thread."""
    from tqdm.auto import tqdm  # noqa: PLC0415 - only who waits pays

    class Drawn(tqdm):  # type: ignore[type-arg]  # tqdm.auto's class is made while it runs
        monitor_interval = 0

    options: dict[str, Any] = {"total": 1, "leave": False, "bar_format": _form("", "")}
    if _is_widget(Drawn):
        options["display"] = False
    return Drawn(**options)


def _is_widget(kind: type[Any]) -> bool:
    """Tell whether a bar is a widget: tqdm.auto's is one where a kernel has ipywidgets."""
    widgets = getattr(sys.modules.get("tqdm.notebook"), "tqdm", None)
    return widgets is not None and issubclass(kind, widgets)


def _placed(drawn: Any) -> Any:
    """Show a bar that is a widget, and give its place among a cell's outputs; else None."""
    if not _is_widget(type(drawn)):
        return None
    from IPython.display import display  # noqa: PLC0415 - a kernel has it

    return display(drawn.container, display_id=True)  # type: ignore[no-untyped-call]  # IPython has no types here


def _form(label: str, right: str) -> str:
    """Give a line of tqdm's; its own postfix would begin with a comma."""
    return f"{label}{{percentage:3.0f}}%|{{bar}}| {right}"


def _in_kernel() -> bool:
    """Tell whether a kernel runs here; ipyparallel's client imports ipykernel in any program."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _is_terminal() -> bool:
    try:
        return bool(sys.stderr.isatty())
    except (AttributeError, OSError, ValueError):
        return False
