"""The words that tables of thread counts and of workers share."""

from __future__ import annotations

from ..facts.sweeps import Point

_UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))


def short_s(seconds: float) -> str:
    """Give a time with three digits and its unit.

    Examples
    --------
    >>> short_s(0.25), short_s(0.9996), short_s(1234.5), short_s(0)
    ('250 ms', '1.00 s', '1234 s', '0.00 ns')
    """
    # Rounded first: 999.6 ms are 1.00 s, and not 1.00e+03 ms.
    seconds = float(f"{seconds:.3g}") if seconds < 1000 else seconds
    if seconds >= 1000:
        return f"{seconds:.0f} s"
    unit, size = next((pair for pair in _UNITS if seconds >= pair[1]), _UNITS[-1])
    digits = f"{seconds / size:#.3g}".rstrip(".")
    return f"{digits} {unit}"


def runs_words(point: Point) -> str:
    """Give how many runs a point has, and how many were disturbed."""
    runs = str(len(point.runs))
    return f"{runs}, {point.disturbed} disturbed" if point.disturbed else runs
