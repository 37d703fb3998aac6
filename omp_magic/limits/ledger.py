"""The counts before the first limit, and bringing every pool to what is wanted now.

A ledger is one thread's, or the process's. It is told what is wanted and makes it so; whoever
asks twice, or goes on after an interrupt, gets the same.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

from .dials import Dial

Failures = dict[Hashable, Exception]
"""What could not be read or set, by pool."""


@dataclass(slots=True)
class _Page:
    """One pool: what undoes every limit, and the count that we set last.

    Parameters
    ----------
    former
        None as long as only setting tells, for MKL.
    """

    former: int | None
    applied: int | None = None


def raise_first(failures: Failures) -> None:
    """Raise the first failure, now that all the rest is done."""
    for error in failures.values():
        raise error


class Ledger:
    """What limits found, and set."""

    def __init__(self) -> None:
        self._pages: dict[Hashable, _Page] = {}

    def __bool__(self) -> bool:
        """Tell whether any pool is limited here."""
        return bool(self._pages)

    def open(
        self, wanted: Collection[Hashable], dials: Mapping[Hashable, Dial], own: dict[Hashable, int]
    ) -> Failures:
        """Note what each pool has, before anything is changed.

        Parameters
        ----------
        wanted
            Pools that are to be limited.
        dials
            Every pool.
        own
            Counts of pools that were made under a limit, which tell nothing; those that are
            used here are taken out.

        Returns
        -------
        dict
            Failures by pool; such a pool is left alone.
        """
        failures: Failures = {}
        for key in wanted:
            if key not in self._pages:
                try:
                    former = own.pop(key, None)
                    self._pages[key] = _Page(dials[key].read() if former is None else former)
                except Exception as error:  # noqa: BLE001 - code of others
                    failures[key] = error
        return failures

    def settle(
        self,
        wanted: Mapping[Hashable, int],
        dials: Mapping[Hashable, Dial],
        *,
        anew: bool = False,
    ) -> Failures:
        """Set what is wanted, and give all others their former count.

        Parameters
        ----------
        wanted
            Threads by pool; each has been opened.
        dials
            Every pool that can be set; one that is gone is forgotten.
        anew
            Whether also pools must be set that we set so before: others may have changed them.

        Returns
        -------
        dict
            Failures by pool; the others are set all the same.
        """
        failures: Failures = {}
        # The last one that was opened first: torch's count is that of a runtime opened before.
        for key, page in reversed(list(self._pages.items())):
            dial, threads = dials.get(key), wanted.get(key)
            if dial is None:
                del self._pages[key]
                continue
            if threads is not None and page.applied == threads and not anew:
                continue
            try:
                if threads is None:
                    # 0 is MKL's word for no override.
                    dial.undo(page.former or 0)
                else:
                    first, page.applied = page.applied is None, threads
                    told = dial.turn(threads)
                    if first and page.former is None:
                        page.former = told
            except Exception as error:  # noqa: BLE001 - the other pools must be set
                failures[key] = error
            if threads is None:
                del self._pages[key]
        return failures
