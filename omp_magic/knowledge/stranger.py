"""What an owner of threads is that no limit reaches."""

from __future__ import annotations

from typing import NamedTuple


class Stranger(NamedTuple):
    """One package whose threads no limit reaches.

    Parameters
    ----------
    label
        For people.
    packages
        Regular expression for its distributions, lower case, with hyphens.
    switch
        Its own way to set the number, in words that fit into a line.
    owns
        What was measured: how many threads, from when on, and what the number depends on.
    source
        With what it was measured, and what was read upstream.
    module
        The package as Python calls it; "" where its threads alone tell that it is there.
    files
        Regular expression for the start of a file's name that is the same whoever ships it.
    remedy
        A remedy for findings; ``{threads}`` is the number. "" where there is none to be run.
    variables
        Variables that set the number.
    why
        Why no limit reaches it.
    each
        What has such a pool of its own each time: ``"session"``; "" where there is one.
    own_pools
        Whether `probes.packages.adapters` has a row for it, so that it is shown by that.
    """

    label: str
    packages: str
    switch: str
    owns: str
    source: str
    module: str = ""
    files: str = ""
    remedy: str = ""
    variables: tuple[str, ...] = ()
    why: str = "its number is fixed when the pool starts"
    each: str = ""
    own_pools: bool = False
