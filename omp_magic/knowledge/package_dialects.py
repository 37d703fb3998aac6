"""What readers of packages' variables make of them, beside `dialects`; sources as there."""

from __future__ import annotations

from .dialect import Dialect
from .envvars import counted, form

_WHOLE = "a whole number of at least 1"
_RAYON = Dialect(("tokenizers", "clarabel"), "Rayon", _WHOLE, counted("tokenizers"))
_JAX = Dialect(("jaxlib",), "JAX", "a whole number", counted("jaxlib"))


def _parallel(text: str) -> str:
    """Say the switch of tokenizers: whatever says no is off, all else on (0.23.3)."""
    return "off" if text.lower() in TOKENIZERS_OFF else "on"


TOKENIZERS_OFF = ("", "off", "false", "f", "no", "n", "0")
"""What says no in TOKENIZERS_PARALLELISM, in any case, without spaces around it (0.23.3)."""

PACKAGE_DIALECTS: dict[str, tuple[Dialect, ...]] = {
    **dict.fromkeys(("RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"), (_RAYON,)),
    "TOKENIZERS_PARALLELISM": (Dialect(("tokenizers",), "tokenizers", "true or false", _parallel),),
    **dict.fromkeys(("NPROC", "PJRT_NPROC"), (_JAX,)),
    "GDAL_NUM_THREADS": (
        Dialect(
            ("rasterio", "fiona", "pyogrio"),
            "GDAL",
            "a number of threads, or ALL_CPUS",
            form(r"\d{1,9}|all_cpus", "{}"),
        ),
    ),
}
"""A part of `dialects.DIALECTS`."""
