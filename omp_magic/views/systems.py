"""What is said of a check for another system: its name, its verdict, what it could not follow."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..checks import Check
from ..facts.libraries import Finding, Gap, Library
from ..facts.names import is_system
from ..knowledge.elsewhere import ELSEWHERE, known_at
from .words import counted

_SYSTEMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
_WORST = ("OMP107", "OMP101", "OMP103", "OMP104", "OMP102")
_CRASH = "that do not notice each other: a crash without a message"
_SHORT = {
    "OMP107": "crash",
    "OMP101": "Error #15",
    "OMP103": "hang",
    "OMP104": "mkl exits",
    "OMP102": "masked",
}
_ERRORS = ("error", "warning")


def system_of(check: Check) -> str:
    """Give a check's system for people: ``macOS arm64``."""
    if check.target is None:
        return "here"
    system, _, cpu = check.target.partition("-")
    return f"{_SYSTEMS.get(system, system)} {cpu}"


def listed(names: Sequence[str]) -> str:
    """Give names in words: ``a``, ``a and b``, ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def worst_of(check: Check) -> Finding | None:
    """Give the finding that says the worst that copies do there, or None."""
    found = {each.code: each for each in reversed(check.findings)}
    return next((found[code] for code in _WORST if code in found), None)


def verdict_on(check: Check) -> tuple[str, str]:
    """Give what a check says, in a person's words, and its tone.

    The tone is that of the worst: ``"bad"``, ``"warning"`` or ``"good"``.
    """
    worst = worst_of(check)
    if worst is not None:
        return _clash(check, worst), "bad" if worst.severity == "error" else "warning"
    others = [each for each in check.findings if each.severity in _ERRORS]
    if others:
        return others[0].title, "bad" if others[0].severity == "error" else "warning"
    number = sum(each.api == "openmp" and not each.idle for each in check.runtimes)
    said = "one OpenMP runtime" if number == 1 else counted(number, "OpenMP runtime")
    said = said if number else "no OpenMP runtime"
    if not check.whole:
        return f"{said}, no clash", "warning"
    return f"{said} that do not clash, fine" if number > 1 else f"{said}, fine", "good"


def _clash(check: Check, worst: Finding) -> str:
    """Give what copies do, and on which condition."""
    codes = {each.code for each in check.findings}
    if worst.code in ("OMP103", "OMP104"):
        return worst.title
    copies = f"{check.copies} copies of one OpenMP runtime"
    supposed = [each.words for each in check.branches if each.copies_without < 2 <= each.copies]
    if supposed:
        copies += f", with {listed(supposed)},"
    if worst.code == "OMP107":
        return f"{copies} {_CRASH}{', or Error #15' if 'OMP101' in codes else ''}"
    if worst.code == "OMP101":
        return f"{copies.rstrip(',')}: Error #15 ends the process"
    who = f" ({check.masked_by})" if check.masked_by else ""
    said = f"{copies.rstrip(',')}, masked by KMP_DUPLICATE_LIB_OK{who}"
    return f"{said}: a crash or wrong results may follow"


def copies_words(check: Check) -> str:
    """Give the verdict in a cell: ``3 copies: crash``, ``one, fine``, ``not whole``."""
    worst = worst_of(check)
    if worst is not None:
        said = _SHORT[worst.code]
        if check.copies > 1:
            said = f"{check.copies} copies{',' if worst.code == 'OMP102' else ':'} {said}"
        return said if check.whole else f"not whole; {said}"
    if not check.whole:
        return "not whole"
    number = sum(each.api == "openmp" and not each.idle for each in check.runtimes)
    if any(each.severity in _ERRORS for each in check.findings):
        return f"{number} side by side"
    return {0: "none, fine", 1: "one, fine"}.get(number, f"{number}, fine")


def stops_of(check: Check) -> tuple[str, ...]:
    """Give what keeps an answer from being whole, a sentence each."""
    return (
        *map(_stop, check.failing),
        *(f"{gap.what}: {gap.why}" for gap in (*check.unknown, *check.lacking)),
    )


def _stop(gap: Gap) -> str:
    missing = gap.why.removesuffix(" is not installed")
    if missing != gap.why:
        return f"importing {gap.what} stops at {missing}, which is not there"
    return f"importing {gap.what} stops: {gap.why}"


def brought_by(check: Check) -> tuple[str, ...]:
    """Give what would bring a library that an import stops at, where a system may have it."""
    lines: dict[str, None] = {}
    # Beside another copy it would be the next thing that ends the process.
    beside = any(each.kin == "llvm" for each in check.runtimes)
    for gap in () if beside else check.failing:
        missing = re.match(r"(\S+) is not found", gap.why)
        name = missing[1].rpartition("/")[2].lower() if missing else ""
        for each in ELSEWHERE:
            there = (check.target or "").startswith(f"{each.system}-{each.cpu}")
            if there and each.usual and each.library.rpartition("/")[2].lower() == name:
                lines[f"{name} may be {each.words}: {each.remedy}"] = None
    return tuple(lines)


def short_of(libraries: Sequence[tuple[Library, bool]]) -> str:
    """Give copies in a few characters: ``own libomp``, ``Homebrew's``, ``torch's libomp``.

    Parameters
    ----------
    libraries
        Each with whether the module's own distribution brings it.
    """
    groups: dict[str, list[str]] = {}
    for library, own in libraries:
        whose, name = _short(library, own=own)
        groups.setdefault(name, []).append(whose)
    told = []
    for name, owners in groups.items():
        several = len(set(owners)) > 1  # then each is somebody's
        named = dict.fromkeys(each or ("the system's" if several else "") for each in owners)
        told.append(f"{', '.join(named)} {name}".strip())
    return ", ".join(told)


def _short(library: Library, *, own: bool) -> tuple[str, str]:
    """Give whose a copy is, and what it is, each may be ""."""
    known = known_at(library.path)
    if known is not None:
        return known.short
    name = library.family
    if name == "vcomp":  # vcomp110 and vcomp140 are two
        name = (re.match(r"vcomp\d*", library.file_name.lower()) or [name])[0]
    name = f"{name} inside" if library.static else name
    if own:
        return "own", name
    if library.owner:
        return f"{library.owner}'s", name
    return ("the system's" if is_system(library.path) else ""), name
