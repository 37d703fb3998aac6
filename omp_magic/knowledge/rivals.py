"""Variables that push one another aside without setting a count, and who sets which."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

_LLVM = ("libiomp5", "libomp")
_TYPE = re.compile(
    "none|physical|logical|compact|scatter|explicit|balanced|disabled", re.IGNORECASE
)


def _any(_text: str) -> bool:
    return True


def _names_a_type(text: str) -> bool:
    return _TYPE.search(text) is not None


def _is_false(text: str) -> bool:
    return text.strip().lower() == "false"


class Rivalry(NamedTuple):
    """One variable that wins against others in some runtimes.

    Parameters
    ----------
    families
        Keys of `catalog.FAMILIES`.
    winner, losers
        The variables.
    when
        Tells from the winner's value whether it wins.
    source
        Where that is documented.
    """

    families: tuple[str, ...]
    winner: str
    losers: tuple[str, ...]
    when: Callable[[str], bool]
    source: str


_SETTINGS = "openmp/runtime/src/kmp_settings.cpp"
_ENV = "libgomp/env.c, initialize_env"

RIVALRIES: tuple[Rivalry, ...] = (
    # "OMP_PROC_BIND: ignored because KMP_AFFINITY has been defined", Intel OpenMP 2026.2.
    Rivalry(
        _LLVM,
        "KMP_AFFINITY",
        ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"),
        _names_a_type,
        f"{_SETTINGS}, __kmp_stg_init and __kmp_env_initialize",
    ),
    Rivalry(
        _LLVM,
        "GOMP_CPU_AFFINITY",
        ("OMP_PROC_BIND", "OMP_PLACES"),
        _any,
        f"{_SETTINGS}, __kmp_stg_init",
    ),
    Rivalry(_LLVM, "KMP_LIBRARY", ("OMP_WAIT_POLICY",), _any, f"{_SETTINGS}, __kmp_stg_init"),
    # Both policies left the block time at the 5 ms of KMP_BLOCKTIME, Intel OpenMP 2026.2.
    Rivalry(_LLVM, "KMP_BLOCKTIME", ("OMP_WAIT_POLICY",), _any, f"{_SETTINGS}, blocktime_str"),
    Rivalry(("libgomp",), "OMP_PROC_BIND", ("OMP_PLACES", "GOMP_CPU_AFFINITY"), _is_false, _ENV),
    Rivalry(("libgomp",), "OMP_PLACES", ("GOMP_CPU_AFFINITY",), _any, _ENV),
    Rivalry(("libgomp",), "GOMP_SPINCOUNT", ("OMP_WAIT_POLICY",), _any, _ENV),
)
"""The strongest first. Each was tried with libgomp of the scikit-learn 1.9 wheel or Intel
OpenMP 2021.4 and 2026.2."""

_BY_LOSER: dict[tuple[str, str], tuple[Rivalry, ...]] = {}
for _rivalry in RIVALRIES:
    for _family in _rivalry.families:
        for _loser in _rivalry.losers:
            _known = _BY_LOSER.get((_family, _loser), ())
            _BY_LOSER[_family, _loser] = (*_known, _rivalry)


def beaten_by(family: str, name: str, values: Mapping[str, str | None]) -> str:
    """Give the variable that makes a runtime leave `name` aside, or ""."""
    for rivalry in _BY_LOSER.get((family, name), ()):
        text = values.get(rivalry.winner)
        if text is not None and rivalry.when(text):
            return rivalry.winner
    return ""


class Setter(NamedTuple):
    """A module that sets a variable.

    Parameters
    ----------
    module
        Its name in ``sys.modules``.
    value
        What it sets.
    source
        The file that does so.
    in_c
        Whether Python's os.environ does not get it.
    """

    module: str
    value: str
    source: str
    in_c: bool = False


SETTERS: dict[str, tuple[Setter, ...]] = {
    "KMP_DUPLICATE_LIB_OK": (
        Setter("sklearn", "True", "sklearn/__init__.py, at import"),
        Setter("threadpoolctl", "True", "threadpoolctl.py, at import"),
        Setter("torch._inductor.cpp_builder", "TRUE", "torch/_inductor/cpp_builder.py, on Windows"),
    ),
    "KMP_INIT_AT_FORK": (
        Setter("sklearn", "FALSE", "sklearn/__init__.py, at import"),
        Setter("joblib", "FALSE", "joblib/__init__.py, at import"),
    ),
    "MKL_THREADING_LAYER": (Setter("mkl", "INTEL", "mkl/_mklinitmodule.c, at import", in_c=True),),
    "MKL_SERVICE_FORCE_INTEL": (
        Setter(
            "torch.distributed.checkpoint._experimental.checkpoint_process",
            "GNU",
            "torch/distributed/checkpoint/_experimental/checkpoint_process.py, in __init__",
        ),
    ),
    "OMP_NUM_THREADS": (
        Setter("paddle", "1", "paddle/base/__init__.py, at import; paddlepaddle 3.3"),
        Setter("torch.distributed.run", "1", "torch/distributed/run.py, config_from_args"),
    ),
}
"""Modules that set a variable: every write to os.environ, and to C's, of scikit-learn 1.9, joblib
1.6, threadpoolctl 3.8, torch 2.13 and mkl-service 2.8; NumPy, SciPy, pandas, numexpr, numba,
xgboost, faiss, polars, pyarrow, OpenCV, blosc2 and TensorFlow have none in Python."""


def setters_of(
    name: str,
    python: str | None,
    native: str | None,
    at_exec: str | None,
    modules: Collection[str],
) -> tuple[str, ...]:
    """Give the loaded modules that are known to set a variable to the value it has.

    Parameters
    ----------
    name, python, native, at_exec
        As in `settings.EnvSetting`.
    modules
        What is loaded: ``sys.modules``.

    Returns
    -------
    tuple of str
        None of them when the variable was set before the start.
    """
    if native is None or at_exec is not None:
        return ()
    return tuple(
        setter.module
        for setter in SETTERS.get(name, ())
        if setter.value == native and setter.module in modules and not (setter.in_c and python)
    )
