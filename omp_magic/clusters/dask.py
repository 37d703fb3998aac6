"""Dask's distributed: a `Client`, or a cluster such as `LocalCluster`."""

from __future__ import annotations

import time
from builtins import eval as evaluate
from collections.abc import Callable, Sequence
from typing import Any

from .port import Answer, Seat

KIND = "dask"


class Dask:
    """A cluster of Dask's, by its client.

    Parameters
    ----------
    client
        A running `distributed.Client`.
    """

    kind = KIND

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def title(self) -> str:
        """Which cluster it is."""
        return f"Dask at {self._client.scheduler.address}"

    def seats(self) -> tuple[Seat, ...]:
        """Give the workers that the scheduler knows."""
        known = self._client.scheduler_info()["workers"]
        return tuple(_seat(address, told) for address, told in known.items())

    def ask(
        self,
        text: str,
        seats: Sequence[Seat],
        each_s: float,
        arrived: Callable[[Answer], None],
    ) -> None:
        """Evaluate a text on each; see `port.Engine.ask`."""
        began = time.monotonic()
        by_address = {seat.address: seat for seat in seats}
        got = self._client.run(evaluate, text, workers=list(by_address), on_error="return")
        for address, value in got.items():
            took_s = time.monotonic() - began
            if isinstance(value, Exception):
                arrived(Answer(seat=by_address[address], error=f"{value}"))
            else:
                arrived(Answer(seat=by_address[address], value=value, took_s=took_s))


def _seat(address: str, told: dict[str, Any]) -> Seat:
    name = str(told.get("name", ""))
    return Seat(
        address=address,
        name="" if name == address else name,
        host=str(told.get("host", "")),
        tasks=int(told.get("nthreads", 1)),
    )


def engine_of(client: Any) -> Dask | None:
    """Give the engine of a client or a cluster of Dask's; None when it is neither."""
    import distributed  # noqa: PLC0415 - it is there already, and its client with it

    if isinstance(client, distributed.Client):
        return Dask(client)
    if hasattr(client, "get_client") and hasattr(client, "scheduler_address"):
        return Dask(client.get_client())
    return None
