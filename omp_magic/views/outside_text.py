"""Where the threads of another process are, in lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts.outside import Outside
from ..facts.snapshots import Snapshot
from .lines import line, table, wrapped
from .outside import code_of, doing, main_wait_of, variables_words

if TYPE_CHECKING:
    from rich.text import Text


def wait_lines(snapshot: Snapshot, outside: Outside, width: int) -> list[Text]:
    """Give where its first thread is, or with a list of all threads where each is."""
    lines: list[Text] = []
    if snapshot.os_threads is not None and outside.waits:
        rows = [
            (str(each.tid), each.owner or "not known", doing(each), each.wchan, code_of(each))
            for each in outside.waits
        ]
        heads = (">thread", "belongs to", "does", "in the kernel", "in the code of")
        lines = table(heads, rows, width)
    elif main_wait_of(snapshot):
        lines = wrapped(main_wait_of(snapshot), width, first="  ", further="    ")
    if "env" in snapshot.shown:
        lines += [line()] if lines else []
        lines += wrapped(variables_words(outside), width, first="  ", further="    ", style="dim")
    return lines
