"""Files that are one file for several processors, of which a package takes one."""

from __future__ import annotations

import re

_SIMD = re.compile(
    r"[-_.]?(?:avx\w*|sse\w*|sve\w*|neon\w*|amx\w*|spr|haswell|skylakex?)$", re.ASCII
)


def stem_of(path: str) -> str:
    """Give what the forms of one file have in common: its folder, and its name without a SIMD kind.

    A package tries them one after the other and takes one: faiss/loader.py.

    Examples
    --------
    >>> stem_of("faiss/_swigfaiss_avx512_spr.cpython-311-darwin.so")
    'faiss/_swigfaiss'
    """
    folder, _, base = path.rpartition("/")
    stem = base.partition(".")[0]
    while (shorter := _SIMD.sub("", stem)) and shorter != stem:
        stem = shorter
    return f"{folder}/{stem}"
