"""A kernel's record -> facts. Who wrote it is not trusted: what has another form is left out."""

from __future__ import annotations

import os
import stat
from typing import Any

from ..facts.libraries import Finding, Gap
from ..facts.remains import Frame, LastCell, LastFigures, Loaded, Remains
from ..formats.records import Record
from ..machine import Machine
from ..machine.python import recordfile as layout
from .kills import probe_more_kills

_CLOCK_S = 0.05
"""By how much a file's time lags behind `time.time`: it is that of the last tick (time(7))."""
_FAULTS_LOST = "faulthandler is in use by this session's own code"
_NOT_ARMED = "it ended in the cell that loaded the extension, before more could be set up"


def mark_of(path: str) -> str:
    """Give the file beside a record that C's exit marks."""
    return path.removesuffix(layout.SUFFIX) + layout.MARK_SUFFIX


def as_facts(  # noqa: PLR0913 - each is a fact of its own
    machine: Machine,
    record: Record,
    path: str,
    last_s: float,
    *,
    same_boot: bool | None,
    same_host: bool,
) -> Remains:
    """Turn a record into facts, with what C's exit marked beside it and the counters of now.

    Parameters
    ----------
    machine
        The machine.
    record
        What the kernel wrote.
    path, last_s
        Its file, and when that was last written.
    same_boot, same_host
        As in `Remains`.
    """
    gaps: list[Gap] = []
    identity, seen = record.identity, record.seen
    if not identity:
        gaps.append(Gap(what="kernel", why="that part of its record is not whole", where=path))
    for what, why in _pairs(identity.get("gaps")):
        gaps.append(Gap(what=what, why=why))
    if not identity.get("armed"):
        gaps.append(Gap(what="stderr, exit code, memory killer", why=_NOT_ARMED))
    if not seen:
        gaps.append(Gap(what="what was loaded", why="nobody had looked: the guard was off"))
    kept = identity.get("faults", True) is True
    if not kept:
        gaps.append(Gap(what="fault's stack", why=_FAULTS_LOST))
    exited, exited_s = _exited(path, str(identity.get("mark", "")))
    lived_s = max(record.cell_began_s, record.cell_ended_s, record.looked_s)
    if exited_s and exited_s + _CLOCK_S < lived_s:
        # A child that C forked: nothing of the kernel's runs after its own exit.
        exited, exited_s = (False, None), 0.0
    fault = record.fault
    return Remains(
        kernel=str(identity.get("kernel", "")),
        notebook="" if identity.get("inherited") else str(identity.get("notebook", "")),
        folder=str(identity.get("folder", "")),
        pid=_number(identity.get("pid")),
        python=str(identity.get("python", "")),
        began_s=float(identity.get("began", 0.0)),
        last_s=max(last_s, exited_s),
        cell=_cell(record),
        error=fault.error if fault is not None else "",
        stack=tuple(
            Frame(file=each.file, line=each.line, function=each.function)
            for each in (fault.stack if fault is not None else ())
        ),
        signals_kept=kept,
        c_stack=fault.c_stack if fault is not None else (),
        exited=exited,
        lines=tuple(line for line in record.lines.split("\n") if line.strip()),
        shutdown_s=record.shutdown_s or None,
        restarting=record.restarting,
        figures=_figures(record),
        kills=probe_more_kills(machine, record.memory, gaps, same_boot=same_boot is True),
        doing=str(seen.get("doing", "")),
        loaded=tuple(_loaded(row) for row in _rows(seen.get("loaded"))),
        findings=tuple(_finding(row) for row in _rows(seen.get("findings"))),
        limits=tuple(map(str, _list(seen.get("limits")))),
        variables=tuple(_pairs(seen.get("variables"))),
        same_boot=same_boot,
        same_host=same_host,
        told=record.told,
        asked=record.asked,
        record=path,
        gaps=tuple(gaps),
    )


def _exited(path: str, kind: str) -> tuple[tuple[bool, int | None] | None, float]:
    """Read what C's exit has marked; see `port.ExitMark`."""
    if not kind:
        return None, 0.0
    try:
        found = os.lstat(mark_of(path))
    except FileNotFoundError:
        return ((True, None) if kind == "absence" else None), 0.0
    except OSError:
        return None, 0.0
    mode = stat.S_IMODE(found.st_mode)
    if kind != "mode" or mode == 0o600 or not stat.S_ISREG(found.st_mode):
        return (False, None), 0.0
    return (True, mode & 0xFF), found.st_ctime


def _cell(record: Record) -> LastCell | None:
    if not record.cell_began_s:
        return None
    return LastCell(
        number=record.number,
        began_s=record.cell_began_s,
        ended_s=record.cell_ended_s or None,
        text=record.text,
    )


def _figures(record: Record) -> LastFigures | None:
    if not record.looked_s:
        return None
    spent_s = record.looked_s - record.earlier_s
    used_s = record.cpu_s - record.earlier_cpu_s
    return LastFigures(
        at_s=record.looked_s,
        rss_bytes=record.rss_bytes or None,
        threads=record.threads or None,
        cpus=max(0.0, used_s / spent_s) if record.earlier_s and spent_s > 0 else None,
    )


def _loaded(row: dict[str, Any]) -> Loaded:
    started = row.get("started")
    return Loaded(
        file=str(row.get("file", "")),
        path=str(row.get("path", "")),
        family=str(row.get("family", "")),
        whose=str(row.get("whose", "")),
        started=started if isinstance(started, bool) else None,
        coming=row.get("coming") is True,
    )


def _finding(row: dict[str, Any]) -> Finding:
    severity = row.get("severity")
    return Finding(
        code=str(row.get("code", "")),
        severity=severity if severity in ("error", "warning", "info") else "info",
        title=str(row.get("title", "")),
        why=str(row.get("why", "")),
        evidence=tuple(map(str, _list(row.get("evidence")))),
        remedies=tuple(map(str, _list(row.get("remedies")))),
        source=str(row.get("source", "")),
    )


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _rows(found: Any) -> list[dict[str, Any]]:
    return [each for each in _list(found) if isinstance(each, dict)]


def _pairs(found: Any) -> list[tuple[str, str]]:
    return [
        (str(each[0]), str(each[1]))
        for each in _list(found)
        if isinstance(each, list) and len(each) == 2
    ]


def _number(found: Any) -> int:
    return found if isinstance(found, int) else 0
