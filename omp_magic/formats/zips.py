"""What the directory of a zip file says -> whether its members are to be trusted."""

from __future__ import annotations

import re

MOST_MEMBERS = 200_000
_MOST_BYTES = 4 << 30
_MOST_RATIO = 200
"""Machine code is packed to a third, zeros in it aside; deflate ends at 1,032."""
_SMALLEST_SUSPECT_BYTES = 16 << 20
"""patchelf fills with zeros: Pillow 12.3's libXau has 2.1 MB in 9 kB (measured)."""
_OUT = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|\x00")


def leads_out(name: str) -> bool:
    """Tell whether a member's name leads out of the archive."""
    return _OUT.search(name) is not None


def suspicion(size_bytes: int, packed_bytes: int) -> str:
    """Give why a member is not unpacked, or ""; the sizes are only what the archive says."""
    if size_bytes > _MOST_BYTES:
        return f"it says that it has {size_bytes >> 20} MiB"
    if size_bytes > max(_SMALLEST_SUSPECT_BYTES, _MOST_RATIO * packed_bytes):
        return f"{size_bytes} bytes in {packed_bytes} are no machine code"
    return ""
