"""Ray's task workers: processes that come and go, and are met by tasks that are bound to a node."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from importlib import import_module
from typing import Any

from .answering import Answering
from .handing import late
from .meeting import Came, Who, here, meet
from .port import Answer, Seat

KIND = "ray"
_MEET_S = 3.0
_PASSING = (
    "Ray starts and ends task workers as it needs them; for all that come: "
    "ray.init(runtime_env={'env_vars': {'OMP_NUM_THREADS': '1'}})"
)
_ASKS = """
def omp_magic_asks(text):
    return eval(text, {})

def omp_magic_asks_actor(actor, text):
    return eval(text, {})
"""


def functions() -> dict[str, Any]:
    """Give the functions that evaluate a text in a task and in an actor, to go by value.

    cloudpickle takes those of ``__main__`` so (cloudpickle.py, _should_pickle_by_reference).
    """
    found: dict[str, Any] = {"__name__": "__main__"}
    exec(_ASKS, found)  # noqa: S102 - the text above
    return found


def title_of(ray: Any) -> str:
    """Give which session it is."""
    return f"Ray at {ray.get_runtime_context().gcs_address}"


def node_here(ray: Any) -> str:
    """Give the node that this process is at; "" when not known."""
    try:
        return str(ray.get_runtime_context().get_node_id())
    except Exception:  # noqa: BLE001 - a client far from the cluster is at none
        return ""


class Tasks:
    """The idle task workers of a session's nodes.

    Parameters
    ----------
    ray
        The module.
    """

    kind = KIND

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._ways = _NodeWays(ray)
        self._known: dict[str, Who] = {}

    @property
    def title(self) -> str:
        """Which session it is."""
        return title_of(self._ray)

    def seats(self) -> tuple[Seat, ...]:
        """See `port.Engine`: one for each idle worker met, one for what of a node is in use.

        Ray keeps as many idle workers of a node as it has CPUs. No more questions are put to a
        node at once than CPUs are free there, else Ray would start workers for them.
        """
        used = self._ways.count()
        total = sum(self._ways.idle.values())
        came = Came()
        found = came.who

        def missing() -> int:
            return 0 if came.are_all() else total - len(found)

        meet(self._ways, "0", None, missing, came.heard, seconds=_MEET_S, one_clock=False)
        mine = node_here(self._ray)
        seats = []
        for node, pid in sorted(found):
            at = self._ways.node_of[node, pid]
            address = f"{self._ways.address[at]}, process {pid}"
            self._known[address] = node, pid
            beside = at == mine and node == here()
            seats.append(
                Seat(
                    address=address,
                    name="task worker",
                    host=node,
                    pid=pid,
                    beside=beside,
                    passing=_PASSING,
                )
            )
        seats += [
            Seat(
                address=f"{self._ways.address[at]}, {_cpus(cpus)} in use",
                name="tasks, actors",
                host=self._ways.host[at],
            )
            for at, cpus in used.items()
        ]
        return tuple(seats)

    def ask(
        self, text: str, seats: Sequence[Seat], each_s: float, arrived: Callable[[Answer], None]
    ) -> None:
        """See `port.Engine`."""
        known = {self._known[each.address]: each for each in seats if each.address in self._known}
        for each in seats:
            if each.address not in self._known:
                why = "Ray addresses no worker that is in use; an actor is asked by its handle"
                arrived(Answer(seat=each, error=why))
        asked = Answering(known, arrived)
        self._ways.only(asked.missing)
        lost = meet(
            self._ways,
            text,
            tuple(asked.missing),
            lambda: len(asked.missing),
            asked.heard,
            seconds=each_s,
            one_clock=False,
        )
        asked.give_up(lost or late(each_s, "it works, it hangs, or it has ended"))


class _NodeWays:
    """Questions as tasks that are bound to a node; see `meeting.Ways`."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._asks = ray.remote(functions()["omp_magic_asks"])
        self._turn: list[str] = []
        self.idle: dict[str, int] = {}
        self.address: dict[str, str] = {}
        self.host: dict[str, str] = {}
        self.node_of: dict[Who, str] = {}

    def count(self) -> dict[str, float]:
        """See how many CPUs of each node are free, and give how many are in use."""
        free = self._free()
        used: dict[str, float] = {}
        for node in self._ray.nodes():
            if not node["Alive"] or not node.get("Resources", {}).get("CPU"):
                continue
            at = node["NodeID"]
            cpus = float(node["Resources"]["CPU"])
            self.address[at] = f"node {node['NodeName']}"
            self.host[at] = node["NodeManagerHostname"]
            self.idle[at] = math.floor(free.get(at, {}).get("CPU", 0.0) if free else cpus)
            if cpus > self.idle[at]:
                used[at] = cpus - self.idle[at]
        self._turn = [at for at, number in self.idle.items() for _ in range(number)]
        return used

    def only(self, wanted: dict[Who, Seat]) -> None:
        """Put the next questions to the nodes of these processes."""
        self._turn = [self.node_of[who] for who in wanted]

    def post(self, expression: str, done: Callable[[Callable[[], Any]], None]) -> Any:
        """See `meeting.Ways`."""
        at = self._turn.pop(0)
        self._turn.append(at)
        strategies = import_module("ray.util.scheduling_strategies")
        bound = strategies.NodeAffinitySchedulingStrategy(at, soft=False)
        options = self._asks.options(num_cpus=0, max_retries=0, scheduling_strategy=bound)
        ref = options.remote(expression)

        def give(ready: Future[Any]) -> Any:
            try:
                reply = ready.result()
            except Exception as error:
                if not _is_lost_worker(self._ray, error):
                    raise
                return "late", ("", 0), b""  # that worker has ended; the others are there
            self.node_of[reply[1]] = at
            return reply

        ref.future().add_done_callback(lambda ready: done(lambda: give(ready)))
        return lambda: self._ray.cancel(ref)

    def room(self) -> bool:
        """See `meeting.Ways`."""
        return bool(self._turn)

    def _free(self) -> dict[str, dict[str, float]]:
        try:
            # Not public, there since 2.3; ray.available_resources() is of all nodes together.
            found: dict[str, dict[str, float]] = (
                self._ray._private.state.available_resources_per_node()  # noqa: SLF001 - as above
            )
        except Exception:  # noqa: BLE001 - another version: then as many as a node has
            return {}
        return found


def _is_lost_worker(ray: Any, error: Exception) -> bool:
    """Tell whether a worker ended with a question: another worker may take the next."""
    return isinstance(error, ray.exceptions.WorkerCrashedError)


def _cpus(number: float) -> str:
    return f"{number:g} CPU{'' if number == 1 else 's'}"
