"""What a limit could not do as asked, a line each."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable

from .dials import label_of
from .fixed import fixed
from .held import Held
from .inventory import Inventory
from .ledger import Failures
from .settlement import ThreadLedger
from .variables import fork_server

_STOP = (
    "once its children have ended, multiprocessing.forkserver._forkserver._stop() ends it, and the "
    "next child gets a new one"
)
_OLD_SERVER = (
    "multiprocessing's fork server was started before this limit: its children don't have it; "
    f"{_STOP}"
)
_NEW_SERVER = (
    "multiprocessing's fork server was started under a limit: its children keep that one's "
    f"variables; {_STOP}"
)
_CPU_COUNT = (
    "joblib and scikit-learn count every CPU for n_jobs=-1: their limit is a variable, "
    "LOKY_MAX_CPU_COUNT"
)
_OLD_CHILDREN = "child processes that multiprocessing started before this limit don't have it"


def left_alone(
    held: Held, inventory: Inventory, others: Iterable[Held], failures: Failures
) -> list[str]:
    """Give a line for each pool that a limit is for and that does not have it.

    Parameters
    ----------
    held
        The limit.
    inventory
        The pools.
    others
        Limits that are in force for other threads.
    failures
        What could not be read or set, by pool.
    """
    lines = _disputed(held, inventory, others)
    lines += [
        f"{label} is left alone: {type(error).__name__}: {error}"[:200]
        for label, error in (*inventory.failures.items(), *_labelled(failures, inventory))
    ]
    lines += [
        f"{label_of(image)} is left alone: whether it has started cannot be known"
        for image in inventory.unknown
        if inventory.wants(held.spec, image)
    ]
    if not held.env:
        lines += [
            f"{label_of(image)} is left alone: it has not started, and could be limited by a "
            "variable only"
            for key, image in inventory.waiting.items()
            if key in held.amounts
        ]
        # Of all pools, the workers of n_jobs=-1 are children, which are not meant here.
        if held.spec.for_pool(("joblib",)) is not None:
            lines.append(_CPU_COUNT)
    for key, threads in held.amounts.items():
        dial = inventory.dials.get(key) if key not in failures else None
        taken = dial.count() if dial is not None else None
        if dial is not None and taken is not None and taken != threads:
            lines.append(f"{dial.label} took {taken} threads instead of {threads}")
    lines += _fixed(held)
    lines += _unreached(held, inventory)
    if held.variables and held.fork_server is not None and held.fork_server == fork_server():
        lines.append(_OLD_SERVER)
    if held.variables and held.late:
        lines.append(_OLD_CHILDREN)
    if not held.isolated:
        lines.append("this event loop cannot be watched: its other tasks have the limit too")
    return lines


def _labelled(failures: Failures, inventory: Inventory) -> list[tuple[str, Exception]]:
    return [
        (inventory.dials[key].label, error)
        for key, error in failures.items()
        if key in inventory.dials
    ]


def _disputed(held: Held, inventory: Inventory, others: Iterable[Held]) -> list[str]:
    """Give a line for each other thread's limit that wants a pool of the process differently."""
    lines = []
    for other in others:
        labels = [
            dial.label
            for key, dial in inventory.dials.items()
            if not dial.per_thread
            and key in held.amounts
            and other.amounts.get(key, held.amounts[key]) != held.amounts[key]
        ]
        if labels:
            lines.append(
                f"another thread is under {other.told.set_by}; {', '.join(labels)}: one count for "
                f"the whole process, that of {held.told.set_by} now"
            )
    return lines


def _fixed(held: Held) -> list[str]:
    """Give a line for each pool of a package that nobody can change."""
    return [line for line in fixed() if held.spec.for_pool((line.split()[0], "")) is not None]


_NOT_REACHED = "not reached: "


def _unreached(held: Held, inventory: Inventory) -> list[str]:
    """Give a line for each pool that is there and that no limit reaches, with its own switch."""
    if held.spec.for_pool(("",)) is None:
        return []
    lines = []
    for pool in inventory.unreached():
        live = [f"{pool.workers} thread{'' if pool.workers == 1 else 's'}"] if pool.workers else []
        live += [f"each {pool.each} has its own"] if pool.each else []
        told = f" ({'; '.join(live)})" if live else ""
        switch = pool.own_switch or "how to limit it is not known"
        lines.append(f"{_NOT_REACHED}{pool.name}{told}: {switch}")
    return lines


def exceptions(notes: Iterable[str]) -> str:
    """Give the pools that a limit does not reach, by name, for a line; "" when it reaches all."""
    names = [_about(note) for note in notes if note.startswith(_NOT_REACHED)]
    kept = [note.split()[0] for note in notes if note in fixed() and not note.startswith("torch ")]
    return ", ".join((*kept, *names))


def _about(line: str) -> str:
    """Give what stays of such a line when its number is known at last."""
    if line.startswith(_NOT_REACHED):
        # A name may have brackets of its own: "_core (fastlib) (3 threads)".
        told = line.removeprefix(_NOT_REACHED).partition(": ")[0]
        return re.sub(r" \((\d+ threads?|each \w+ has)[^()]*\)$", "", told)
    return line.partition(" its ")[0]


def is_error(note: str) -> bool:
    """Tell whether a note is of something that went wrong: ``X is left alone: OSError: …``."""
    return re.search(r" is left alone: \w+: ", note) is not None


def topic(note: str) -> str | None:
    """Give what a note is about where every limit would have it again, else None."""
    if note.startswith(_NOT_REACHED):
        return _about(note)
    return _about(note) if note in (*fixed(), _OLD_SERVER, _OLD_CHILDREN) else None


def not_given_back(
    held: Held, inventory: Inventory, ledgers: Iterable[ThreadLedger]
) -> tuple[str, ...]:
    """Give a line for each thing that goes on under a limit that has ended.

    Parameters
    ----------
    held
        The limit.
    inventory
        The pools.
    ledgers
        Those of other threads that have counts of limits.
    """
    lines = [
        f"{label_of(image)} read this limit's variable: threads that are started later have the "
        "limit there until the kernel is restarted"
        for image in inventory.images
        if image.key in inventory.leaked and image.key not in held.known_leaks
    ]
    said = {_about(line) for line in held.notes}
    later = (*_fixed(held), *_unreached(held, inventory))
    lines += [line for line in later if _about(line) not in said]
    if held.variables and fork_server() not in (None, held.fork_server):
        lines.append(_NEW_SERVER)
    idents = {ledger.ident for ledger in ledgers if held in ledger.givers}
    going_on = [thread.name for thread in threading.enumerate() if thread.ident in idents]
    if going_on:
        lines.append(
            f"threads that go on keep this limit's OpenMP count, which nobody but themselves can "
            f"set: {', '.join(going_on)}"
        )
    return tuple(lines)
