"""A refusal's traceback ends at the line that asked: not in ctypes, multiprocessing, or here.

CPython itself leaves importlib's frames out. For others IPython asks an error how it is shown
(`InteractiveShell.showtraceback`, ``_render_traceback_``, in 7.34 as in 9).
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from types import TracebackType

    from IPython.core.interactiveshell import InteractiveShell

_BEHIND = frozenset({__name__.partition(".")[0], "ctypes", "multiprocessing", "concurrent"})
"""Packages whose last frames say nothing to who has called them."""


def ending_at_the_caller(refusal: Exception, shell: InteractiveShell) -> Exception:
    """Let a refusal that is about to be raised be shown up to the line that asked for it."""

    def render() -> list[str]:
        cut(refusal.__traceback__)
        made: list[str] = shell.InteractiveTB.structured_traceback(
            type(refusal), refusal, refusal.__traceback__
        )
        return made

    refusal._render_traceback_ = render  # type: ignore[attr-defined]  # IPython's own protocol
    return refusal


def cut(traceback: TracebackType | None) -> None:
    """Cut the last frames off that belong to `_BEHIND`; all debuggers see it so, too."""
    last = None
    while traceback is not None:
        name = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if last is None or name.partition(".")[0] not in _BEHIND:
            last = traceback
        traceback = traceback.tb_next
    if last is not None:
        last.tb_next = None
