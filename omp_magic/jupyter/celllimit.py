"""The limit around one cell, and what the cell cost.

A failure of omp_magic itself becomes one logged line and the cell runs as if it were not there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import OmpMagicError
from ..facts.limits import Limit
from ..facts.usage import Usage
from ..here import HERE
from ..limits.held import Held
from ..limits.spec import LimitSpec
from ..probes.cost.meter import Meter
from ..views.cost import CostCard
from ..views.record import appended, check_name, check_target
from .saying import entry_notes, in_one_line, logged, say
from .showing import show

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@contextmanager
def limited(
    shell: InteractiveShell, spec: LimitSpec, *, env: bool, report: bool, record: str | None
) -> Iterator[None]:
    """Limit the pools while a cell runs, and say afterwards what it cost.

    Parameters
    ----------
    shell
        Whose cell it is.
    spec
        The limit.
    env
        Whether child processes inherit it.
    report
        Whether to say what the cell cost.
    record
        Name of the DataFrame that a row of it is appended to, or None.

    Raises
    ------
    UsageError
        Before the cell runs, when the limit cannot be set here, or the name is no DataFrame's.
    """
    if record is not None:
        with in_one_line():
            check_target(shell.user_ns.get(check_name(record)), record)
    held = _entered(spec, env=env)
    meter = _started() if report or record is not None else None
    usage = None
    try:
        yield
    finally:
        try:
            usage = _stopped(meter) if meter is not None else None
        finally:
            if held is not None:
                with logged("the limits could not be put back"):
                    held.leave()
                say(held.afterwards)
        if usage is not None and report:
            with logged("not reported"):
                show(CostCard(spec.text, usage, held.least if held else None))
        if usage is not None and record is not None:
            with logged("not recorded"):
                _record(shell, record, usage, spec)


def _record(shell: InteractiveShell, name: str, usage: Usage, spec: LimitSpec) -> None:
    """Append a row to the user's DataFrame; importing pandas may load a BLAS, so it comes last."""
    frame = shell.user_ns.get(name)  # looked up again: the cell may have changed it
    try:
        cell = getattr(getattr(shell.displayhook, "exec_result", None), "execution_count", None)
        number = shell.execution_count if cell is None else cell
        shell.user_ns[name] = appended(frame, usage, spec=spec.text, cell=number)
    except OmpMagicError as error:
        print(f"omp_limit: not recorded: {error}", file=sys.stderr)


def _entered(spec: LimitSpec, *, env: bool) -> Held | None:
    held = None
    told = Limit(spec=spec.text, set_by=f"%%omp_limit {spec.text}", undo="the end of its cell")
    with logged("not limited"), in_one_line():
        held = HERE.limiter.enter(spec, env=env, told=told)
        say(entry_notes(spec, held))
    return held


def _started() -> Meter | None:
    with logged("not measured"):
        meter = Meter.of(HERE.observer)
        meter.start()
        return meter
    return None


def _stopped(meter: Meter) -> Usage | None:
    with logged("not measured"):
        return meter.stop()
    return None
