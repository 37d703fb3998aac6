"""OMP211: other processes of the group use its CPUs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..facts.cpus import cpus_words
from ..facts.libraries import Library
from ..facts.names import short_command
from ..facts.snapshots import Snapshot
from .rule import Case, Rule

if TYPE_CHECKING:
    from ..facts.load import Load, Neighbours

_SPARE_CPUS = 0.1
"""What a figure may be off."""


def _largest(others: Neighbours) -> str:
    if not others.largest:
        return "/proc does not show here which they are."
    most = others.largest[0]
    return (
        f"The largest is pid {most.pid} with {most.cpus:.2f} CPUs ({short_command(most.command)})."
    )


def _title(load: Load, others: Neighbours) -> str:
    used = "an unknown number" if load.used_cpus is None else f"{load.used_cpus:.1f}"
    cpus, theirs = cpus_words(others.allowed_cpus), f"{others.cpus:.1f}"
    if load.waits_much:
        return f"You get {used} of {cpus}: others here use {theirs}"
    return f"Others here use {theirs} of {cpus}, this kernel {used}"


def _shared(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    load = snapshot.load
    others = load.neighbours if load is not None else None
    if load is None or others is None or not others.are_notable:
        return
    sizes = [pool.size for pool in snapshot.pools if not pool.lender and not pool.for_io]
    wanted = max(sizes, default=0) or snapshot.budget.threads
    if wanted + others.cpus <= others.allowed_cpus + _SPARE_CPUS and not load.waits_much:
        return  # there is room for both
    who = f"of its cgroup {others.group}" if others.group else "on this machine"
    used = "an unknown number" if load.used_cpus is None else f"{load.used_cpus:.2f}"
    left = max(1, int(others.allowed_cpus - others.cpus + _SPARE_CPUS))
    names = [f"{each.cpus:.2f} CPUs: pid {each.pid}, {each.command}" for each in others.largest]
    limit = (f"Use what they leave: %omp_limit {left}",) if wanted > left else ()
    end = "Or end" if limit else "End"
    yield Case(
        title=_title(load, others),
        why=(
            f"Other processes {who}, its neighbours, use CPUs that this one may use too. Its "
            "threads wait for them, and a team waits for its slowest thread. " + _largest(others)
        ),
        evidence=(
            f"over {load.interval_s:.1f} s: this process {used}, others {others.cpus:.2f} CPUs",
            *names,
        ),
        remedies=(
            *limit,
            f"{end} what is not needed, other notebooks' kernels for example",
        ),
    )


RULES = (
    Rule(
        code="OMP211",
        severity="warning",
        summary="other processes of this group use its CPUs",
        source="https://docs.kernel.org/scheduler/sched-bwc.html",
        look=_shared,
    ),
)
