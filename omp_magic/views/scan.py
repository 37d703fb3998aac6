"""What a wheel or a folder ships -> plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..facts.libraries import Finding
from ..installed.wheels import Scanned
from .words import counted, printable, title_of

_WIDTH = 100


def render_scan(scanned: Scanned, findings: tuple[Finding, ...]) -> str:
    """Give a scan, and what it would clash with, as plain text."""
    return "\n".join(printable(line) for line in _lines(scanned, findings))


def _lines(scanned: Scanned, findings: tuple[Finding, ...]) -> Iterator[str]:
    name = f"{scanned.name} {scanned.version}" if scanned.name else scanned.path
    systems = ", ".join(scanned.platforms) or "no machine code"
    yield f"{name}: {systems}, {counted(scanned.binaries, 'file')} of machine code"
    for library in scanned.ships:
        yield f"  ships  {title_of(library)}: {library.path}"
    for need in scanned.needs:
        when = ", at the first call" if need.late else ""
        yield f"  needs  {need.name} from elsewhere{when}: {counted(len(need.files), 'file')}"
    if not scanned.ships and not scanned.needs:
        yield "  no OpenMP or BLAS runtime"
    for finding in findings:
        yield f"  {finding.severity}  {finding.code}  {finding.title}"
        yield from textwrap.wrap(
            finding.why, _WIDTH, initial_indent="    ", subsequent_indent="    "
        )
    for note in scanned.notes:
        yield f"  not known: {note}"
