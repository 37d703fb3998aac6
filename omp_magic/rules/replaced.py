"""OMP110 and OMP111: code in memory that is no longer the code on disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..facts.libraries import Library
from ..facts.snapshots import Snapshot
from .rule import Case, Rule, named

if TYPE_CHECKING:
    from ..facts.packages import Package

_RESTART = "Restart the kernel; it then runs what is installed"


def _belongs(library: Library, package: Package) -> bool:
    inside = any(library.path.startswith(f"{folder}/") for folder in package.folders)
    return inside or library.path in package.folders


def _versions(package: Package) -> str:
    if package.installed is None:
        return f"{package.name} is no longer installed"
    if package.reported is None or package.reported == package.installed:
        return f"{package.name} {package.installed} is installed"
    return f"{package.reported} is imported, {package.installed} is installed"


def _replaced(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    gone = [library for library in libraries if library.replaced]
    for package in snapshot.packages:
        own = [library for library in gone if _belongs(library, package)]
        among = f", among them {', '.join(each.name for each in own)}" if own else ""
        if package.changed_files:
            why = (
                "This kernel still runs the old code. Importing more of the package loads new "
                "files beside the old ones, with a second copy of a runtime whose file got another "
                "name; importlib.reload gives new Python code on old machine code."
            )
        else:
            why = (
                "The same version was installed again: the code in memory equals that on disk. "
                "Loading a runtime by its path maps a second copy all the same."
            )
        yield Case(
            title=f"{package.name} was replaced on disk after it was imported",
            why=why,
            evidence=(
                (
                    f"{package.replaced_files} of its {package.mapped_files} mapped files are no "
                    f"longer those on disk{among}"
                ),
                _versions(package),
                *(f"on disk it has {name}, which is not loaded" for name in package.brings),
                *package.paths,
            ),
            remedies=(_RESTART,),
        )
    for library in gone:
        if not any(_belongs(library, package) for package in snapshot.packages):
            yield Case(
                title=f"{named(library)} was replaced or deleted on disk after it was loaded",
                why=(
                    "This kernel still runs the old code. What loads the library again gets "
                    "another one, beside the first."
                ),
                evidence=(f"{library.path} is not the file that is mapped",),
                remedies=(_RESTART,),
            )


def _misreported(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    for package in snapshot.packages:
        version = package.reported
        if not package.changed_files or version is None or version != package.installed:
            continue
        yield Case(
            title=f"{package.name} says it is {version}, but runs machine code of another version",
            why=(
                "It was reloaded, or imported again, after an upgrade: its Python code is new, and "
                "the loader gave back the native files that were mapped before. Results and "
                "errors belong to neither version."
            ),
            evidence=(
                (
                    f"{package.name} {version} is imported and installed; "
                    f"{package.changed_files} of its {package.mapped_files} mapped files have "
                    "other code than those on disk"
                ),
                *package.paths,
            ),
            remedies=(_RESTART,),
        )


RULES = (
    Rule(
        code="OMP110",
        severity="warning",
        summary=(
            "a mapped library was replaced or deleted on disk: "
            "a reload would mix versions or load a second copy"
        ),
        source="https://man7.org/linux/man-pages/man5/proc_pid_maps.5.html",
        look=_replaced,
    ),
    Rule(
        code="OMP111",
        severity="warning",
        summary="a package reports another version than the code in memory",
        source="https://docs.python.org/3/library/importlib.html#importlib.reload",
        look=_misreported,
    ),
)
