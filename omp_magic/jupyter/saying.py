"""What the limits' magics say: one line for what is wrong, notes once, our failures logged."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError

from ..errors import OmpMagicError
from ..here import HERE
from ..limits.held import Held
from ..limits.notes import is_error, topic
from ..limits.spec import LimitSpec, more_than_cpus, parse_limit
from ..probes.cpus.topology import probe_affinity
from ..views.signs import encodable

_LOG = logging.getLogger("omp_magic")


def spec_of(text: str, magic: str = "%%omp_limit", also: tuple[str, ...] = ()) -> LimitSpec:
    """Read a limit; a wrong one is one line for the user, with what else `magic` accepts.

    Raises
    ------
    UsageError
        When it is no limit.
    """
    with in_one_line():
        return parse_limit(text, asking=f"{magic} {{}}", also=also)


def entry_notes(spec: LimitSpec, held: Held) -> tuple[str, ...]:
    """Give what is worth a line when a limit begins."""
    if all(amount.auto for _, amount in spec.amounts):
        return held.notes
    line = more_than_cpus(spec, probe_affinity(HERE.observer.machine, []))
    return held.notes if line is None else (*held.notes, line)


_said: set[str | None] = set()
"""Topics of what nobody can change, and was said once: every limited cell would say it again."""


def say(notes: Iterable[str]) -> None:
    """Print notes; what is no error goes to stdout, since Jupyter paints stderr red."""
    for note in notes:
        about = topic(note)
        if about not in _said:
            stream = sys.stderr if is_error(note) else sys.stdout
            with logged("not said"):
                print(encodable(f"omp_limit: {note}", stream), file=stream)
        _said.update({about} - {None})


@contextmanager
def in_one_line() -> Iterator[None]:
    """Turn our own errors into one line without a traceback."""
    try:
        yield
    except OmpMagicError as error:
        raise UsageError(f"omp_limit: {error}") from None


@contextmanager
def logged(consequence: str) -> Iterator[None]:
    """Turn any other failure of ours into one logged line."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
        _LOG.warning("omp_magic: %s (%s: %s)", consequence, type(error).__name__, error)
