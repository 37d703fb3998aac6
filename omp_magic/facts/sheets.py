"""What is written into a tool's file: variables with a comment each, and what stands above them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One variable: its value, None for one that must not be set, and why in a comment."""

    name: str
    value: str | None
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What every format is made of.

    Parameters
    ----------
    head
        Comments above all.
    lines
        The variables.
    foot
        Comments below them: what was left out.
    left
        Variables that are not set, since each would overrule one that is.
    workers
        Processes that divide the CPUs.
    python
        This interpreter's file.
    label
        What a kernel is called for people.
    packages
        conda-forge's names of installed packages that bring an OpenMP or a BLAS.
    one_openmp
        conda's names of what makes one OpenMP runtime serve an environment, each with a comment.
    asking
        How to ask for it, ``{}`` for what is asked: for the example of an error.
    """

    head: tuple[str, ...]
    lines: tuple[SheetLine, ...]
    foot: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    workers: int = 1
    python: str = "python"
    label: str = "Python 3"
    packages: tuple[str, ...] = ()
    one_openmp: tuple[tuple[str, str], ...] = ()
    asking: str = "omp-magic env {}"
