"""One question for all systems, "what would loading this map, now", and who answers it where."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from ..facts.targets import Target
from .dyld import Dyld, is_accelerate
from .files import Files
from .glibc import Glibc
from .images import Image, SimulatedLoader
from .simulated import Mapped, Matters
from .windows import Windows, is_of_the_system

SIMULATED = frozenset({"macos", "windows"})
"""Systems of which the running process's loader is followed by its simulator."""

Present = Sequence[tuple[str | None, str]]
"""SONAME and path of what a process has already."""


def simulator(  # noqa: PLR0913 - what a process begins with
    target: Target,
    files: Files,
    environ: Mapping[str, str],
    *,
    matters: Matters,
    prefix: str,
    root: str = "/",
    present: Present = (),
) -> SimulatedLoader:
    """Give a process of a system, in which files are loaded one after the other.

    Parameters
    ----------
    target
        The system.
    files
        What is seen with.
    environ
        Its variables.
    matters
        Whether a load fails when the library of this file name is not found.
    prefix
        ``sys.prefix`` of the Python that loads.
    root
        Linux: where the system's own folders are.
    present
        What the process has already.
    """
    if target.system == "macos":
        there = _images(present, files, target)
        program = f"{prefix}/bin/python3"
        return Dyld(files, target.cpu, environ, there, program=program, matters=matters)
    if target.system == "windows":
        there = _images(present, files, target)
        return Windows(files, target.cpu, environ, there, program_folder=prefix, matters=matters)
    cpu = "" if target.here else target.cpu
    return Glibc(files, environ, tuple(present), root=root or "/", cpu=cpu, matters=matters)


def _images(present: Present, files: Files, target: Target) -> list[Image]:
    """Give what a process has as images; what cannot be read is left out."""
    mapped = Mapped(files, target.system, target.cpu)
    found = (mapped.opened(path.replace("\\", "/"), None) for _, path in present)
    return [image for image in found if image is not None]


def simulated_process(
    target: Target,
    files: Files,
    environ: Mapping[str, str],
    present: Sequence[Image],
    *,
    program: str,
) -> SimulatedLoader:
    """Give the running process as one in which files are loaded; no lack makes a load fail.

    Parameters
    ----------
    target, files, environ
        As in `simulator`.
    present
        What it has.
    program
        Its program's file.
    """
    if target.system == "macos":
        return Dyld(files, target.cpu, environ, present, program=program, matters=_nothing)
    folder = posixpath.dirname(program.replace("\\", "/"))
    return Windows(files, target.cpu, environ, present, program_folder=folder, matters=_nothing)


def system_has(target: Target, name: str) -> bool:
    """Tell whether a needed library is the system's own, and no runtime."""
    if target.system == "macos":
        return name.startswith(("/usr/lib/", "/system/")) and not is_accelerate(name)
    return is_of_the_system(name)


def _nothing(_: str) -> bool:
    return False
