"""ipyparallel: a `Client`, or one of its views for the engines of that view.

An engine runs one thing at a time, in its main thread: a question waits behind a ``%%px`` cell.
One that was not answered in time is aborted there, and until the engine has said so it is asked
nothing more. Views of the user are not touched; each question has one of its own.
"""

from __future__ import annotations

import threading
import weakref
from builtins import eval as evaluate
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ..errors import RequestError
from .handing import Handing, late
from .port import Answer, Seat

KIND = "ipyparallel"

_HUB_S = 2.0
_LATE = "the process is stopped, or native code holds its GIL"
_BUSY = "it is busy with a cell or a task, and does one thing at a time"
_GONE = "it has ended"
_ABSENT = (
    "its cluster has started it and its controller does not know it: it starts, or it has ended"
)
_EXAMPLE = "omp_magic.cluster(ipyparallel.Client())"

_Open = dict[str, Any]
_OPEN: weakref.WeakKeyDictionary[Any, _Open] = weakref.WeakKeyDictionary()
"""Questions that no engine has answered yet, by client and engine."""


class IPyParallel:
    """Engines of ipyparallel, by a client.

    Parameters
    ----------
    client
        An open `ipyparallel.Client`.
    engines
        The engines that are meant; None for all.
    """

    kind = KIND

    def __init__(self, client: Any, engines: Sequence[int] | None = None) -> None:
        self._client = client
        self._engines = engines
        self._absent: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """Which cluster it is."""
        profile = str(getattr(self._client, "profile", "") or "default")
        return f"ipyparallel, profile {profile}"

    def seats(self) -> tuple[Seat, ...]:
        """Give the engines that the controller knows, and how many its cluster has besides."""
        ids = self._client.ids
        meant = ids if self._engines is None else self._engines
        missing = _started(self._client) - len(ids) if self._engines is None else 0
        # Which of them it was, nobody knows: one that is started anew has a number of its own.
        absent = tuple(Seat(address=f"absent engine {each + 1}") for each in range(missing))
        self._absent = frozenset(each.address for each in absent)
        return (*(Seat(address=f"engine {each}") for each in meant), *absent)

    def ask(
        self,
        text: str,
        seats: Sequence[Seat],
        each_s: float,
        arrived: Callable[[Answer], None],
    ) -> None:
        """Evaluate a text on each; see `port.Engine.ask`."""
        handing = Handing(seats)
        opened = _OPEN.setdefault(self._client, {})
        asked: dict[str, Any] = {}
        waiting = [seat.address for seat in seats if seat.address not in self._absent]

        def send() -> None:
            """Ask those that have no other question open, in this thread as all that is sent."""
            for address in tuple(waiting):
                if address not in opened:
                    waiting.remove(address)
                    asked[address] = self._send(text, address, opened, handing)

        for seat in seats:
            before = opened.get(seat.address)
            if before is not None:
                before.add_done_callback(lambda _: handing.wake())
        try:
            for address in self._absent:
                handing.put(address, error=_ABSENT)
            silent = handing.over(arrived, each_s, send)
        except BaseException:
            self._abort(asked)
            raise
        self._abort({each.address: asked[each.address] for each in silent if each.address in asked})
        busy = self._busy() if silent else frozenset()
        for seat in silent:
            why = _BUSY if seat.address in busy else _LATE
            arrived(Answer(seat=seat, error=late(each_s, why)))

    def _send(self, text: str, address: str, opened: _Open, handing: Handing) -> Any:
        try:
            view = self._client.direct_view(_number(address))
            view.block = view.track = False
            result = view.apply_async(evaluate, text)
        except Exception as error:  # noqa: BLE001 - an engine that is not there, a closed socket
            gone = isinstance(error, IndexError)
            handing.put(address, error=_GONE if gone else f"{type(error).__name__}: {error}")
            return None
        opened[address] = result
        result.add_done_callback(lambda done: self._done(address, done, opened, handing))
        return result

    def _done(self, address: str, done: Any, opened: _Open, handing: Handing) -> None:
        """Take a result, in the client's own thread, and leave nothing of it in the client."""
        if opened.get(address) is done:
            del opened[address]
        for each in done.msg_ids:
            with suppress(ValueError):
                # A client's own `get_result()` gives the last one: the user's, not ours.
                self._client.history.remove(each)
        error = done.exception()
        if error is None:
            handing.put(address, done.result())
        else:
            name = getattr(error, "ename", type(error).__name__)
            told = _GONE if name == "EngineError" else f"{name}: {getattr(error, 'evalue', error)}"
            handing.put(address, error=told)

    def _abort(self, asked: dict[str, Any]) -> None:
        """Let engines drop what they have not begun; the control channel is open all the while."""
        for address, result in asked.items():
            if result is not None and not result.done():
                with suppress(Exception):
                    self._client.abort(result, targets=_number(address), block=False)

    def _busy(self) -> frozenset[str]:
        """Give the engines that do something besides our question, as the hub knows it."""
        told: dict[int, Any] = {}

        def ask() -> None:
            with suppress(Exception):
                told.update(self._client.queue_status())

        # A hub that does not answer is waited for without end there.
        asking = threading.Thread(target=ask, name="omp_magic hub", daemon=True)
        asking.start()
        asking.join(_HUB_S)
        return frozenset(
            f"engine {number}"
            for number, counts in tuple(told.items())
            if isinstance(counts, dict) and counts.get("queue", 0) + counts.get("tasks", 0) > 1
        )


def _started(client: Any) -> int:
    """Give how many engines the client's cluster has started, 0 where it has none that tells it.

    As `Client.wait_for_engines` counts them (ipyparallel/client/client.py).
    """
    sets = getattr(getattr(client, "cluster", None), "engines", None) or {}
    with suppress(TypeError, AttributeError):  # one that is not started yet has no number
        return sum(each.n for each in tuple(sets.values()))
    return 0


def _number(address: str) -> int:
    return int(address.rpartition(" ")[2])


def engine_of(client: Any) -> IPyParallel | None:
    """Give the engine of a client or a view of ipyparallel's; None when it is neither.

    Raises
    ------
    RequestError
        When the client is closed.
    """
    # It is there already, and the client with it.
    from ipyparallel import Client  # noqa: PLC0415 - as above
    from ipyparallel.client.view import View, ViewExecutor  # noqa: PLC0415 - as above

    if isinstance(client, ViewExecutor):
        client = client.view
    engines = None
    if isinstance(client, View):
        targets = client.targets
        if targets is not None and targets != "all":
            engines = [targets] if isinstance(targets, int) else list(targets)
        client = client.client
    if not isinstance(client, Client):
        return None
    if client._closed:  # noqa: SLF001 - it has no public one
        raise RequestError("a Client that is closed", "one that is connected", _EXAMPLE)
    return IPyParallel(client, engines)
