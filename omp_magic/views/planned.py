"""A plan -> text and HTML: the verdict, what it rests on, and the code for each kind of pool."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..facts.cpus import cpus_words
from ..facts.memory import MemoryBound, bound_words, bytes_words
from ..facts.plans import Division, Plan
from . import links, words
from .lines import TONES, Cell, code, line, table, verdict_lines, wrapped
from .plain import for_display, joined, terminal_columns
from .words import DASH, counted, decided_by

if TYPE_CHECKING:
    from rich.text import Text

_EDGES = {"error": "error", "warning": "warning", "fine": "k"}
_MACHINE = "machine"
LEAST_LEFT_CPUS = 0.005
"""CPUs left over that are worth a word; less is the rounding of a quota."""


@dataclass(frozen=True, slots=True)
class Said:
    """The first line: its words, and a tone of `lines.TONES`."""

    text: str
    tone: str


def verdict_of(plan: Plan) -> Said:
    """Give the worst that is true of a plan, or the plan itself."""
    memory, allowed = plan.memory, cpus_words(plan.budget.cpus)
    many = counted(plan.workers, "worker")
    divided = f"{many} of {counted(plan.threads, 'thread')} for {allowed}"
    if memory.fits is not None and memory.fits < plan.workers and memory.each_bytes:
        each = bytes_words(memory.each_bytes)
        if not memory.fits:
            return Said(f"No worker of {each} fits into {_room(plan)}", "error")
        fit = f"{memory.fits} {'fits' if memory.fits == 1 else 'fit'}"
        there = f", {memory.live} of them there already" if memory.live else ""
        return Said(f"{many} of {each} need more than {_room(plan)}: {fit}{there}", "error")
    if plan.workers > plan.budget.threads:
        would = f"{plan.budget.threads} would do"
        return Said(f"{many} on {allowed}: more than there are CPUs; {would}", "warning")
    if plan.left_cpus > LEAST_LEFT_CPUS:
        divided += f", {cpus_words(plan.left_cpus)} left over"
    if plan.hazards:
        return Said(f"{divided}; a forked one would never answer", "warning")
    return Said(divided, "fine")


def _room(plan: Plan) -> str:
    """Give what the workers are to fit into: ``the 2.1 GB free below memory.max of /pod7``."""
    bound = plan.memory.bound
    if bound is None:
        return "the memory"
    free = bound.free_bytes
    if free is None:
        return f"the {bytes_words(bound.limit_bytes or 0)} of {bound_words(bound)}"
    if bound.source == _MACHINE:
        return f"the {bytes_words(free)} that are free"
    return f"the {bytes_words(free)} free below {bound_words(bound)}"


def cpus_line(plan: Plan) -> str:
    """Give the CPUs allowed, and what decides that."""
    budget = plan.budget
    others = f"affinity {budget.affinity_cpus}, machine {budget.machine_words}"
    return f"{cpus_words(budget.cpus)}: {decided_by(budget.binding)} decides ({others})"


def notes_of(plan: Plan) -> tuple[str, ...]:
    """Give what the numbers rest on, a sentence each."""
    found = [cpus_line(plan)]
    if plan.workers > plan.budget.threads:
        found.append(
            f"Each has {counted(plan.threads, 'thread')}: with more they would wait for each "
            f"other. More workers than CPUs rarely help; with one thread each they cost their "
            f"memory, and little time."
        )
    elif not plan.asked:
        capped = plan.memory.fits is not None and plan.memory.fits < plan.budget.threads
        why = "as many as the memory is enough for" if capped else "a worker for each CPU"
        found.append(f"Proposed, {why}; {_asking(plan, 'workers')} is for another number")
    found.append(memory_line(plan))
    return tuple(found)


def unforked_line(plan: Plan) -> str:
    """Give what follows from pools that a forked worker cannot use."""
    asking = "%omp_explain {}" if plan.notebook else "omp_magic.explain('{}')"
    return f"So no code below forks; {asking.format(plan.hazards[0].code)} tells more"


def memory_line(plan: Plan) -> str:
    """Give what a worker needs and how many fit, or that it is not known."""
    memory = plan.memory
    free = "" if memory.bound is None else f"; {_free(memory.bound)}"
    if memory.each_bytes is None:
        asking = _asking(plan, "memory")
        return f"Memory of a worker: not known; {asking} says how many fit{free}"
    each = bytes_words(memory.each_bytes)
    how = f"Memory of a worker: {each}"
    if memory.live:
        shared = "PSS" if memory.told_by == "PSS" else "RSS, shared pages included"
        many = (
            f"the largest of {memory.live} that live" if memory.live > 1 else "the one that lives"
        )
        how += f" measured ({shared} of {many})"
    if memory.fits is None:
        return f"{how}; no limit on the memory is known"
    fit = f"{memory.fits} {'fits' if memory.fits == 1 else 'fit'}"
    if memory.live:
        fit += f", with the {memory.live} that live"
    return f"{how}; {fit}{free}"


def _asking(plan: Plan, what: str) -> str:
    """Give how a number of workers or a worker's memory is named, where it is read."""
    value = {"workers": "N", "memory": "500MB"}[what]
    if plan.notebook:
        return f"%omp_plan --{what} {value}"
    return f"omp_magic.plan({what}={value if what == 'workers' else repr(value)})"


