"""What conda-forge calls the packages that have another name on PyPI."""

from __future__ import annotations

_NAMES = {
    "opencv-python": "opencv",
    "opencv-python-headless": "opencv",
    "tensorflow-cpu": "tensorflow",
    "torch": "pytorch",
}
"""Of packages that may bring an OpenMP runtime; so in conda/grayskull, strategy/config.yaml."""


def conda_name(distribution: str) -> str:
    """Give the name to install from conda-forge, for the name of a distribution on PyPI."""
    return _NAMES.get(distribution, distribution)


ONE_OPENMP: dict[str, tuple[tuple[str, str], ...]] = {
    "linux": (
        (
            "_openmp_mutex=*=*_llvm",
            "LLVM's runtime stands in the place of libgomp.so.1, so that all packages share it",
        ),
    ),
    "macos": (
        ("llvm-openmp", "the one runtime that conda-forge's packages use there"),
        ("libblas=*=*openblas", "MKL would bring Intel's runtime beside it"),
    ),
    "windows": (("libblas=*=*openblas", "MKL would bring Intel's runtime beside another one"),),
}
"""What makes one OpenMP runtime serve conda-forge's packages, by system: (specification, why).

conda-forge's documentation, knowledge base: Switching OpenMP implementation, Switching BLAS
implementation; its packages _openmp_mutex 4.5 and libblas 3.9.
"""

FAMILIES: dict[str, str] = {
    "libopenblas": "openblas",
    "openblas": "openblas",
    "mkl": "mkl",
    "blis": "blis",
    "libblis": "blis",
    "libgomp": "libgomp",
    "llvm-openmp": "libomp",
    "intel-openmp": "libiomp5",
}
"""Packages of conda-forge that are a runtime, by name, and the key of its family."""
