"""Which versions of a distribution could be had for a system."""

from __future__ import annotations

import os

from ..facts.targets import Target
from .fetching import Fetcher
from .gathering import place_of
from .pins import Wanted
from .shelf import Shelf, cache_folder


def versions_of(
    name: str, wanted: Wanted, target: Target, *, wheels: str | None, cache: str | None
) -> tuple[str, ...]:
    """Give the versions of a distribution that could be had for a target, the newest first.

    Parameters
    ----------
    name
        The distribution.
    wanted
        The file that asks for it: its indexes are asked.
    target
        The system.
    wheels
        A folder of wheels: what is there counts, and nobody is asked.
    cache
        As in `gather`.
    """
    if wheels is not None:
        return Shelf(wheels, strict=False).versions(name)
    place = place_of(cache or cache_folder(os.environ), target)
    return Fetcher(Shelf(place, strict=True), target, wanted.options, None).versions(name)
