"""Dask's distributed: a `Client`, or a cluster such as `LocalCluster`.

A worker evaluates in its event loop, as `Client.run` does, and each is asked by itself: the
scheduler answers a question to many when the last of them has (distributed/scheduler.py,
`broadcast`), so that one that hangs would keep back all others.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
import weakref
from builtins import eval as evaluate
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from ..errors import RequestError
from ..facts.clusters import ENDED
from .daskseats import absent_seats, gone, identity, known_seats
from .handing import Handing, late
from .port import Answer, ClosedError, ClusterError, Seat

KIND = "dask"

_AT_ONCE = 128
"""Questions on their way at once; a client has 512 connections (`Client`, connection_limit)."""
_SCHEDULER_S = 10.0
_WATCH_S, _MOST_WATCH_S = 0.1, 1.0
"""Seconds until the scheduler is asked who has ended meanwhile, the first time and later ones."""
_LATE = "its event loop is blocked: the process is stopped, or native code holds its GIL"
_GONE = "its scheduler reaches it no more: it has ended, or its network is cut"
_ENDED = f"{ENDED}: its scheduler knows it no more"
_ABSENT = "its cluster wants it and its scheduler does not know it: it starts, or it has ended"
_EXAMPLE = "omp_magic.cluster(distributed.Client())"

_TIMEOUTS = (TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError)
"""Three classes until Python 3.11, which made them one."""

_Open = dict[str, "asyncio.Task[Any]"]
_OPEN: weakref.WeakKeyDictionary[Any, _Open] = weakref.WeakKeyDictionary()
"""Questions that no worker has answered yet, by client: a worker that hangs gets one, not many."""


class Dask:
    """A cluster of Dask's, by its client.

    Parameters
    ----------
    client
        A running `distributed.Client`.
    owned
        Whether it was made for us, and is to be closed.
    """

    kind = KIND

    def __init__(self, client: Any, *, owned: bool = False) -> None:
        self._client = client
        self._owned = owned
        self._absent: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """Which cluster it is."""
        return f"Dask, scheduler at {self._client.scheduler.address}"

    def seats(self) -> tuple[Seat, ...]:
        """Give the workers that the scheduler knows, and those that its cluster wants besides.

        Raises
        ------
        ClusterError
            When the scheduler does not answer.
        """
        workers = self._workers()
        absent = absent_seats(self._client, workers)
        self._absent = frozenset(each.address for each in absent)
        return (*known_seats(self._client, workers), *absent)

    def again(self) -> tuple[Seat, ...]:
        """Give those that the scheduler knows now: a nanny starts one for each that ends."""
        return known_seats(self._client, self._workers())

    def _workers(self) -> dict[str, Any]:
        asking = self._in_loop(identity(self._client))
        try:
            told = asking.result(_SCHEDULER_S)
        except (OSError, RuntimeError, *_TIMEOUTS) as error:
            why = str(error) or f"no answer in {_SCHEDULER_S:g} s"
            raise ClusterError(self.title, why) from error
        finally:
            asking.cancel()
        workers: dict[str, Any] = told["workers"]
        return workers

    def ask(
        self,
        text: str,
        seats: Sequence[Seat],
        each_s: float,
        arrived: Callable[[Answer], None],
    ) -> None:
        """Evaluate a text on each; see `port.Engine.ask`."""
        handing = Handing(seats)
        for seat in seats:
            if seat.address in self._absent:
                handing.put(seat.address, error=_ABSENT)
        asked = [seat for seat in seats if seat.address not in self._absent]
        turns = -(-len(asked) // _AT_ONCE)
        going = self._in_loop(self._ask_all(text, asked, each_s, handing))
        try:
            # Each has its limit in the loop; this one is for a loop that is blocked itself.
            for seat in handing.over(arrived, (turns + 1) * (each_s + 2 * _WATCH_S)):
                why = "the event loop of this client is blocked"
                arrived(Answer(seat=seat, error=late(each_s, why)))
        finally:
            going.cancel()

    def close(self) -> None:
        """Close the client, where it was made for us."""
        if self._owned:
            self._client.close()

    def _in_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._client.loop.asyncio_loop)

    async def _ask_all(
        self, text: str, seats: Sequence[Seat], each_s: float, handing: Handing
    ) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)
        opened = _OPEN.setdefault(self._client, {})

        async def one(address: str) -> None:
            async with gate:
                try:
                    value = await self._answer(text, address, each_s, opened)
                except _TIMEOUTS:
                    handing.put(address, error=late(each_s, _LATE))
                except OSError:
                    handing.put(address, error=await self._lost(address))
                except Exception as error:  # noqa: BLE001 - whatever its engine says of it
                    handing.put(address, error=f"{type(error).__name__}: {error}")
                else:
                    handing.put(address, value)

        asking = {seat.address: asyncio.ensure_future(one(seat.address)) for seat in seats}
        watching = asyncio.ensure_future(self._watch(asking, min(_WATCH_S, each_s / 4), handing))
        try:
            await asyncio.gather(*asking.values(), return_exceptions=True)
        finally:
            watching.cancel()

    async def _lost(self, address: str) -> str:
        """Give why a worker's connection was lost; the scheduler may learn it a little later."""
        with suppress(OSError, *_TIMEOUTS):
            for rest_s in (0.0, _WATCH_S):
                await asyncio.sleep(rest_s)
                if await gone(self._client, [address]):
                    return _ENDED
        return _GONE

    async def _watch(
        self, asking: dict[str, asyncio.Task[None]], rest_s: float, handing: Handing
    ) -> None:
        """Tell of workers that end before they answer.

        A connection that is refused is tried again and again (distributed/comm/core.py,
        `connect`), so that the question itself would say nothing for 30 seconds.
        """
        with suppress(OSError, *_TIMEOUTS):  # what is lost with the scheduler, each question says
            while waiting := [address for address, task in asking.items() if not task.done()]:
                await asyncio.sleep(rest_s)
                rest_s = min(2 * rest_s, _MOST_WATCH_S)
                for address in await gone(self._client, waiting):
                    handing.put(address, error=_ENDED)
                    asking[address].cancel()

    async def _answer(self, text: str, address: str, each_s: float, opened: _Open) -> Any:
        """Ask one worker, after it has answered what it was asked before."""
        until_s = time.monotonic() + each_s
        before = opened.get(address)
        if before is not None:
            await asyncio.wait({before}, timeout=each_s)
            if not before.done():
                raise TimeoutError
        asking = self._client._run(evaluate, text, workers=[address], on_error="raise")  # noqa: SLF001 - `run` is this in a loop of its own
        task = opened[address] = asyncio.ensure_future(asking)
        task.add_done_callback(lambda done: _forget(opened, address, done))
        # It is not cancelled: the worker would evaluate the text all the same.
        await asyncio.wait({task}, timeout=max(0.0, until_s - time.monotonic()))
        if not task.done():
            raise TimeoutError
        return task.result()[address]


