"""A check -> plain text and HTML."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ..checks import Check
from ..facts.libraries import Gap
from ..facts.trials import Step
from ..installed.expected import Coming
from . import foreseen
from .finding_text import finding_lines, spoken
from .lines import TONES, code, line, wrapped
from .plain import for_display, joined, terminal_columns
from .systems import stops_of
from .words import counted, from_of, split_remedy, title_of

if TYPE_CHECKING:
    from rich.text import Text


def lead_of(check: Check) -> str:
    """Give what importing them may do, in a line."""
    if check.target is not None:
        return foreseen.lead_of(check)
    unknown = dict.fromkeys(gap.what for gap in check.unknown)
    known = [name for name in check.modules if name not in unknown]
    if not known:
        return f"What importing {foreseen.modules_words(check.modules)} loads is not known"
    said = f"Importing {foreseen.modules_words(known)} "
    number = len(check.coming)
    if number:
        said += f"may load {counted(number, 'more runtime')}, judging by files"
    else:
        said += "loads no further OpenMP or BLAS runtime, judging by files"
    if unknown:
        said += f"; nothing is known of {foreseen.modules_words(tuple(unknown))}"
    stops = stops_of(replace(check, unknown=()))
    return f"Not the whole answer: {'; '.join(stops)}. {said}" if stops else said


def notes_of(check: Check) -> tuple[str, ...]:
    """Give what could not be told, without what the first line says."""
    said = tuple(f"importing {gap.what} would fail" for gap in check.failing)
    return tuple(note for note in check.notes if not said or not note.startswith(said))


def bringer_of(coming: Coming) -> str:
    """Give who brings a runtime: ``faiss, through faiss._swigfaiss``."""
    words = []
    for each in coming.brought_by:
        through = f", through {each.through}" if each.through != each.module else ""
        words.append(f"{each.module}{through}")
    return "; ".join(words)


def role_of(coming: Coming) -> str:
    """Give what a runtime will be to the others: serving them, or idle; "" when neither."""
    if coming.library.serves:
        return "will serve OpenMP"
    return "will be idle" if coming.library.idle else ""


def step_of(step: Step) -> str:
    """Give what was tried."""
    return {"import": f"import {step.name}", "call": f"use {step.name}"}.get(step.kind, step.kind)


def outcome_of(step: Step) -> str:
    """Give how a step ended, with what was said."""
    if step.outcome == "ok":
        loaded = ", ".join(library.name for library in step.libraries)
        return f"ok in {step.wall_s:.2f} s" + (f", loaded {loaded}" if loaded else "")
    what = {
        "error": step.error,
        "aborted": "aborted",
        "crashed": step.signal,
        "exited": f"exited with code {step.code}",
        "hung": f"no end after {step.wall_s:.0f} s",
        "skipped": step.note,
    }.get(step.outcome, step.outcome)
    said = f": {step.message}" if step.message else ""
    return f"{what}{said}"


def order_of(check: Check) -> str:
    """Give what the search for an order found, or ""."""
    if check.search is None:
        return ""
    if check.search.order is not None:
        return f"This order works, it was run: import {', '.join(check.search.order)}"
    return check.search.summary()


def render_text(check: Check) -> str:
    """Give a check as text without colour."""
    return joined(layout(check))


def render_display(check: Check) -> str:
    """Give a check as IPython shows it, with colours in a terminal."""
    return for_display(layout(check))


def layout(check: Check, *, magics: bool = True) -> list[Text]:
    """Give a check in lines.

    Parameters
    ----------
    check
        What was found.
    magics
        Whether it is read where there are magics; a shell has none.
    """
    if check.target is not None:
        return foreseen.layout(check, magics=magics)
    return _here(check, magics=magics)


def _here(check: Check, *, magics: bool) -> list[Text]:
    """Give a check of this very process in lines."""
    width = terminal_columns()

    def said(text: str, indent: int = 2, style: str = "") -> list[Text]:
        before = " " * indent
        text = spoken(text, sys.prefix, magics=magics)
        return wrapped(text, width, first=before, further=before + "  ", style=style)

    lines = said(lead_of(check), 0, "bold")
    for coming in check.coming:
        library = coming.library
        lines += said(f"{title_of(library)}, from {from_of(library)}: {bringer_of(coming)}")
        role = f" \N{MIDDLE DOT} {role_of(coming)}" if role_of(coming) else ""
        lines += said(f"{library.path}{role}", 4, "dim")
    for finding in check.findings:
        lines += [line(), *finding_lines(finding, sys.prefix, width=width, magics=magics)]
    if check.trial is not None:
        tone = "good" if check.trial.works else "bad"
        summary = f"Tried in a child process: {check.trial.summary()}"
        lines += [line(), *said(summary, style=TONES[tone])]
        for step in check.trial.steps:
            lines += said(f"{step_of(step)}: {outcome_of(step)}", 4)
    if check.search is not None:
        says, run = split_remedy(order_of(check), "") if check.search.order else ("", "")
        lines += [line(), *said(says or order_of(check)), *(code(run, 6) if run else [])]
    for gap in check.unknown:
        lines += said(unknown_words(gap))
    for note in notes_of(check):
        lines += said(f"not known: {note}", style="dim")
    if check.can_run and check.trial is None and len(check.unknown) < len(check.modules):
        told = "Nothing was run: --run tries it in a child process, --order searches an order"
        lines += said(told, style="dim")
    return lines


def unknown_words(gap: Gap) -> str:
    """Give a module that was asked about and is not there: ``numpi: no such module``."""
    return f"{gap.what}: {gap.why}"
