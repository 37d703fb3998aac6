"""A figure of matplotlib's that a notebook shows; without it inline SVG, and its words."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from markupsafe import Markup

from ..facts.mime import bundle
from .signs import encodable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture.

    Parameters
    ----------
    svg
        An ``svg`` element; what it says is escaped.
    words
        The same in words.
    """

    svg: str
    words: str

    def __str__(self) -> str:
        """Give the words."""
        return encodable(self.words, sys.stdout)

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Give text/plain and text/html."""
        return bundle({"text/plain": self.__str__, "text/html": self._html}, include, exclude)

    def _html(self) -> str:
        from .html import environment  # noqa: PLC0415 - jinja2, 20 ms

        return (
            environment()
            .get_template("drawing.html")
            .render(
                svg=Markup(self.svg)  # noqa: S704 - what it says is escaped
            )
        )


def new_figure(width: float, height: float) -> Figure:
    """Give an empty figure of so many inches.

    It is made without pyplot, whose current figure and backend stay as they are.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - 300 ms, and an extra

    figure = Figure(figsize=(width, height), layout="constrained")
    # A notebook shows it by this where nothing of pyplot's has been asked for.
    figure._repr_png_ = partial(_png, figure)  # type: ignore[attr-defined]  # IPython's protocol
    return figure


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - as above

    written = io.BytesIO()
    FigureCanvasAgg(figure).print_png(written)  # type: ignore[no-untyped-call]  # it has no types
    return written.getvalue()
