"""Variables that bind OpenMP threads to CPUs, and which changes of variables are worth keeping.

Measured on two CPUs with the main thread's mask: libgomp (the wheel of torch 2.13) binds the
thread that loads it; libiomp5 2026.2 and libomp 20 (the wheel of pyomp 0.6) bind the thread of
their first call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .rivals import beaten_by
from .variables import VARIABLES

BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
"""Each of them binds, alone."""

_READ_BY = {
    "libgomp": BINDING[:3],
    "libiomp5": BINDING,
    "libomp": BINDING,
}
# "verbose" alone, "none" and "disabled" left the mask as it was, libiomp5 2026.2 and libomp 20.
_KMP_TYPES = re.compile(r"physical|logical|compact|scatter|explicit|balanced", re.IGNORECASE)
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|COOKIE|SIGNATURE|DSN", re.IGNORECASE)


def binders_of(family: str, values: Mapping[str, str | None]) -> tuple[str, ...]:
    """Give the variables that make a runtime bind its threads, the one it follows first.

    Parameters
    ----------
    family
        Key of `catalog.FAMILIES`.
    values
        The variables, as the runtime read them.

    Returns
    -------
    tuple of str
        None of them when it binds nothing, as with ``OMP_PROC_BIND=false``.

    Examples
    --------
    >>> binders_of("libgomp", {"OMP_PROC_BIND": "close", "KMP_AFFINITY": "compact"})
    ('OMP_PROC_BIND',)
    >>> binders_of("libgomp", {"OMP_PROC_BIND": "false", "OMP_PLACES": "cores"})
    ()
    """
    heard = [
        name
        for name in _READ_BY.get(family, ())
        if values.get(name) is not None and not beaten_by(family, name, values)
    ]
    bind = (values.get("OMP_PROC_BIND") or "").strip().lower()
    if "OMP_PROC_BIND" in heard and bind == "false":
        return ()
    kmp = values.get("KMP_AFFINITY") or ""
    return tuple(name for name in heard if name != "KMP_AFFINITY" or _KMP_TYPES.search(kmp))


def on_one_place(values: Mapping[str, str | None]) -> bool:
    """Tell whether a whole team stays where its first thread is: ``master`` or ``primary``."""
    first = (values.get("OMP_PROC_BIND") or "").partition(",")[0].strip().lower()
    return first in ("master", "primary")


def is_kept(variable: str, *, imported: bool) -> bool:
    """Tell whether the change of a variable is told: what an import set, or one that matters here.

    What else a user's cell sets is none of our business.
    """
    return imported or variable in VARIABLES


def may_be_secret(variable: str) -> bool:
    """Tell by its name whether a variable's value must not stand in a report."""
    return variable not in VARIABLES and _SECRET.search(variable) is not None
