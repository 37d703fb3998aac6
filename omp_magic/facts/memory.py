"""The facts about memory: what a process may use, and what decides that."""

from __future__ import annotations

from dataclasses import dataclass

from .libraries import Gap

_UNITS = ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def bytes_words(number: int) -> str:
    """Give bytes with their unit: ``500 MB``, ``2.15 GB``; a MB is a million bytes.

    Examples
    --------
    >>> bytes_words(500_000_000), bytes_words(1 << 31), bytes_words(17), bytes_words(1)
    ('500 MB', '2.15 GB', '17 bytes', '1 byte')
    """
    for size, unit in _UNITS:
        # 999.6 MB is 1 GB, and not 1e+03 MB.
        if number >= size * 0.9995:
            text = f"{number / size:.3g}" if number < 1000 * size else f"{number / size:.0f}"
            return f"{text} {unit}"
    return f"{number} byte{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBound:
    """One thing that bounds the memory of this process, with those that share the bound.

    Parameters
    ----------
    source
        ``"cgroup v2"``, ``"cgroup v1"``, ``"MEM_LIMIT"``, ``"machine"``.
    limit_bytes
        Its limit; None for no limit.
    used_bytes
        What of it is used, files that the kernel takes back first left out; None when unknown.
    where
        The cgroup's path, or "".
    detail
        What was read: ``"memory.max 2147483648"``.
    """

    source: str
    limit_bytes: int | None
    used_bytes: int | None = None
    where: str = ""
    detail: str = ""

    @property
    def free_bytes(self) -> int | None:
        """What is left of it; None without a limit, or when the use is not known."""
        if self.limit_bytes is None or self.used_bytes is None:
            return None
        return max(0, self.limit_bytes - self.used_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBudget:
    """What bounds the memory, and which bound is the tightest.

    Parameters
    ----------
    bounds
        All of them: cgroups from the leaf to the root, declarations, the machine.
    gaps
        What could not be read.
    """

    bounds: tuple[MemoryBound, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def binding(self) -> MemoryBound | None:
        """The bound that leaves least: the smallest limit where the use is not known."""
        known = [each for each in self.bounds if each.limit_bytes is not None]
        return min(known, key=_room, default=None)

    @property
    def limit_bytes(self) -> int | None:
        """The limit that binds; None when none is known."""
        return self.binding.limit_bytes if self.binding is not None else None

    @property
    def free_bytes(self) -> int | None:
        """What is left below the limit that binds; None when that is not known."""
        return self.binding.free_bytes if self.binding is not None else None


def _room(bound: MemoryBound) -> int:
    free = bound.free_bytes
    return (bound.limit_bytes or 0) if free is None else free


def bound_words(bound: MemoryBound) -> str:
    """Give what sets a limit of memory: ``memory.max of /kubepods/pod7``, ``the machine``."""
    if bound.where:
        return f"{bound.detail.split(' ', 1)[0]} of {bound.where}"
    return "the machine" if bound.source == "machine" else bound.source
