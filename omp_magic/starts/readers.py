"""Which of the installed packages and runtimes read a variable."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ..knowledge.catalog import BY_KEY
from ..knowledge.inherited import AT_START, for_children
from ..knowledge.precedence import ORDERS
from ..knowledge.strangers import STRANGERS

_OTHERS: dict[str, tuple[str, ...]] = {
    "TF_NUM_INTEROP_THREADS": ("tensorflow",),
    "RAYON_NUM_THREADS": ("tokenizers", "clarabel"),
    "TOKIO_WORKER_THREADS": ("datafusion", "deltalake"),
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": ("itk", "SimpleITK"),
    "ARROW_IO_THREADS": ("pyarrow",),
    "LOKY_MAX_CPU_COUNT": ("joblib", "loky"),
}
"""Modules that read a variable that `knowledge.precedence` has no row of."""

_COUNTS = (*(name for name, _ in for_children(1)), *AT_START, *_OTHERS)


def _modules() -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {name: {} for name in dict.fromkeys(_COUNTS)}
    for reader, order in ORDERS.items():
        if reader not in BY_KEY and re.fullmatch(r"\w+", reader):
            for name in order.variables:
                found.setdefault(name, {})[reader] = None
    for row in STRANGERS:
        for name in row.variables:
            if row.module and name in found:
                found[name][row.module] = None
    for name, modules in _OTHERS.items():
        found[name].update(dict.fromkeys(modules))
    return {name: tuple(modules) for name, modules in found.items()}


_BY_VARIABLE = _modules()
MODULES = tuple(dict.fromkeys(each for modules in _BY_VARIABLE.values() for each in modules))
"""Modules that may be installed and read one of them."""


def readers_here(
    runtimes: Mapping[str, Collection[str]], modules: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Give who reads each variable here, for people; () for one that nothing reads.

    Parameters
    ----------
    runtimes
        Distributions that ship a runtime, by the key of its family.
    modules
        Those of `MODULES` that are installed.

    Examples
    --------
    >>> readers_here({"openblas": {"numpy"}}, ("polars",))["OPENBLAS_NUM_THREADS"]
    ('numpy',)
    """
    found = {}
    for name, wanted in _BY_VARIABLE.items():
        who = {
            each
            for key, family in BY_KEY.items()
            if name in family.variables
            for each in runtimes.get(key, ())
        }
        found[name] = tuple(sorted({*who, *(each for each in wanted if each in modules)}))
    # torch has an MKL of its own linked in, and a ceiling is read by who reads the count.
    found["NUMEXPR_MAX_THREADS"] = found["NUMEXPR_NUM_THREADS"]
    return found
