"""Which of the modules that were asked about a finding is about, and where they are asked for."""

from __future__ import annotations

from ..checks import Check
from ..facts.libraries import Finding

_COPIES = frozenset(("OMP101", "OMP102", "OMP103", "OMP107"))


def modules_of(finding: Finding, check: Check) -> tuple[str, ...]:
    """Give the modules whose imports bring what a finding is about, in the order of importing."""
    found = {
        who.module
        for coming in check.coming
        if finding.code not in _COPIES or coming.library.kin == "llvm"
        if coming.library.api == ("blas" if finding.code == "OMP106" else "openmp")
        for who in coming.brought_by
    }
    return tuple(name for name in check.modules if name in found) or check.modules[:1]


def lines_of(finding: Finding, check: Check) -> tuple[tuple[str, int], ...]:
    """Give the lines of a file of requirements that ask for these modules: file and number."""
    lines: dict[tuple[str, int], None] = {}
    for name in modules_of(finding, check):
        file, _, number = check.where.get(name, "").rpartition(":")
        if file and number.isdigit():
            lines[file, int(number)] = None
    return tuple(lines)
