"""Whose a thread's owner is: packages that have rows of their own, and those that only serve."""

from __future__ import annotations

import re
from functools import lru_cache

SHIPPERS: dict[str, str] = {
    "torch": r"(lib)?(py)?torch(-\w+)*|torchvision|torchaudio",
    "numba": r"numba|tbb-numba",
    "numexpr": r"numexpr",
    "cv2": r"(lib|py-)?opencv(-\w+)*",
    "pyarrow": r"pyarrow(-\w+)*|libarrow(-\w+)*|libparquet|arrow-cpp",
    "polars": r"polars(-\w+)*",
    "blosc2": r"(python-)?blosc2|c-blosc2",
    "faiss": r"(lib)?faiss(-\w+)*",
    "tensorflow": r"(lib)?tensorflow(-\w+)*",
    "xgboost": r"(lib|py-)?xgboost(-\w+)*",
    "lightgbm": r"(lib)?lightgbm",
}
"""Distributions whose threads belong to the pools of a package that has rows of its own."""

_SERVING = re.compile(
    r"pyzmq|zeromq|libsodium"  # 4 threads for sockets in each kernel (pyzmq 27)
    r"|grpcio(-\w+)*|libgrpc"  # 6 for sockets and timers (grpcio 1.8x)
    r"|ray"  # 19 for sockets and its object store in each worker (ray 2.60)
    r"|watchfiles"  # 1 for changed files
    r"|debugpy|tornado|uvloop|gevent|jupyter(-\w+)*|ipykernel"
    r"|(pyqt|pyside)\d(-\w+)*|shiboken\d|qt\d?(-\w+)*"
)
_SERVING_FILES = re.compile(r"libzmq|libQt\d|libgrpc|libcuda\.so|libX11|libglib-")


@lru_cache(maxsize=4096)
def serves(package: str | None, file_name: str) -> bool:
    """Tell whether an owner's threads serve the kernel, sockets or a screen, and do not compute."""
    return bool(
        (package and _SERVING.fullmatch(normal_name(package))) or _SERVING_FILES.match(file_name)
    )


@lru_cache(maxsize=4096)
def module_of(package: str | None) -> str:
    """Give the package with pools of its own rows that a distribution ships, or ""."""
    normal = normal_name(package) if package else ""
    return next((name for name, each in SHIPPERS.items() if re.fullmatch(each, normal)), "")


def normal_name(name: str) -> str:
    """Give a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
