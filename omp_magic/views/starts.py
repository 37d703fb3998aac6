"""How a program is started -> lines of text: each variable, and why it has its value or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import ParseError
from ..facts.cpus import cpus_words
from ..facts.starts import ABOVE, BY_TASKS, KEPT, LEFT, OUT, SET, Start, StartVariable
from ..knowledge.envvars import threads_in
from ..knowledge.meanings import meaning_of, problem_of, shown
from ..knowledge.precedence import ORDERS
from ..knowledge.variables import VARIABLES
from .words import counted, decided_by, printable

_STATES = {
    SET: "set",
    KEPT: "yours, kept",
    LEFT: "not set",
    OUT: "taken out",
}


def budget_line(start: Start) -> str:
    """Give the CPUs allowed, what decides that, and what each worker gets of them."""
    budget = start.budget
    others = f"affinity {budget.affinity_cpus}, machine {budget.machine_words}"
    many = counted(start.workers, start.divided) + " at once" * (start.divided == BY_TASKS)
    each = f"{many} of {counted(start.threads, 'thread')}"
    share = each if start.workers > 1 else counted(start.threads, "thread")
    decides = printable(decided_by(budget.binding))
    return f"{cpus_words(budget.cpus)}: {decides} decides ({others}); {share}"


def start_lines(start: Start, command: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Give all that there is to say, a line each, without colours.

    Parameters
    ----------
    start
        How it is started.
    command
        The program and its arguments; () for none.
    environ
        What it would have had.
    """
    lines = [budget_line(start)]
    rows = [(assigned(each), _state(each)) for each in start.variables]
    width = max((len(name) for name, _ in rows if len(name) <= _WIDEST), default=0)
    lines += [f"  {name:<{width}}  {state}" for name, state in rows]
    lines += _elsewhere(start, environ)
    lines += map(printable, start.notes)
    lines += [f"not known: {gap.what}: {printable(gap.why)}" for gap in start.budget.gaps]
    lines += [printable(note) for note in start.budget.notes]
    lines += _launcher(command)
    if command:
        # Its arguments may hold what is nobody's business.
        lines.append(f"starts {printable(command[0])}")
    return lines


_WIDEST = 48


def assigned(each: StartVariable) -> str:
    """Give a variable as a line names it: ``OMP_NUM_THREADS=2``, or its name alone."""
    if each.value is None:
        return each.name
    plain = each.value.isprintable() and " " not in each.value
    return f"{each.name}={each.value if plain else shown(each.value)}"


def _state(each: StartVariable) -> str:
    if each.why == ABOVE:
        return f"kept: {ABOVE}"
    why = f": {each.why}" if each.why and each.state != KEPT else ""
    return f"{_STATES[each.state]}{why}"


def _elsewhere(start: Start, environ: Mapping[str, str]) -> list[str]:
    """Say what is wrong with values of the user's, or more than the CPUs; they stay."""
    after = start.environ(environ)
    ours = {each.name for each in start.variables if each.state == SET}
    lines = []
    for name in VARIABLES:
        text = after.get(name)
        if text is None or name in ours:
            continue
        if any(note.startswith(f"{name}=") for note in start.notes):
            continue
        problem = _problem(name, text)
        most = _threads(name, text)
        if problem:
            lines.append(f"{name}: {problem} (--fix OMP304 replaces it)")
        elif most is not None and most > start.threads:
            lines.append(
                f"{name}={shown(text)} is more than the {counted(start.threads, 'thread')} that "
                f"the CPUs allow (--fix OMP201 replaces it)"
            )
    return lines


def _problem(name: str, text: str) -> str:
    if not text.strip():
        return ""
    try:
        meaning_of(name, text)
    except ParseError as error:
        return f"found {shown(text)}, expected {error.expected}"
    return problem_of(name, text)


def _threads(name: str, text: str) -> int | None:
    readers = [key for key, order in ORDERS.items() if name in order.variables]
    counts = (threads_in(reader, name, text) for reader in readers)
    return max((each for each in counts if each is not None), default=None)


def _launcher(command: Sequence[str]) -> list[str]:
    """Say what a program is known to set itself where nothing is set."""
    words = " ".join(command[:4])
    if "torchrun" in words or "torch.distributed.run" in words:
        # torch/distributed/run.py, config_from_args.
        return ["torchrun sets OMP_NUM_THREADS=1 for several processes where it is not set already"]
    return []
