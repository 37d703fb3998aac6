"""What a wheel or a folder ships -> plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts.libraries import Finding
from ..installed.wheels import Scanned
from .finding_text import finding_lines
from .lines import line, wrapped
from .plain import joined, terminal_columns
from .words import counted, title_of

if TYPE_CHECKING:
    from rich.text import Text


def render_scan(scanned: Scanned, findings: tuple[Finding, ...]) -> str:
    """Give a scan, and what it would clash with, as text without colour."""
    return joined(scan_lines(scanned, findings))


def scan_lines(scanned: Scanned, findings: tuple[Finding, ...]) -> list[Text]:
    """Give a scan in lines, for who reads it in a shell."""
    width = terminal_columns()

    def said(text: str, indent: str = "  ", style: str = "") -> list[Text]:
        return wrapped(text, width, first=indent, further=indent + "  ", style=style)

    name = f"{scanned.name} {scanned.version}" if scanned.name else scanned.path
    systems = ", ".join(scanned.platforms) or "no machine code"
    head = f"{name}: {systems}, {counted(scanned.binaries, 'file')} of machine code"
    lines = said(head, "", "bold")
    for library in scanned.ships:
        lines += said(f"ships  {title_of(library)}: {library.path}")
    for need in scanned.needs:
        when = ", at the first call" if need.late else ""
        files = counted(len(need.files), "file")
        lines += said(f"needs  {need.name} from elsewhere{when}: {files}")
    if not scanned.ships and not scanned.needs:
        lines += said("no OpenMP or BLAS runtime")
    for finding in findings:
        lines += [line(), *finding_lines(finding, "", width=width, magics=False)]
    for note in scanned.notes:
        lines += said(f"not known: {note}", style="dim")
    return lines
