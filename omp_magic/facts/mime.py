"""What ``_repr_mimebundle_`` gives: the kinds that are wanted, each made only then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def bundle(
    makers: Mapping[str, Callable[[], Any]],
    include: Iterable[str] | None,
    exclude: Iterable[str] | None,
) -> dict[str, Any]:
    """Make the wanted kinds; `include` and `exclude` are as IPython's display protocol has them.

    Parameters
    ----------
    makers
        What makes each MIME type.
    include, exclude
        MIME types to make, all when None, and not to make.
    """
    wanted = set(makers if include is None else include) - set(exclude or ())
    return {kind: make() for kind, make in makers.items() if kind in wanted}
