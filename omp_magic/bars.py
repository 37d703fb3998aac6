"""A bar while somebody waits, in a notebook and in a terminal."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any

_LOG = logging.getLogger("omp_magic")


class Bar:
    """A bar of tqdm's. One that fails is logged, and whatever it is for goes on without it.

    Parameters
    ----------
    shown
        Whether there is one; when None in a notebook and in a terminal.
    """

    def __init__(self, shown: bool | None) -> None:
        self._shown = (_in_kernel() or _is_terminal()) if shown is None else shown
        self._drawn: Any = None

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
        try:
            drawn = self._drawn = _made() if self._drawn is None else self._drawn
            drawn.total, drawn.n = total, done
            drawn.bar_format = _form(f"{label} ", right)
            drawn.refresh()
        except Exception as error:  # noqa: BLE001 - no tqdm, a stream that is closed, a widget
            self._shown = False
            name = type(error).__name__
            _LOG.warning("omp_magic: no bar is shown (%s: %s)", name, error)

    def close(self) -> None:
        """Take it away."""
        if self._drawn is not None:
            with suppress(Exception):
                # A bar that is not full is left on the page, in red, as if something had failed.
                self._drawn.n = self._drawn.total
                self._drawn.close()


def _made() -> Any:
    """Give a bar of tqdm, without its monitor, which is a thread."""
    from tqdm.auto import tqdm  # noqa: PLC0415 - only who waits pays

    class Drawn(tqdm):  # type: ignore[type-arg]  # tqdm.auto's class is made while it runs
        monitor_interval = 0

    return Drawn(total=1, leave=False, bar_format=_form("", ""))


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
