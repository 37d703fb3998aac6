"""Sizes as people write them -> bytes: ``500MB``, ``2GiB``, ``1.5G``, ``1048576``."""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import RequestError

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SIZE = re.compile(
    r"(?P<number>\d{1,19}(?:\.\d{1,9})?) ?(?:(?P<power>[kmgtp]?)(?P<kind>ib|i|b|))",
    re.ASCII | re.IGNORECASE,
)
_MOST_BYTES = 2**63 - 1
ACCEPTED = "a size such as 500MB, 2GiB, 1.5G or bytes as a whole number"
"""What `parse_size` takes, for people."""


def parse_size(text: str, example: str = "%%omp_watch --memory 8GB") -> int:
    """Give the bytes of a size; a part of a byte is left out.

    ``kB``, ``MB``, ``GB``, ``TB``, ``PB`` are powers of 1000, as the SI and dask have them.
    ``KiB``, ``MiB`` … and Kubernetes' ``Ki``, ``Mi`` … are powers of 1024, and so are the bare
    letters, as in systemd's ``MemoryMax=2G``, Docker's ``--memory 2g``, Slurm's ``--mem=2G``
    and Java's ``-Xmx2g``; Kubernetes alone has powers of 1000 for them. Upper and lower case are
    the same.

    Parameters
    ----------
    text
        A number, with a unit or not; spaces around it, and one between them, do no harm.
    example
        A line that works, for the error.

    Raises
    ------
    RequestError
        When it is no size, or less than one byte, or more than 2**63 - 1; a part of a byte needs
        a unit.

    Notes
    -----
    systemd: systemd.resource-control(5); Docker: RAMInBytes of github.com/docker/go-units, where
    ``MB`` too is 1024 times 1024; Kubernetes: "Meaning of memory" in its "Resource Management for
    Pods and Containers"; dask: dask.utils.parse_bytes.

    Examples
    --------
    >>> parse_size("500MB"), parse_size("2GiB"), parse_size("2g"), parse_size("1048576")
    (500000000, 2147483648, 2147483648, 1048576)
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or (match["kind"].lower() in ("i", "ib") and not match["power"]):
        raise RequestError(text, ACCEPTED, example)
    unit, kind = match["power"].lower(), match["kind"].lower()
    if not unit and "." in match["number"]:
        raise RequestError(text, ACCEPTED, example)
    base = 1000 if unit and kind == "b" else 1024
    size_bytes = int(Fraction(match["number"]) * base ** _POWERS[unit])
    if not 1 <= size_bytes <= _MOST_BYTES:
        raise RequestError(text, ACCEPTED, example)
    return size_bytes
