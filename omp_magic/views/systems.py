"""What is said of a check for another system: its name, its verdict, its copies."""

from __future__ import annotations

from ..checks import Check
from ..facts.libraries import Library
from ..knowledge.elsewhere import words_at
from .words import counted

_SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
_WORST = ("OMP107", "OMP101", "OMP103", "OMP104", "OMP102")
_ENDS = {
    "OMP107": "that do not notice each other: a crash without a message",
    "OMP101": "that clash: Error #15 ends the process",
    "OMP102": "unwatched, since KMP_DUPLICATE_LIB_OK is set",
    "OMP103": "that hang: libomp before libiomp5",
    "OMP104": "and importing mkl ends the process",
}
_SHORT = {
    "OMP107": "crash",
    "OMP101": "Error #15",
    "OMP102": "unwatched",
    "OMP103": "hang",
    "OMP104": "mkl exits",
}


def system_of(check: Check) -> str:
    """Give a check's system for people: ``macOS arm64``."""
    if check.target is None:
        return "here"
    system, _, cpu = check.target.partition("-")
    return f"{_SYSTEMS.get(system, system)} {cpu}"


def worst_of(check: Check) -> str:
    """Give the code of the worst that copies do there, or ""."""
    codes = {each.code for each in check.findings}
    return next((code for code in _WORST if code in codes), "")


def verdict_on(check: Check) -> tuple[str, str]:
    """Give what a check says, in a person's words, and its tone."""
    code = worst_of(check)
    if code:
        copies = f"{check.copies} copies of one OpenMP runtime" if check.copies > 1 else "copies"
        severities = {each.severity for each in check.findings if each.code == code}
        return f"{copies} {_ENDS[code]}", "bad" if "error" in severities else "warning"
    others = [each for each in check.findings if each.severity in ("error", "warning")]
    if others:
        return others[0].title, "bad" if others[0].severity == "error" else "warning"
    if not check.whole:
        return "no clash in what could be followed", "warning"
    number = sum(each.api == "openmp" and not each.idle for each in check.runtimes)
    if not number:
        return "no OpenMP runtime, fine", "good"
    return f"{counted(number, 'OpenMP runtime')}, fine", "good"


def copies_words(check: Check) -> str:
    """Give the verdict in a cell: ``3 copies: crash``, ``1, fine``, ``not whole``."""
    code = worst_of(check)
    if code:
        return f"{check.copies} copies: {_SHORT[code]}"
    if not check.whole:
        return "not whole"
    number = sum(each.api == "openmp" and not each.idle for each in check.runtimes)
    wrong = any(each.severity in ("error", "warning") for each in check.findings)
    return f"{number} apart" if wrong else f"{number}, fine" if number else "none, fine"


def short_of(library: Library, *, own: bool) -> str:
    """Give a copy in a few characters: ``own libomp``, ``torch's libomp``, ``Homebrew's``."""
    elsewhere = words_at(library.path)
    if elsewhere:
        return elsewhere.partition(" ")[0] if library.kin == "llvm" else library.family
    what = f"{library.family} inside" if library.static else library.family
    if own:
        return f"own {what}"
    return f"{library.owner}'s {what}" if library.owner else what
