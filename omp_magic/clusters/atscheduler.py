"""What runs at Dask's scheduler: who shares a machine with whom, and a line of its log a finding.

It is sent as this file's text and evaluated there, so it imports the standard library and
distributed alone; the scheduler needs no omp_magic.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

NAME = "omp_magic"
"""Of the plugins, and of the events' topic."""
ANNOUNCE, LEAVE, BESIDE = "omp_magic_announce", "omp_magic_leave", "omp_magic_beside"
"""What workers ask the scheduler, and what it tells them: names in the tables of handlers."""
_SOON_S = 0.2
"""Workers come in crowds: those that are there already are told once."""


def made() -> Any:
    """Give the plugin, of the class that the scheduler wants it to be."""
    from distributed import SchedulerPlugin  # noqa: PLC0415 - it is sent to where it is

    return type("Beside", (Beside, SchedulerPlugin), {})()


class Beside:
    """Knows which workers have our plugin, by machine; it goes with the last of them."""

    def start(self, scheduler: Any) -> None:
        """Let workers announce themselves."""
        self.scheduler = scheduler
        self.places: dict[str, tuple[str, bytes]] = {}
        self.changed: set[str] = set()
        scheduler.handlers[ANNOUNCE] = self.announce
        scheduler.handlers[LEAVE] = self.leave

    def announce(self, address: str, machine: str, place: bytes) -> dict[str, Any]:
        """Note a worker, and say who is on its machine, and how many workers its host has."""
        self.places[address] = machine, place
        self._tell_soon(machine)
        state = self.scheduler.workers.get(address)
        host = {} if state is None else self.scheduler.host_info.get(state.host, {})
        return {**self._beside(machine), "known": len(host.get("addresses", ()))}

    def leave(self, address: str) -> None:
        """Forget a worker that has our plugin no more."""
        machine, _ = self.places.pop(address, ("", b""))
        if self.places:
            self._tell_soon(machine)
        else:
            self._end()

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        """Forget a worker that is gone."""
        del scheduler
        if worker in self.places:
            machine, _place = self.places.pop(worker)
            self._tell_soon(machine)

    def log_event(self, topic: str, msg: Any) -> None:
        """Write what a worker has found into the log; called for each event."""
        if topic == NAME and isinstance(msg, Mapping):
            level = {"error": logging.ERROR, "warning": logging.WARNING}
            logging.getLogger("distributed.scheduler.omp_magic").log(
                level.get(str(msg.get("severity")), logging.INFO),
                "%s",
                _printable(f"{msg.get('worker')}: {msg.get('code')}: {msg.get('title')}"),
            )

    def _beside(self, machine: str) -> dict[str, Any]:
        return {"places": [each for own, each in self.places.values() if own == machine]}

    def _tell_soon(self, machine: str) -> None:
        if machine not in self.changed:
            self.changed.add(machine)
            self.scheduler.loop.call_later(_SOON_S, self._tell, machine)

    async def _tell(self, machine: str) -> None:
        """Tell all on a machine who is there; one that does not know us logs a line."""
        self.changed.discard(machine)
        those = [each for each, (own, _) in self.places.items() if own == machine]
        if those:
            msg = {"op": BESIDE, **self._beside(machine)}
            await self.scheduler.broadcast(msg=msg, workers=those, on_error="ignore")

    def _end(self) -> None:
        self.scheduler.handlers.pop(ANNOUNCE, None)
        self.scheduler.handlers.pop(LEAVE, None)
        if NAME in self.scheduler.plugins:
            self.scheduler.remove_plugin(name=NAME)


def _printable(text: str) -> str:
    """Give a text in one line: titles have paths of the workers in them."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
