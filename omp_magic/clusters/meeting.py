"""A question for a pool that cannot address a worker: each process is met once, in a time limit.

A pool gives a task to whichever worker is free, so one that is done soon gets the next question
too. A barrier would need a lock that all workers share, and would hold the free ones for as long
as one is busy. Instead a process that was asked in this round already says so after a nap of
milliseconds, in which another may take the next question, and the question is put again.
"""

from __future__ import annotations

import pickle
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol
from uuid import uuid4

from ..facts.clusters import WORKS_OR_HANGS

Who = tuple[str, int]
"""A process: its machine's name and its number."""

BUSY = WORKS_OR_HANGS
"""What is known of a process that has not come."""

_FIRST_NAP_S, _LONGEST_NAP_S = 0.002, 0.03
_FEW = 4
"""Questions that wait for those who have not come, of many an eighth: a task waits behind them."""
_LOOK_S = 0.05
_QUIET_S = 0.5
_REST_S = 0.15
"""Between questions that only those take who came already: they nap, and a task of the user's waits
meanwhile."""

# What a worker gives is bytes: an exception, or a value, that cannot be unpickled here would
# break the pool (concurrent/futures/process.py, wait_result_broken_or_wakeup).
_SOURCE = """
def asked(token, until, wanted, nap_s, text):
    import os, pickle, platform, sys, time
    who = (platform.node(), os.getpid())
    if until is not None and time.time() > until:
        return ("late", who, b"")
    if wanted is not None and who not in wanted:
        time.sleep(nap_s)
        return ("stranger", who, b"")
    if getattr(sys, "_omp_magic_asked", None) == (token, who):
        time.sleep(nap_s)
        return ("again", who, b"")
    sys._omp_magic_asked = (token, who)
    try:
        return ("met", who, pickle.dumps(eval(text, {}), 4))
    except BaseException as error:  # multiprocessing.pool lets a worker end by SystemExit
        line = " ".join(str(error).split())[:500]
        return ("failed", who, f"{type(error).__name__}: {line}".encode("utf-8", "replace"))
"""


def here() -> str:
    """Give the name of this machine, as a worker gives its own."""
    return platform.node()


@dataclass(frozen=True, slots=True)
class Heard:
    """What a process gave.

    Parameters
    ----------
    who
        The process.
    value
        What the text gave there.
    error
        Why there is none, in one line; "" when there is.
    """

    who: Who
    value: object = None
    error: str = ""


class Came:
    """Who came of those that nobody has counted."""

    def __init__(self) -> None:
        self.who: list[Who] = []
        self._last_s = time.monotonic()

    def heard(self, each: Heard) -> None:
        """Note one."""
        self._last_s = time.monotonic()
        self.who.append(each.who)

    def are_all(self) -> bool:
        """Tell whether somebody came, and nobody else for a while."""
        return bool(self.who) and time.monotonic() - self._last_s > _QUIET_S


class Ways(Protocol):
    """How a question is put to a pool."""

    def post(self, expression: str, done: Callable[[Callable[[], Any]], None]) -> Any:
        """Let the pool evaluate an expression, and give what withdraws it; `done` gets the rest.

        `done` is called from any thread, once, with what gives the value or raises why not.
        """

    def room(self) -> bool:
        """Tell whether another question would start no worker."""