def _forget(opened: _Open, address: str, done: asyncio.Task[Any]) -> None:
    if opened.get(address) is done:
        del opened[address]
    if not done.cancelled():
        done.exception()  # else asyncio says that nobody has asked for it


def engine_of(client: Any) -> Dask | None:
    """Give the engine of a client or a cluster of Dask's; None when it is neither.

    Raises
    ------
    RequestError
        When it is of an event loop that this thread would wait for itself; a ClosedError when it
        is closed.
    ClusterError
        When it has lost its scheduler, or that of a cluster does not answer.
    """
    # They are there already, and the client with them.
    from distributed import Client  # noqa: PLC0415 - as above
    from distributed.cfexecutor import ClientExecutor  # noqa: PLC0415 - as above
    from distributed.deploy.cluster import Cluster  # noqa: PLC0415 - as above

    made: Any = Client
    if isinstance(client, Cluster):
        found = _client_of(client, made)
        return found or Dask(_connected(client, made), owned=True)
    if isinstance(client, ClientExecutor):
        client = client._client  # noqa: SLF001 - it has no public one
    return Dask(_usable(client)) if isinstance(client, Client) else None


def _client_of(cluster: Any, kind: Any) -> Dask | None:
    """Give the engine of a client that a cluster has already."""
    _usable(cluster)
    for each in tuple(kind._instances):  # noqa: SLF001 - a new one would be a second connection
        if each.cluster is cluster and each.status == "running" and not each.asynchronous:
            return Dask(each)
    return None


def _connected(cluster: Any, kind: Any) -> Any:
    """Give a client of our own for a cluster."""
    try:
        return kind(cluster, set_as_default=False, timeout=_SCHEDULER_S)
    except (OSError, *_TIMEOUTS) as error:
        title = f"Dask, scheduler at {cluster.scheduler_address}"
        raise ClusterError(title, str(error) or f"no answer in {_SCHEDULER_S:g} s") from error


def _usable(client: Any) -> Any:
    """Give what may be asked from this thread."""
    name = type(client).__name__
    # The one tells how it was made, the other that this is its loop's own thread.
    if getattr(client, "_asynchronous", False) or client.asynchronous:
        found = f"an asynchronous {name}"
        raise RequestError(found, "one made with asynchronous=False, outside its loop", _EXAMPLE)
    status = getattr(client.status, "name", client.status)
    if status == "connecting":  # as it is for a while after its scheduler has gone
        raise ClusterError(f"Dask, by a {name}", "it is connecting to its scheduler")
    if status != "running":
        raise ClosedError(name, status, _EXAMPLE)
    return client
