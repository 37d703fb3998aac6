"""A check -> plain text and HTML."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from ..checks import Check
from ..facts.libraries import Finding
from ..facts.trials import Step
from ..installed.expected import Coming
from .words import counted, from_of, printable, shortened, split_remedy, title_of

_WIDTH = 100


def lead_of(check: Check) -> str:
    """Give what importing them may do, in a line."""
    unknown = {gap.what for gap in check.unknown}
    names = ", ".join(name for name in check.modules if name not in unknown)
    if not names:
        return f"What importing {', '.join(check.modules)} loads is not known"
    if not check.coming:
        return f"Importing {names} loads no further OpenMP or BLAS runtime, judging by files"
    number = len(check.coming)
    return f"Importing {names} may load {counted(number, 'more runtime')}, judging by files"


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
    """Give a check as plain text."""
    return "\n".join(_lines(check))


def _lines(check: Check) -> Iterator[str]:
    yield lead_of(check)
    for coming in check.coming:
        library = coming.library
        yield f"  {title_of(library)}, from {from_of(library)}: {printable(bringer_of(coming))}"
        role = f" \N{MIDDLE DOT} {role_of(coming)}" if role_of(coming) else ""
        yield f"    {printable(shortened(library.path, sys.prefix))}{role}"
    for finding in check.findings:
        yield from _finding(finding)
    if check.trial is not None:
        yield ""
        yield f"  Tried in a child process: {printable(check.trial.summary())}"
        for step in check.trial.steps:
            yield from _wrapped(f"{step_of(step)}: {outcome_of(step)}", "    ")
    if check.search is not None:
        yield ""
        yield from _wrapped(order_of(check), "  ")
    for gap in check.unknown:
        yield from _wrapped(f"not known: {gap.what}: {gap.why}", "  ")
    for note in check.notes:
        yield from _wrapped(f"not known: {note}", "  ")
    if check.trial is None:
        yield "  Nothing was run: --run tries it in a child process, --order searches an order"


def _finding(finding: Finding) -> Iterator[str]:
    yield ""
    yield from _wrapped(f"{finding.severity}  {finding.code}  {finding.title}", "  ")
    yield from _wrapped(finding.why, "    ")
    for remedy in finding.remedies:
        says, run = split_remedy(remedy, sys.prefix)
        yield from _wrapped(f"\N{RIGHTWARDS ARROW} {says}", "    ")
        if run:
            yield f"        {printable(run)}"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        printable(shortened(text, sys.prefix)),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
