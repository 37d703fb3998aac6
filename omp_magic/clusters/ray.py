"""Ray as it is: the task workers of the session that runs, or actors by their handles.

Ray's remote functions must be functions of Python (ray/_private/worker.py, _make_remote), so that
`builtins.eval` needs one around it; it goes by value, which Ray allows: all processes of a session
have one Python. A session is never started.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from ..errors import RequestError
from .handing import Handing, late
from .meeting import BUSY, here, line_of, question, read
from .port import Answer, Engine, Seat
from .raytasks import KIND, Tasks, functions, node_here, title_of

_LONGEST = 200


def engine_of(asked: object) -> Engine | None:
    """Give the engine of Ray's module, an actor, a list of actors or a pool of them; else None.

    Raises
    ------
    RequestError
        When no session runs here.
    """
    ray: Any = sys.modules.get("ray")
    if asked is not ray and not _actors(ray, asked):
        return None
    if not ray.is_initialized():
        raise RequestError(
            "ray, of which no session runs here",
            "ray after ray.init(): none is started for a look",
            "ray.init(address='auto'); omp_magic.cluster(ray)",
        )
    return Tasks(ray) if asked is ray else Actors(ray, _actors(ray, asked))


def _actors(ray: Any, asked: Any) -> tuple[Any, ...]:
    """Give the actors that somebody means; () for none."""
    handle = ray.actor.ActorHandle
    if isinstance(asked, handle):
        return (asked,)
    entries = getattr(asked, "_actor_pool", None)  # ray/util/multiprocessing/pool.py
    if isinstance(entries, list):
        asked = [each[0] for each in entries]
    busy = getattr(asked, "_future_to_actor", None)  # ray/util/actor_pool.py
    if isinstance(busy, dict):
        asked = [*asked._idle_actors, *(each[1] for each in busy.values())]  # noqa: SLF001 - no public way
    if not isinstance(asked, (list, tuple)) or not all(isinstance(each, handle) for each in asked):
        return ()
    return tuple(asked)


class Actors:
    """Actors, each a process of its own.

    Parameters
    ----------
    ray
        The module.
    actors
        Their handles.
    """

    kind = KIND

    def __init__(self, ray: Any, actors: Sequence[Any]) -> None:
        self._ray = ray
        self._by_address: dict[str, Any] = {}
        self._actors = {each._actor_id.hex(): each for each in actors}  # noqa: SLF001 - no public way

    @property
    def title(self) -> str:
        """Which session it is."""
        return title_of(self._ray)

    def seats(self) -> tuple[Seat, ...]:
        """See `port.Engine`: also of an actor that has died."""
        mine = node_here(self._ray)
        seats = []
        for key, actor in self._actors.items():
            told = self._told(key)
            pid, at = told.get("Pid") or None, told.get("Address", {}).get("NodeID")
            near = bool(pid and mine and at == mine)
            kind = str(told.get("ActorClassName") or "").rpartition(".")[2]
            address = f"actor {kind} {key[:12]}".replace("  ", " ")
            self._by_address[address] = actor
            seats.append(
                Seat(
                    address=address,
                    name=str(told.get("Name") or ""),
                    host=here() if near else str(told.get("Address", {}).get("IPAddress", "")),
                    pid=pid,
                    beside=near,
                )
            )
        return tuple(seats)

    def ask(
        self, text: str, seats: Sequence[Seat], each_s: float, arrived: Callable[[Answer], None]
    ) -> None:
        """See `port.Engine`: the question waits behind what an actor has to do."""
        handing = Handing(seats)
        asks = functions()["omp_magic_asks_actor"]
        refs = []
        for seat in seats:
            expression = question(text, uuid4().hex)
            ref = self._by_address[seat.address].__ray_call__.remote(asks, expression)
            refs.append(ref)
            ref.future().add_done_callback(partial(_hand, handing, seat.address))
        try:
            for seat in handing.over(arrived, each_s):
                arrived(Answer(seat=seat, error=late(each_s, BUSY)))
        finally:
            for ref in refs:
                self._ray.cancel(ref)  # nothing happens to one that has its value

    def _told(self, key: str) -> dict[str, Any]:
        """Give what the session knows of an actor; nothing where this Ray does not tell it."""
        try:
            found: dict[str, Any] = self._ray._private.state.actors(key)  # noqa: SLF001 - without its dashboard there is no public way
        except Exception:  # noqa: BLE001 - another version: the actor answers all the same
            return {}
        return found or {}


def _hand(handing: Handing, address: str, ready: Any) -> None:
    try:
        heard = read(ready.result())
    except Exception as error:  # noqa: BLE001 - whatever Ray has for an actor that is lost
        handing.put(address, error=line_of(error)[:_LONGEST])
        return
    if heard is not None:
        handing.put(address, heard.value, heard.error)
