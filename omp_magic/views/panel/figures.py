"""What the panel says beside its table: key figures, state, limits, gaps. Pure: no clock."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from ...facts.cpus import cpus_words
from ...facts.limits import Limit
from ..meanings import MEANINGS
from ..words import DASH
from .facts import PanelFacts
from .names import clipped
from .now import NOTABLE_WAIT, SHARED_GROUP, at_work

_TEXT = 200
_OTHERS = MEANINGS["neighbours"]
_NOTABLE_THROTTLING = 0.05
"""The share from which OMP203 (`rules.oversubscription`) warns."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure: `before` and `after` are small, `value` is bold; `bad` adds a colour.

    `title` says what it is.
    """

    before: str
    value: str
    after: str = ""
    bad: bool = False
    title: str = ""

    def __str__(self) -> str:
        """Give it as plain text."""
        return " ".join(part for part in (self.before, self.value, self.after) if part)


def figures_of(facts: PanelFacts) -> tuple[Figure, ...]:
    """Give the key figures of the last tick; a dash is a value that is not known."""
    tick, allowed = facts.newest, facts.allowed_cpus
    if tick is None:
        return (Figure("", DASH, f"of {cpus_words(allowed)}"),)
    used = DASH if tick.cpus is None else f"{tick.cpus:.2f}"
    figures = [Figure("", used, f"of {cpus_words(allowed)}")]
    load = facts.snapshot.load
    others = load.neighbours if load is not None else None
    if others is not None and others.are_notable:
        figures.append(Figure("others here", f"{others.cpus:.2f}", bad=True, title=_OTHERS))
    elif tick.others_cpus is not None and tick.others_cpus > SHARED_GROUP:
        figures.append(Figure("others here", f"{tick.others_cpus:.2f}", title=_OTHERS))
    if tick.throttled is not None or facts.snapshot.budget.quota_cpus is not None:
        figures.append(_share("throttled", tick.throttled, _NOTABLE_THROTTLING))
    if tick.waiting is None or tick.busy:
        figures.append(_share("waiting", tick.waiting, NOTABLE_WAIT, of_much=at_work(tick)))
    threads = tick.num_threads
    if threads is None:
        figures.append(Figure("", DASH, "threads"))
    else:
        figures.append(Figure("", str(threads), "thread" if threads == 1 else "threads"))
    rss = tick.rss_bytes
    figures.append(Figure("", DASH if rss is None else f"{rss / 1e6:.0f}", "MB"))
    return tuple(figures)


def _share(name: str, share: float | None, notable: float, *, of_much: bool = True) -> Figure:
    if share is None:
        return Figure(name, DASH, title=MEANINGS[name])
    bad = share >= notable and of_much
    return Figure(name, f"{share:.0%}", bad=bad, title=MEANINGS[name])


def limit_words(limit: Limit) -> str:
    """Give a limit that is in force in a line."""
    return clipped(f"limit {limit.spec}, set by {limit.set_by}; back with {limit.undo}", _TEXT)


def gaps_of(facts: PanelFacts) -> tuple[str, ...]:
    """Give what the last tick could not read."""
    gaps = facts.newest.gaps if facts.newest is not None else ()
    return tuple(dict.fromkeys(clipped(f"{gap.what}: {gap.why}", _TEXT) for gap in gaps))


def state_words(facts: PanelFacts) -> str:
    """Give what the kernel does: ``Live · cell [14] running 12 s``; ``paused`` where it is.

    What is saved says of when it is.
    """
    if facts.saved:
        at_s = facts.newest.at_s if facts.newest is not None else None
        return f"Snapshot of {clock(at_s, '%Y-%m-%d %H:%M') or 'a moment'}"
    how = "Live" if facts.threaded else "after each cell"
    how = "paused" if facts.paused else how
    return f"{how} \N{MIDDLE DOT} {clipped(facts.cell, 80)}"


def running_cell(facts: PanelFacts) -> str:
    """Give which cell runs: ``cell [14]``; "" while none does."""
    found = re.match(r"cell \[\d+\]", facts.cell)
    return found[0] if found else ""


def clock(at_s: float | None, form: str = "%H:%M:%S") -> str:
    """Give a moment as the kernel's clock shows it; "" when there is none."""
    if at_s is None:
        return ""
    try:
        return time.strftime(form, time.localtime(at_s))
    except (OverflowError, ValueError, OSError):
        return ""
