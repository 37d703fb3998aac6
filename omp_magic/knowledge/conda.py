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
