"""``omp-magic top``: the kernels of this machine by notebook, their CPUs, threads and findings."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import wrong
from ..facts.kernels import Kernels
from ..outside.kernels import ORDERS, KernelWatch, ordered
from ..views.plain import can_redraw, terminal_columns, write_lines
from .commands import FINE, FOUND, WRONG_USE
from .parser import Parser

if TYPE_CHECKING:
    from rich.text import Text

TOLD = "list the kernels of this machine by notebook, with CPUs, threads and findings"
DEFAULT = "your Jupyter kernels, anew every 2 seconds in a terminal, a table once when piped"
EXAMPLE = "omp-magic top --sort threads --interval 5"

_FIRST_S = 0.5
"""Between the two looks that a rate needs, where only one table is shown."""
_LEAST_S, _MOST_S = 0.2, 3600.0
_ENDS = ("q", "Q", "\x1b", "\x03", "\x04")
_BESIDE_ROWS = 6
"""Lines of the screen that are no rows of the table: above it, below it, the first gaps."""
_MOST_FITS = 4


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument(
        "--sort", choices=ORDERS, default="cpu", help="what stands first (default: %(default)s)"
    )
    parser.add_argument(
        "--interval",
        default="2",
        metavar="S",
        help="seconds between two looks (default: %(default)s)",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        dest="every",
        help="all your processes that have an OpenMP or BLAS runtime",
    )
    parser.add_argument("--once", action="store_true", help="one table, also in a terminal")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(options: Namespace) -> int:
    """List them."""
    seconds = _seconds(options.interval)
    if seconds is None:
        accepted = f"seconds from {_LEAST_S:g} to {_MOST_S:g}"
        told = wrong(f"found --interval {options.interval!r}", accepted, EXAMPLE)
        print(f"omp-magic top: {told}", file=sys.stderr)
        return WRONG_USE
    options.interval = seconds
    watch = KernelWatch(every=options.every)
    if options.json or options.once or not can_redraw(sys.stdout):
        return _once(watch, options)
    with suppress(KeyboardInterrupt):  # the way to end it that everybody knows
        _live(watch, options)
    return FINE


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if _LEAST_S <= seconds <= _MOST_S else None


def _once(watch: KernelWatch, options: Namespace) -> int:
    from ..views.top import layout, plain  # noqa: PLC0415 - rich, 30 ms

    watch.look()
    time.sleep(min(_FIRST_S, options.interval))
    found = ordered(watch.look(), options.sort)
    if options.json:
        print(json.dumps(plain(found), indent=2))
    else:
        write_lines(layout(found, terminal_columns(), home=os.path.expanduser("~")))
    errors = any(each.severity == "error" for each in found.kernels)
    return FOUND if errors else FINE


def _live(watch: KernelWatch, options: Namespace) -> None:
    from ..machine.python.keys import STOP, keys, stop  # noqa: PLC0415 - only a terminal has some
    from ..views.live import screen  # noqa: PLC0415 - as above

    home, pause_s = os.path.expanduser("~"), min(_FIRST_S, options.interval)
    while True:
        with keys() as wait, screen() as (draw, size):
            key = ""
            while key not in (*_ENDS, STOP):
                columns, rows = size()
                draw(_page(ordered(watch.look(), options.sort), columns, rows, home))
                key = wait(pause_s)
                pause_s = options.interval
        if key != STOP:
            return
        stop()


def _page(found: Kernels, columns: int, rows: int, home: str) -> list[Text]:
    from ..views.lines import line, wrapped  # noqa: PLC0415 - rich, 30 ms
    from ..views.top import layout, summary  # noqa: PLC0415 - as above

    head = [*wrapped(f"{summary(found)} · q ends", columns, first="  ", style="dim"), line()]
    most = rows - _BESIDE_ROWS
    for _ in range(_MOST_FITS):
        page = [*head, *layout(found, columns, most=most, home=home)]
        if len(page) <= rows or most <= 1:
            break
        most = most * max(1, rows - len(head)) // len(page)  # a row may be several lines
    return page
