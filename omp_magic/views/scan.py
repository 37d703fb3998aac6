"""What a wheel or a folder ships -> plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts.libraries import Finding, Library
from ..installed.wheels import Need, Scanned
from ..knowledge.catalog import BY_KEY
from ..knowledge.registration import ENVIRONMENT, FILE, SHARED_MEMORY
from .finding_text import finding_lines
from .lines import line, wrapped
from .plain import joined, terminal_columns
from .words import counted, title_of

if TYPE_CHECKING:
    from rich.text import Text


_PLACES = {
    ENVIRONMENT: "the environment",
    SHARED_MEMORY: "shared memory",
    FILE: "a file below /tmp",
}


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
        lines += said(f"ships  {_shipped(library, unlinked=library.path in scanned.unlinked)}")
    for need in scanned.needs:
        lines += said(_needed(need))
    if not scanned.ships and not scanned.needs:
        lines += said("no OpenMP or BLAS runtime")
    for finding in findings:
        lines += [line(), *finding_lines(finding, "", width=width, magics=False)]
    for note in scanned.notes:
        lines += said(f"not known: {note}", style="dim")
    return lines


def _shipped(library: Library, *, unlinked: bool) -> str:
    facts = [f"{title_of(library)}: {library.path}"]
    if library.install_name:
        facts.append(f"install name {library.install_name}")
    if library.registers:
        facts.append(f"registers in {_PLACES[library.registers]}")
    if unlinked:
        facts.append("nothing in it links it")
    return ", ".join(facts)


def _needed(need: Need) -> str:
    files = counted(len(need.files), "file")
    if need.everywhere:
        return f"uses   {BY_KEY[need.family].label}, the system's own: {files}"
    when = ", at the first call" if need.late else ""
    where = f", searched in {', '.join(need.rpaths)}" if need.rpaths else ""
    return f"needs  {need.name} from elsewhere{when}: {files}{where}"
