"""A process that hangs now or will, seen from outside: the cases of OMP103 and OMP204."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.outside import Outside, Wait
from ..facts.snapshots import Snapshot
from ..knowledge.forks import BY_KEY, HANGS, Fork, fork_of
from .rule import Case, described, named

_LIBC = re.compile(r"/(ld|ld64|ld-[^/]*|libc|libc-[^/]*|libpthread|libpthread-[^/]*)\.so[^/]*$")
_FUTEX = ("futex", "futex_waitv")
_MOST_NAMED = 4


def end_of(snapshot: Snapshot) -> str:
    """Give the way to end a process that waits for ever."""
    return f"Nothing will end this wait; end the process: kill -9 {snapshot.pid}"


def told_wait(wait: Wait) -> str:
    """Give where a thread is in a line of evidence: ``thread 7 waits in futex, in a.so < b.so``."""
    what = "runs" if wait.state == "R" else f"waits in {wait.call or wait.wchan or 'the kernel'}"
    places = [
        f"{frame.path.rpartition('/')[2]}{f' ({frame.function})' if frame.function else ''}"
        for frame in wait.stack[:_MOST_NAMED]
    ]
    more = " < …" if len(wait.stack) > _MOST_NAMED else ""
    return f"thread {wait.tid} {what}{', in ' if places else ''}{' < '.join(places)}{more}"


def forked_and_waiting(
    snapshot: Snapshot, libraries: tuple[Library, ...]
) -> Iterator[tuple[Fork, Case]]:
    """Give a forked process that waits inside a pool whose threads stayed with its parent."""
    outside = snapshot.outside
    if outside is None or not outside.forked or snapshot.thread_owners is None:
        return
    for wait in outside.waits:
        path = _innermost(wait)
        if wait.call not in _FUTEX or any(each.path == path for each in snapshot.thread_owners):
            continue
        library = next((each for each in libraries if each.path == path), None)
        row = BY_KEY.get(library.family) if library is not None else fork_of(path)
        if row is None or row.effect != HANGS:
            continue
        who = named(library) if library is not None else row.key
        yield row, _after_fork(snapshot, outside, wait, row, who)
        return


def forked_from_team(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    """Give a forked process that will come to wait: a runtime's threads stayed with its parent."""
    outside = snapshot.outside
    for library in libraries:
        if outside is not None and library.path in outside.left:
            yield Case(
                title=f"This process will hang once it computes with {named(library)}",
                why=(
                    f"It was forked from process {outside.parent}, where a parallel region had "
                    "run before. fork copies the memory that says that its threads exist, and not "
                    "the threads: the first parallel region here waits for them for ever. One that "
                    "another thread than the one that forked had run does no harm."
                ),
                evidence=(
                    f"{named(library)}: threads in process {outside.parent} are older than this",
                    f"{named(library)}: none of its threads lives here",
                    f"forked from process {outside.parent}, without a program of its own",
                ),
                remedies=(),
            )


def _after_fork(snapshot: Snapshot, outside: Outside, wait: Wait, row: Fork, who: str) -> Case:
    return Case(
        severity="error",
        title=f"This process hangs: it waits in {who} for threads that it does not have",
        why=(
            f"It was forked from process {outside.parent}, whose {row.key} had started. fork "
            "copies the memory that says that its threads exist, and not the threads: this one "
            "waits for them for ever."
        ),
        evidence=(
            told_wait(wait),
            f"{who}: none of its threads lives here",
            f"forked from process {outside.parent}, without a program of its own",
        ),
        remedies=(end_of(snapshot),),
    )


def _innermost(wait: Wait) -> str:
    """Give the library that a thread waits in; glibc waits for whoever called it."""
    return next((each.path for each in wait.stack if not _LIBC.search(each.path)), "")


def spinning_between(snapshot: Snapshot, first: Library, second: Library) -> Wait | None:
    """Give the thread of which the start of one runtime has come to wait for locks of another.

    Parameters
    ----------
    snapshot
        The facts.
    first
        The runtime in the global scope, whose functions are found.
    second
        The one that starts.
    """
    for wait in snapshot.outside.waits if snapshot.outside is not None else ():
        paths = [frame.path for frame in wait.stack]
        if first.path in paths and second.path in paths[paths.index(first.path) :]:
            return wait
    return None


def hangs_between(snapshot: Snapshot, first: Library, second: Library, wait: Wait) -> Case:
    """Give the case of a process that hangs between libomp and libiomp5."""
    return Case(
        title=f"This process hangs: the start of {named(second)} waits for locks of {named(first)}",
        why=(
            f"{named(first)} is in the global scope and was there first. libiomp5's own start "
            "found libomp's functions under the names of its own and waits for ever; it uses a "
            "whole CPU meanwhile."
        ),
        evidence=(told_wait(wait), described(first), described(second)),
        remedies=(end_of(snapshot),),
    )
