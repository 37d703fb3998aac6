"""Whether machine code ends in a call: what follows it is then an address that a call returns to.

x86-64: E8 with a distance of 32 bits, or FF /2 with its operand (Intel SDM, volume 2, CALL). arm64:
BL and BLR (Arm ARM, C6.2). A word on a stack that points into code behind no call is data.
"""

from __future__ import annotations

from collections.abc import Callable

BEFORE_BYTES = 8
"""Of code, that are looked at before an address."""


def _x86_64(before: bytes) -> bool:
    if before[-5] == 0xE8:
        return True
    # FF /2: an operand of 2, 3, 4, 6, 7 or 8 bytes in all, by ModRM, SIB and displacement.
    return any(before[-size] == 0xFF and before[1 - size] >> 3 & 7 == 2 for size in (2, 3, 4, 6, 7))


def _arm64(before: bytes) -> bool:
    word = int.from_bytes(before[-4:], "little")
    return word >> 26 == 0b100101 or word & 0xFFFFFC1F == 0xD63F0000


_BY_CPU: dict[str, Callable[[bytes], bool]] = {"x86_64": _x86_64, "aarch64": _arm64}


def ends_in_call(before: bytes, cpu: str) -> bool:
    """Tell whether the last instruction of some code is a call; True of a processor without a row.

    Parameters
    ----------
    before
        `BEFORE_BYTES` of code.
    cpu
        As ``platform.machine()`` gives it.

    Examples
    --------
    >>> ends_in_call(bytes(3) + bytes.fromhex("e8 10 00 00 00"), "x86_64")
    True
    >>> ends_in_call(bytes(8), "x86_64")
    False
    """
    known = _BY_CPU.get(cpu)
    return known is None or (len(before) == BEFORE_BYTES and known(before))
