"""ipyparallel: a `Client`, or one of its views for the engines of that view.

An engine runs one thing at a time, in its main thread: a question waits behind a ``%%px`` cell.
One that was not answered in time is aborted there, and until the engine has said so it is asked
nothing more. Views of the user are not touched.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ..facts.clusters import ENDED, WORKS
from .engineasking import Hub, answered, sent
from .enginepids import note, pids_of
from .handing import Handing, late
from .port import Answer, ClosedError, ClusterError, Seat

KIND = "ipyparallel"

_HUB_S, _HUB_AFTER_S = 2.0, 1.0
"""Seconds that the hub has for its answer, and until it is asked why engines are silent."""
_LATE = "the process is stopped, or native code holds its GIL"
_ABSENT = (
    "its cluster has started it and its controller does not know it: it starts, or it has ended"
)
_SILENT = "its controller does not answer: it was stopped, or its machine is not reached"
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
    owned
        Whether the client was made for us, and is to be closed.
    """

    kind = KIND

    def __init__(
        self, client: Any, engines: Sequence[int] | None = None, *, owned: bool = False
    ) -> None:
        self._client = client
        self._engines = engines
        self._absent: frozenset[str] = frozenset()
        self._owned = owned
        self._heard = False

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
        anew = (
            getattr(self._client, "cluster", None) is not None
        )  # one connected by itself has none
        absent = tuple(
            Seat(address=f"absent engine {each + 1}", anew=anew) for each in range(missing)
        )
        self._absent = frozenset(each.address for each in absent)
        pids = pids_of(self._client)
        return (*(_seat(each, pids.get(each), anew) for each in meant), *absent)

    def besides(self) -> tuple[Seat, ...]:
        """Give the engines that the controller knows, and that are not meant."""
        meant = () if self._engines is None else self._engines
        others = (each for each in self._client.ids if each not in meant)
        return () if self._engines is None else tuple(map(_seat, others))

    def close(self) -> None:
        """Close the client, where it was made for us."""
        if self._owned:
            self._client.close()

    def ask(
        self,
        text: str,
        seats: Sequence[Seat],
        each_s: float,
        arrived: Callable[[Answer], None],
    ) -> None:
        """Evaluate a text on each; see `port.Engine.ask`.

        Raises
        ------
        ClusterError
            When neither its controller answers nor any engine has, in this look.
        """
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

        def heard(answer: Answer) -> None:
            self._heard |= not answer.error
            arrived(answer)

        for seat in seats:
            before = opened.get(seat.address)
            if before is not None:
                before.add_done_callback(lambda _: handing.wake())
        try:
            for address in self._absent:
                handing.put(address, error=_ABSENT)
            silent, busy = self._wait(handing, heard, each_s, send)
        except BaseException:
            self._abort(asked)
            raise
        self._abort({each.address: asked[each.address] for each in silent if each.address in asked})
        for seat in silent:
            why = WORKS if _number(seat.address) in busy else _LATE
            arrived(Answer(seat=seat, error=late(each_s, why)))

    def _wait(
        self,
        handing: Handing,
        heard: Callable[[Answer], None],
        each_s: float,
        send: Callable[[], None],
    ) -> tuple[tuple[Seat, ...], frozenset[int]]:
        """Hand over what comes, and give the seats that stay silent and the engines that work."""
        hub = Hub(self._client)
        silent = handing.over(heard, min(each_s, _HUB_AFTER_S), send)
        if silent:
            hub.ask()
            # Nobody has a word to say where all of it was stopped.
            until_s = each_s if self._heard else min(each_s, _HUB_AFTER_S + _HUB_S)
            silent = handing.over(heard, until_s, send)
        if silent and not (self._heard or hub.answers(_HUB_S)):
            raise ClusterError(self.title, _SILENT)
        silent = handing.over(heard, each_s, send)
        return silent, hub.busy(_HUB_S) if silent else frozenset()

    def _send(self, text: str, address: str, opened: _Open, handing: Handing) -> Any:
        try:
            future = sent(self._client, _number(address), text)
        except Exception as error:  # noqa: BLE001 - an engine that is not there, a closed socket
            gone = isinstance(error, KeyError)
            handing.put(address, error=ENDED if gone else f"{type(error).__name__}: {error}")
            return None
        opened[address] = future
        future.add_done_callback(lambda done: self._done(address, done, opened, handing))
        return future

    def _done(self, address: str, done: Any, opened: _Open, handing: Handing) -> None:
        """Take a result, in the client's own thread, and leave nothing of it in the client."""
        if opened.get(address) is done:
            del opened[address]
        with suppress(ValueError):
            # A client's own `get_result()` gives the last one: the user's, not ours.
            self._client.history.remove(done.msg_id)
        value, name, error = answered(done)
        if isinstance(value, tuple):
            pid, value = value
            note(self._client, _number(address), pid)
        if name == "EngineError":
            handing.put(address, error=ENDED)
        else:
            handing.put(address, value, f"{name}: {error}" if name else "")

    def _abort(self, asked: dict[str, Any]) -> None:
        """Let engines drop what they have not begun; the control channel is open all the while."""
        for address, future in asked.items():
            if future is not None and not future.done():
                with suppress(Exception):
                    self._client.abort(future.msg_id, targets=_number(address), block=False)


def _seat(engine: int, pid: int | None = None, anew: bool | None = None) -> Seat:
    return Seat(address=f"engine {engine}", pid=pid, beside=pid is not None, anew=anew)


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
    """Give the engine of a client, a view or a cluster of ipyparallel's; None when it is neither.

    Raises
    ------
    ClosedError
        When the client is closed, or its cluster does not run.
    """
    # It is there already, and the client with it.
    from ipyparallel import Client, Cluster  # noqa: PLC0415 - as above
    from ipyparallel.client.view import View, ViewExecutor  # noqa: PLC0415 - as above

    if isinstance(client, Cluster):
        return IPyParallel(connected(client), owned=True)
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
        raise ClosedError("Client", "closed", _EXAMPLE)
    if was_stopped(client):
        raise ClosedError("Client's cluster", "stopped", _EXAMPLE)
    return IPyParallel(client, engines)


def was_stopped(client: Any) -> bool:
    """Tell whether the cluster that has made a client runs no more."""
    return client.cluster is not None and not runs(client.cluster)


def runs(cluster: Any) -> bool:
    """Tell whether a cluster has a controller that runs, as far as this process knows."""
    return cluster.controller is not None and cluster.controller.state != "after"


def connected(cluster: Any) -> Any:
    """Give a client of our own for a cluster.

    Raises
    ------
    ClosedError
        When the cluster does not run.
    ClusterError
        When its controller lets nobody connect.
    """
    if not runs(cluster):
        raise ClosedError("Cluster", "not running", _EXAMPLE)
    try:
        return cluster.connect_client_sync()
    except Exception as error:
        title = f"ipyparallel, cluster {cluster.cluster_id}"
        raise ClusterError(title, f"{type(error).__name__}: {error}") from error
