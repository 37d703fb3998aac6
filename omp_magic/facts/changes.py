"""The facts about what changed in this process since omp_magic was loaded, and who did it."""

from __future__ import annotations

from dataclasses import dataclass

HIDDEN = "(hidden)"
"""Stands for a value that may be a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something of the process's state that is no longer what it was.

    Parameters
    ----------
    what
        ``"affinity"``, the main thread's CPUs; ``"variable"``; ``"rlimit"``; ``"start method"``,
        multiprocessing's; ``"floating point"``, what the main thread does with subnormal numbers.
    name
        Of the variable (``"OMP_NUM_THREADS"``) or the limit (``"RLIMIT_NOFILE"``), or "".
    before, after
        Its values as text, None where it was not set: CPUs as the kernel writes them (``"0-3,8"``),
        limits as ``"soft 1024, hard 4096"``. A value that may be a secret is ``"(hidden)"``.
    by
        Who: ``"import paddle"``, ``"loading libx.so"``, ``"cell 3"``; "" when it was so
        before omp_magic looked.
    imported
        Whether that was an import or the loading of a library, and no line of the user's cell.
    asked
        Of the variables that tell OpenMP to bind threads those that were set then, as
        ``"OMP_PROC_BIND=close"``; for the affinity.
    in_c
        Whether ``os.environ`` does not have it; for a variable.
    evidence
        How it is known, where that is not by comparison, or "".
    """

    what: str
    name: str = ""
    before: str | None = None
    after: str | None = None
    by: str = ""
    imported: bool = False
    asked: tuple[str, ...] = ()
    in_c: bool = False
    evidence: str = ""

    @property
    def doer(self) -> str:
        """Who did it, for a sentence."""
        return self.by or "something before omp_magic was loaded"

    @property
    def variables(self) -> dict[str, str]:
        """Those of `asked`, by name."""
        return dict(each.split("=", 1) for each in self.asked)

    @property
    def hidden(self) -> bool:
        """Whether it does not show its values."""
        return HIDDEN in (self.before, self.after)


def as_cpu_list(cpus: frozenset[int]) -> str:
    """Give CPUs as the kernel writes them.

    Examples
    --------
    >>> as_cpu_list(frozenset({0, 1, 2, 8}))
    '0-2,8'
    """
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][1] == cpu - 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def cpus_of_list(text: str | None) -> frozenset[int]:
    """Give the CPUs of such a list.

    Examples
    --------
    >>> sorted(cpus_of_list("0-2,8"))
    [0, 1, 2, 8]
    """
    found: set[int] = set()
    for part in (text or "").split(","):
        low, _, high = part.partition("-")
        if low:
            found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)


def narrowed(changes: tuple[Change, ...]) -> Change | None:
    """Give the change that took CPUs from the main thread, or None."""
    for change in changes:
        if change.what == "affinity":
            before, after = cpus_of_list(change.before), cpus_of_list(change.after)
            return change if after < before else None
    return None
