"""What a load would map, and what is mapped already.

Rules of a system's loader come in here; who asks, and what to think of the answer, stands above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .imports import predict_dlopen

__all__ = ["predict_dlopen"]


def __getattr__(name: str) -> Any:
    if name == "predict_dlopen":
        from .imports import predict_dlopen  # noqa: PLC0415 - who wants a part of this room loads that part

        return predict_dlopen
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
