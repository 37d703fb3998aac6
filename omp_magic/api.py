"""What `omp_magic` offers to Python: snapshot(), explain(), check(), report() and limit()."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .facts.libraries import Gap
from .facts.snapshots import Snapshot
from .here import HERE
from .limiting import limit
from .rules import judge
from .views import renderers
from .views.explain import Page, page_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .checks import Check, Checks
    from .facts.targets import Target
    from .views.report import Report

__all__ = ["HERE", "check", "explain", "limit", "report", "snapshot"]


def snapshot(
    *,
    threads: bool = False,
    measure: bool = False,
    workers: bool = False,
    shown: Collection[str] = frozenset(),
    pid: int | None = None,
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
    workers
        Also look at every child process, and theirs, from outside.
    shown
        Parts that views should open: ``"cpus"``, ``"env"``, ``"threads"``, ``"json"``; with
        ``"workers"`` they are looked at too.
    pid
        Another process of the same user, which is looked at from outside: read only, without its
        help, nothing attached or stopped. Its ``outside`` says who it is and where it waits; what
        cannot be known from outside is None, with a gap. `measure` and `workers` are of this
        process alone.

    Returns
    -------
    Snapshot
        Frozen. What could not be read is in its `gaps`; nothing is raised for it. OpenMP
        counts belong to a thread and are read on the main thread only.

    Raises
    ------
    ProcessError
        When `pid` is no process that may be looked at.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.snapshot().budget.threads >= 1
    True
    """
    if pid is not None and pid != os.getpid():
        from .outside.process import look_at  # noqa: PLC0415 - only who asks for another pays

        return look_at(pid, threads=threads, shown=frozenset(shown))
    with HERE.lock:
        facts = HERE.observer.take(
            threads=threads,
            measure=measure,
            workers=workers or "workers" in shown,
            shown=frozenset(shown),
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


def check(  # noqa: PLR0913 - what somebody may say of another system
    *modules: str,
    run: bool = False,
    order: bool = False,
    target: str | Target | None = None,
    site: str | os.PathLike[str] | None = None,
    requirements: str | os.PathLike[str] | None = None,
    wheels: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    python: str | None = None,
) -> Check:
    """Say what importing modules may load, and what that would do; nothing is imported.

    Parameters
    ----------
    modules
        Names as ``import`` takes them, in the order of importing. With `requirements` or `wheels`
        none means all that is asked for there.
    run
        Also import them in a child process, step by step, and use each runtime they load.
    order
        Also search an order that works, and prove it by running it. For other systems orders are
        always tried, on the files.
    target
        Another system: ``"macos-arm64"``, ``"windows-x86_64"`` …; when None the system that the
        files of `site` are for, else this process. Several, with a comma between them, are what
        `check_on` answers.
    site
        A folder with another environment: its site-packages, its prefix, an unpacked image. With
        it a process that has nothing yet is meant.
    requirements
        A file of requirements or a lock file: what it would install there. Wheels that are not
        in the cache are fetched with the user's own pip; none is installed or run.
    wheels
        A folder of wheels to take instead of fetching any.
    env
        The target's variables.
    python
        The target's Python, ``"3.12"``; when None that of the files, else the running one.

    Returns
    -------
    Check
        Its `runtimes` are a tuple of `Library`, its `findings` what would be the case then.

    Raises
    ------
    TrialError
        When a name is no module's.
    RequestError, RequirementsError
        When no system is called so, the folder is none or its files are for another system, the
        file cannot be read, or something of another system is to be run.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.check("json").runtimes
    ()
    """
    from .checks import Check, check_modules  # noqa: PLC0415 - only a check pays

    if isinstance(target, str) and (names := _listed(target))[1:]:
        places = {"site": site, "requirements": requirements, "wheels": wheels}
        more = {"run": run, "env": env, "python": python, **places}
        several: Any = check_on(*modules, targets=names, **more)
        return several  # type: ignore[no-any-return]  # no type tells that a text has a comma
    Check.renderers.update(renderers.check_renderers)
    if all(each is None for each in (target, site, requirements, wheels, env, python)):
        return check_modules(modules, snapshot(), run=run, order=order)
    from .foreseen.questions import Place, answered  # noqa: PLC0415 - as above
    from .foreseen.targets import see_nothing_runs, target_of  # noqa: PLC0415 - as above

    see_nothing_runs(run=run)
    if target is None or isinstance(target, str):
        target = target_of(target, environ=env, python=python)
    else:
        target = replace(target, environ={**target.environ, **(env or {})})
    place = Place.of(site=site, requirements=requirements, wheels=wheels)
    return answered(modules, target, place, snapshot())


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def check_on(*modules: str, targets: Sequence[str], **more: Any) -> Checks:
    """Say what importing modules may load on several systems.

    Parameters
    ----------
    modules
        As in `check`.
    targets
        Their names: ``("macos-arm64", "windows-x86_64")``.
    more
        Further arguments of `check`.

    Returns
    -------
    Checks
        A `Check` for each system, in `checks`; shown as one table.
    """
    from .checks import Checks  # noqa: PLC0415 - only who asks about several systems pays

    Checks.renderers.update(renderers.checks_renderers)
    return Checks(checks=tuple(check(*modules, target=each, **more) for each in targets))
