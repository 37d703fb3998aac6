"""What `omp_magic` offers to Python: snapshot(), explain(), check() and limit()."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .facts.libraries import Gap
from .facts.snapshots import Snapshot
from .here import HERE
from .limiting import limit
from .rules import judge
from .views import renderers
from .views.explain import Page, page_of

if TYPE_CHECKING:
    from .checks import Check

__all__ = ["HERE", "check", "explain", "limit", "snapshot"]


def snapshot(
    *, threads: bool = False, measure: bool = False, shown: frozenset[str] = frozenset()
) -> Snapshot:
    """Say what is true of this process now: runtimes, thread counts, CPUs, findings.

    Nothing is loaded, started or set. A repeated call costs about a sixth of
    `threadpoolctl.threadpool_info`, because the loader's own counter tells whether anything
    was loaded or unloaded in between, by whatever way.

    Parameters
    ----------
    threads
        Also list every OS thread.
    measure
        Also keep threads busy for half a second and count the CPUs they really get.
    shown
        Parts that views should open: ``"cpus"``, ``"env"``, ``"threads"``, ``"json"``.

    Returns
    -------
    Snapshot
        Frozen. What could not be read is in its `gaps`; nothing is raised for it. OpenMP
        counts belong to a thread and are read on the main thread only.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.snapshot().budget.threads >= 1
    True
    """
    facts = HERE.observer.take(
        threads=threads,
        measure=measure,
        shown=shown,
        limits=HERE.limits,
        altered=HERE.altered,
    )
    facts = replace(facts, overruns=HERE.overruns)
    try:
        return facts.with_findings(judge(facts))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not break the user's cell
        why = f"a fault in omp_magic: {type(error).__name__}: {error}"
        return facts.with_gap(Gap(what="findings", why=why))


def explain(*codes: str) -> Page:
    """Explain findings at length, with what they rest on in this process.

    Parameters
    ----------
    codes
        ``"OMP101"``, or the number alone, or a word of the views such as ``"waiting"``; without
        any, what is found now.

    Raises
    ------
    UnknownCodeError
        When there is no such code or word.

    Examples
    --------
    >>> import omp_magic
    >>> print(omp_magic.explain("OMP106"))  # doctest: +ELLIPSIS
    OMP106 · info · several BLAS copies, each with its own pool
    ...
    """
    findings = snapshot().findings
    wanted = codes or tuple(dict.fromkeys(finding.code for finding in findings))
    intro = "" if wanted else "Nothing is wrong here. Every code: omp-magic explain"
    return page_of(wanted, findings, intro)


def check(*modules: str, run: bool = False, order: bool = False) -> Check:
    """Say what importing modules may load here, and what that would do; nothing is imported.

    Parameters
    ----------
    modules
        Names as ``import`` takes them, in the order of importing.
    run
        Also import them in a child process, step by step, and use each runtime they load.
    order
        Also search an order that works, and prove it by running it.

    Returns
    -------
    Check
        Its `runtimes` are a tuple of `Library`, its `findings` what would be the case then.

    Raises
    ------
    TrialError
        When a name is no module's.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.check("json").runtimes
    ()
    """
    from .checks import Check, check_modules  # noqa: PLC0415 - only a check pays

    Check.renderers.update(renderers.check_renderers)
    return check_modules(modules, snapshot(), run=run, order=order)
