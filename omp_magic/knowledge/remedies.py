"""What may leave one copy of a runtime where several come: a row a system.

A remedy that is right in general and does nothing on the system that is asked about is not told.
"""

from __future__ import annotations

CURES: dict[str, tuple[str, ...]] = {
    # One copy serves all there by RTLD_GLOBAL, which `omp_magic.rules.copies` advises.
    "linux": ("order",),
    # dyld tries DYLD_LIBRARY_PATH first for every request, full paths included, and takes files of
    # one inode for one image (apple-oss-distributions/dyld, dyld-1378, DyldProcessConfig.cpp:2376,
    # Loader.cpp:1021).
    "macos": ("order", "variable", "link"),
    "windows": ("order",),
}
"""Kinds of `omp_magic.installed.expected.Cure` by system, the least first: another ``"order"`` of
imports, a ``"variable"`` by which every request for a file's name leads to one folder, a ``"link"``
that makes two copies one file."""
