"""The words for a process that is looked at from outside."""

from __future__ import annotations

from ..facts.outside import Frame, Outside, Wait
from ..facts.snapshots import Snapshot
from .words import DASH, counted

_MOST_FRAMES = 5
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_STATES = {"R": "runs", "D": "waits for a disk", "T": "is stopped", "t": "is traced", "Z": "ended"}


def who_of(snapshot: Snapshot, outside: Outside) -> str:
    """Give who it is: ``Seen from outside · pid 7 · python train.py · Python 3.12.4 · …``."""
    parts = ["Seen from outside", f"pid {snapshot.pid}", outside.program]
    parts.append(f"Python {snapshot.python}" if snapshot.python else "no Python")
    if outside.user:
        parts.append(f"user {outside.user}")
    if outside.age_s is not None:
        parts.append(f"began {_ago(outside.age_s)} ago")
    if outside.forked:
        parts.append(f"forked from pid {outside.parent}")
    return " · ".join(filter(None, parts))


def main_wait_of(snapshot: Snapshot) -> str:
    """Give where the first thread is: ``main thread: waits in futex, in a.so < b.so``; or ""."""
    waits = snapshot.outside.waits if snapshot.outside is not None else ()
    main = next((each for each in waits if each.tid == snapshot.pid), None)
    if main is None:
        return ""
    code = code_of(main)
    return f"main thread: {doing(main)}{', in ' if code != DASH else ''}{code.strip(DASH)}"


def doing(wait: Wait) -> str:
    """Give what a thread does: ``runs``, ``waits in futex``."""
    if wait.state in _STATES:
        return _STATES[wait.state]
    where = wait.call or wait.wchan
    return f"waits in {where}" if where else "waits"


def code_of(wait: Wait) -> str:
    """Give the code that a thread is in, the innermost first, a dash where it is not known."""
    told = " < ".join(frame_words(frame) for frame in wait.stack[:_MOST_FRAMES])
    return f"{told} < …" if len(wait.stack) > _MOST_FRAMES else told or DASH


def frame_words(frame: Frame) -> str:
    """Give a file or module, and its function if known: ``libgomp.so.1 (GOMP_parallel)``."""
    name = frame.path.rpartition("/")[2]
    stem, _, suffix = name.partition(".")
    name = stem if suffix.startswith(("cpython-", "abi3.")) else name
    return f"{name} ({frame.function})" if frame.function else name


def variables_words(outside: Outside) -> str:
    """Say of which moment the variables are."""
    if outside.variables_now:
        return "variables are those of C in that process now"
    return "variables are those that it was started with: what it has set since is not seen"


def _ago(age_s: float) -> str:
    if age_s < _MINUTE_S:
        return f"{age_s:.0f} s"
    if age_s < _HOUR_S:
        return counted(int(age_s // _MINUTE_S), "minute")
    if age_s < _DAY_S:
        return counted(int(age_s // _HOUR_S), "hour")
    return counted(int(age_s // _DAY_S), "day")
