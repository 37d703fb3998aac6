"""The description that a BLAS gives of its own build, read from its text."""

from __future__ import annotations

import re


def version_of(config: str) -> str | None:
    """Read the version from a description of the build.

    ``OpenBLAS 0.3.30  USE64BITINT …``, BLIS's ``0.9.0``, or MKL's ``Intel(R) oneAPI Math Kernel
    Library Version 2026.2-Product Build …``.
    """
    match = re.search(r"(?:OpenBLAS |Version |^)(\d[\w.-]*)", config)
    return match[1] if match else None


def max_threads_of(config: str) -> int | None:
    """Read ``MAX_THREADS=64`` from OpenBLAS's description of its build."""
    match = re.search(r"\bMAX_THREADS=(\d{1,6})\b", config, re.ASCII)
    return int(match[1]) if match else None
