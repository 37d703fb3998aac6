"""`omp_magic.postmortem`: kernels that have ended otherwise than cleanly, and why."""

from __future__ import annotations

from collections.abc import Callable

from .facts.deaths import Deaths
from .facts.libraries import Gap
from .facts.remains import Remains
from .machine import Machine
from .machine.python.recordfile import ASKED_AT, is_name
from .machine.python.runtimefolder import runtime_folder
from .probes.deaths import mark_record, probe_remains
from .rules.deaths import judge_death
from .views.renderers import deaths_renderers


def postmortem() -> Deaths:
    """Say why this user's Jupyter kernels have died, the newest first.

    A kernel writes a record of itself from ``%load_ext omp_magic`` on, which a clean end removes.

    Returns
    -------
    Deaths
        Frozen: ``deaths``, of each ``headline``, ``why``, ``code``, ``evidence``, ``remedies``
        and ``remains``; ``to_dict``, ``to_json``, and ``str`` tells it all.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.postmortem().to_dict()["schema"]
    1
    """
    return asked_about(deaths_in(Machine.here(), runtime_folder(), whose="this user's kernels"))


def deaths_in(  # noqa: PLR0913 - each is a question of its own
    machine: Machine,
    folder: str,
    *,
    of: Callable[[str], bool] = is_name,
    when: Callable[[Remains], bool] = lambda _: True,
    whose: str = "",
    kernel: str = "",
) -> Deaths:
    """Judge what is left in a folder.

    Parameters
    ----------
    machine
        The machine.
    folder
        Jupyter's runtime folder.
    of
        Which files are opened, by their names.
    when
        Which remains are judged.
    whose
        Of what they are, for people.
    kernel
        The id of the kernel that asks: of the same id, on whatever machine, none lives beside it.
    """
    Deaths.renderers.update(deaths_renderers)
    gaps: list[Gap] = []
    found = probe_remains(machine, folder, gaps, of=of)
    asked = [each for each in found if when(each)]
    here = [each for each in asked if each.same_host or (kernel and each.kernel == kernel)]
    if len(here) < len(asked):
        why = f"{len(asked) - len(here)} ran on another machine: whether it lives is not seen here"
        gaps.append(Gap(what="records of kernels", why=why, where=folder))
    deaths = tuple(map(judge_death, here))
    return Deaths(deaths=deaths, whose=whose, gaps=tuple(gaps))


def asked_about(found: Deaths) -> Deaths:
    """Note that somebody has asked about them, and give them."""
    for death in found.deaths:
        if not death.remains.asked:
            mark_record(death.remains, ASKED_AT)
    return found
