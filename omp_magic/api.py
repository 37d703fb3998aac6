"""What `omp_magic` offers to Python: snapshot(), explain(), check(), report() and limit()."""

from __future__ import annotations

import os
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
    from .views.report import Report

__all__ = ["HERE", "check", "explain", "limit", "report", "snapshot"]


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


def report(path: str | os.PathLike[str], *, force: bool = False, command: str = "") -> str:
    """Write one file for a bug report: facts, findings with their evidence, versions.

    No environment variables but those of the table are in it; the home folder is written ``~``,
    the user's name ``user`` and the machine's ``host``. Nothing is imported or sent for it.

    Parameters
    ----------
    path
        A file that ends in ``.html``, ``.txt``, ``.md`` or ``.json``.
    force
        Whether a file that is there may be replaced.
    command
        What was typed instead of this call, for the example of an error; "" for none.

    Returns
    -------
    str
        The path that was written.

    Raises
    ------
    ReportError
        When it cannot be written; then no file was changed.

    Examples
    --------
    >>> import omp_magic, os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.path.basename(omp_magic.report(os.path.join(folder, "omp.html")))
    'omp.html'
    """
    from .reports import check_report, write_report  # noqa: PLC0415 - only a report pays
    from .views.report import KINDS  # noqa: PLC0415 - as above

    full = check_report(os.fspath(path), KINDS, force=force, command=command)
    made = KINDS[os.path.splitext(full)[1].lower()](_reported(snapshot(threads=True)))
    write_report(full, made, force=force, command=command)
    return full


def _reported(facts: Snapshot) -> Report:
    """Make a report of a snapshot; what is true of the process now is not true of another one."""
    from .probes.about import probe_about, probe_personal  # noqa: PLC0415 - as above
    from .views.report import report_of  # noqa: PLC0415 - as above

    observer = HERE.observer
    about = None
    if facts.pid == os.getpid():
        about = probe_about(observer.machine, facts, observer.packages_mapped)
    return report_of(facts, about, probe_personal())


def _page(facts: Snapshot) -> str:
    from .views.report import as_page  # noqa: PLC0415 - as above

    return as_page(_reported(facts))


Snapshot.renderers["page"] = _page
"""Versions and names are read for it, which views may not."""


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
