"""What views show as text and HTML, whose makers they bring themselves: facts stand below them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from ..errors import MissingRendererError
from .mime import bundle

_KINDS = (("text/plain", "display"), ("text/html", "html"))


class Shown:
    """Has a text and a card; each class has `renderers` of its own."""

    __slots__ = ()
    renderers: ClassVar[dict[str, Callable[[Any], str]]] = {}
    """Filled by `omp_magic.views`, as `Snapshot.renderers` is."""

    def __str__(self) -> str:
        """Give the whole as plain text."""
        return self._render("text")

    def _render(self, name: str) -> str:
        if name not in self.renderers:
            raise MissingRendererError(name)
        return self.renderers[name](self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Give text/plain and text/html."""
        makers = {kind: partial(self._render, name) for kind, name in _KINDS}
        return bundle(makers, include, exclude)