def _free(bound: MemoryBound) -> str:
    limit = bytes_words(bound.limit_bytes or 0)
    if bound.free_bytes is None:
        return f"{limit} by {bound_words(bound)}, how much of it is used is not known"
    free = bytes_words(bound.free_bytes)
    if bound.source == _MACHINE:
        return f"{free} of the machine's {limit} are free"
    return f"{free} of {limit} are free below {bound_words(bound)}"


COLUMNS = (">workers", ">threads each", ">CPUs left over", ">memory")


def rows_of(plan: Plan) -> tuple[tuple[tuple[str, ...], bool], ...]:
    """Give the ways to divide the CPUs: cells of `COLUMNS`, and whether it is the plan's."""
    return tuple(
        (_cells(each, plan), (each.workers, each.threads) == (plan.workers, plan.threads))
        for each in plan.divisions
    )


def _cells(each: Division, plan: Plan) -> tuple[str, ...]:
    left = f"{each.left_cpus:.3g}" if each.left_cpus > LEAST_LEFT_CPUS else DASH
    memory, total = plan.memory, DASH
    if memory.each_bytes is not None:
        total = bytes_words(each.workers * memory.each_bytes)
        if memory.fits is not None and memory.fits < each.workers:
            total += ", does not fit"
    return str(each.workers), str(each.threads), left, total


def columns_of(plan: Plan) -> tuple[str, ...]:
    """Give the columns that say anything."""
    return COLUMNS if plan.memory.each_bytes is not None else COLUMNS[:3]


def variables_of(plan: Plan) -> str:
    """Give the variables for the workers as a shell takes them: ``OMP_NUM_THREADS=1 …``."""
    return " ".join(f"{name}={value}" for name, value in plan.settings)


def gaps_of(plan: Plan) -> tuple[str, ...]:
    """Give what could not be read, a line each."""
    return tuple(f"not known: {gap.what}: {gap.why}" for gap in plan.gaps)


def render_text(plan: Plan) -> str:
    """Give a plan as text without colour."""
    return joined(layout(plan))


def render_display(plan: Plan) -> str:
    """Give a plan as IPython shows it, with colours in a terminal."""
    return for_display(layout(plan))


def layout(plan: Plan) -> list[Text]:
    """Give a plan in lines; sentences and tables are as wide as the terminal, code as it is."""
    width = terminal_columns()

    def said(text: str, indent: int = 2, style: str = "") -> list[Text]:
        before = " " * indent
        return wrapped(text, width, first=before, further=before, style=style)

    verdict = verdict_of(plan)
    lines = verdict_lines(verdict.text, verdict.tone, width)
    for note in notes_of(plan):
        lines += said(note)
    for finding in plan.hazards:
        first = (f"  {finding.code}  ", TONES[finding.severity])
        lines += wrapped(finding.title, width, first=first, further=" " * 10)
    if plan.hazards:
        lines += said(unforked_line(plan), 10)
    if len(plan.divisions) > 1:
        columns = columns_of(plan)
        rows: list[list[Cell]] = [
            [(cell, "bold" if mine else "") for cell in cells[: len(columns)]]
            for cells, mine in rows_of(plan)
        ]
        lines += [line(), *table(columns, rows, width)]
    lines += [line(), *said("Variables for the workers", style="bold")]
    lines += said(variables_of(plan), 4)
    for recipe in plan.recipes:
        lines += [line(), *said(recipe.place, style="bold")]
        lines += said(recipe.says, 4, "dim") if recipe.says else []
        lines += code(recipe.code, 4)
    gaps = [each for gap in gaps_of(plan) for each in said(gap, style="dim")]
    return [*lines, *([line()] if gaps else []), *gaps]


def render_html(plan: Plan) -> str:
    """Give a plan as one HTML fragment with its own style; every text in it is escaped."""
    from .html import environment  # noqa: PLC0415 - jinja2, 20 ms

    verdict = verdict_of(plan)
    return environment().get_template("plan.html").render(
        plan=plan, p=sys.modules[__name__], w=words, l=links, prefix=sys.prefix,
        verdict=verdict, tone=_EDGES[verdict.tone], said="", folded=False,
    )  # fmt: skip
