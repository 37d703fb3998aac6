"""One question for all systems, "what would loading this map, now", and who answers it where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..facts.targets import Target
from .dyld import Dyld
from .files import Files
from .glibc import Glibc
from .images import Image, SimulatedLoader
from .simulated import Mapped, Matters
from .windows import Windows

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