def meet(  # noqa: PLR0913 - what a round is made of
    ways: Ways,
    text: str,
    wanted: Sequence[Who] | None,
    missing: Callable[[], int],
    heard: Callable[[Heard], None],
    *,
    seconds: float,
    one_clock: bool,
) -> str:
    """Put a question until nobody is missing or the time is up; give why it ended early, or "".

    Parameters
    ----------
    ways
        The pool.
    text
        An expression of Python, which is evaluated once in each process that comes.
    wanted
        Who is asked; None: whoever comes.
    missing
        Gives how many have not come yet; it is called again and again.
    heard
        Gets what each gave, in the thread that calls.
    seconds
        The time limit.
    one_clock
        Whether the workers have this machine's clock: a question that comes too late is dropped
        there.
    """
    round_ = _Round(text, wanted, time.time() + seconds if one_clock else None)
    end = time.monotonic() + seconds
    most = missing()
    try:
        while (left := missing()) and time.monotonic() < end:
            allowed = left if round_.posted < most else min(left, max(_FEW, most // 8))
            # Whoever ended may have had one: multiprocessing.Pool lets it get lost.
            allowed += max(0, most - left - round_.met)
            while len(round_.waiting) < allowed and not round_.rests(most) and ways.room():
                round_.post(ways)
            found = round_.next(min(_LOOK_S, max(0.0, end - time.monotonic())))
            if found is not None:
                heard(found)
    except _LostError as error:
        return str(error)
    finally:
        round_.withdraw()
    return ""


class _LostError(Exception):
    """The pool takes no question, or has lost one."""


class _Round:
    """The questions that are on their way."""

    def __init__(self, text: str, wanted: Sequence[Who] | None, until: float | None) -> None:
        self._fixed = (uuid4().hex, until, None if wanted is None else list(wanted))
        self._text = text
        self._nap_s = _FIRST_NAP_S
        self._came: SimpleQueue[tuple[int, Callable[[], Any]]] = SimpleQueue()
        self._vain, self._last_s = 0, 0.0
        self.waiting: dict[int, Any] = {}
        self.posted = self.met = 0

    def post(self, ways: Ways) -> None:
        """Put one more.

        Raises
        ------
        _LostError
            When the pool does not take it.
        """
        expression = question(self._text, *self._fixed, self._nap_s)
        number = self.posted
        self.posted += 1
        self.waiting[number] = None
        try:
            withdraw = ways.post(expression, lambda got: self._came.put((number, got)))
        except Exception as error:
            raise _LostError(line_of(error)) from error
        self.waiting[number] = withdraw

    def next(self, seconds: float) -> Heard | None:
        """Give what the next process gave that was met; None when none came in that time.

        Raises
        ------
        _LostError
            When a question is lost.
        """
        try:
            number, got = self._came.get(timeout=seconds)
        except Empty:
            return None
        self.waiting.pop(number, None)
        try:
            heard = read(got())
        except Exception as error:  # a future of a pool that ends is cancelled, or broken
            raise _LostError(line_of(error)) from error
        if heard is None:
            self._nap_s = min(_LONGEST_NAP_S, self._nap_s * 1.3)
            self._vain, self._last_s = self._vain + 1, time.monotonic()
        else:
            self._vain, self.met = 0, self.met + 1
        return heard

    def rests(self, most: int) -> bool:
        """Tell whether to wait with the next one, since nobody new has come for long."""
        return self._vain > _FEW + 2 * most and time.monotonic() < self._last_s + _REST_S

    def withdraw(self) -> None:
        """Take back what no worker has begun."""
        for each in self.waiting.values():
            if each is not None:
                each()


def question(
    text: str,
    token: str,
    until: float | None = None,
    wanted: Sequence[Who] | None = None,
    nap_s: float = 0.0,
) -> str:
    """Give an expression whose value is an answer for `read`, whatever the text does.

    Parameters
    ----------
    text
        An expression; what it gives is pickled.
    token
        The round's, in which a process is asked once.
    until, wanted
        When it is too late, by the clock; who is asked. None: never, and whoever comes.
    nap_s
        How long one sleeps that is not asked.
    """
    call = f"{token!r}, {until!r}, {wanted!r}, {nap_s!r}, {text!r}"
    return f"[_ := {{}}, exec({_SOURCE!r}, _), _['asked']({call})][-1]"


def read(reply: tuple[str, Who, bytes]) -> Heard | None:
    """Give what a process gave; None where it was not asked."""
    what, who, content = reply
    if what == "failed":
        return Heard(who, error=content.decode("utf-8", "replace"))
    if what != "met":
        return None
    try:
        return Heard(who, pickle.loads(content))  # noqa: S301 - the pool's own results come so too
    except Exception as error:  # noqa: BLE001 - whatever a class raises that is none here
        return Heard(who, error=f"its answer cannot be read here ({line_of(error)})")


def line_of(error: BaseException) -> str:
    """Give an error in one line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
