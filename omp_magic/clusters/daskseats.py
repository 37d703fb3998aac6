"""Who the workers of a Dask cluster are: those its scheduler knows, and those it only wants."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..facts.clusterhosts import host_in
from .port import Seat


async def identity(client: Any) -> Any:
    """Give what the scheduler says of itself and all workers; newer ones name five unasked."""
    with suppress(TypeError):
        return await client.scheduler.identity(n_workers=-1)
    return await client.scheduler.identity()


async def gone(client: Any, addresses: list[str]) -> list[str]:
    """Give those of some workers that the scheduler does not know any more.

    It forgets a worker as soon as its connection ends (distributed/scheduler.py, `handle_worker`),
    and says of few what is few bytes (`get_ncores`).
    """
    known = await client.scheduler.ncores(workers=addresses)
    return [each for each in addresses if each not in known]


def known_seats(client: Any, workers: Mapping[str, Mapping[str, Any]]) -> tuple[Seat, ...]:
    """Give the workers that the scheduler knows.

    Parameters
    ----------
    client
        The client.
    workers
        As the scheduler's identity has them, by address.
    """
    pids = _pids(client)
    return tuple(_seat(address, each, pids.get(address)) for address, each in workers.items())


def absent_seats(client: Any, workers: Mapping[str, Mapping[str, Any]]) -> tuple[Seat, ...]:
    """Give the workers that the client's cluster wants besides; parameters as in `known_seats`."""
    names = {str(each.get("name")) for each in workers.values()}
    host = _only_host(client)
    return tuple(
        Seat(address=f"worker {name}", name=name, host=host, tasks=tasks)
        for name, tasks in _wanted(client)
        if name not in names
    )


def _seat(address: str, told: Mapping[str, Any], pid: int | None) -> Seat:
    name = str(told.get("name", ""))
    return Seat(
        address=address,
        name="" if name == address else name,
        host=str(told.get("host", "")),
        pid=pid,
        tasks=int(told.get("nthreads", 1)),
        beside=pid not in (None, os.getpid()),
        # "Restarting workers requires a nanny", says `Client.restart_workers` without one.
        anew=bool(told["nanny"]) if "nanny" in told else None,
    )


def _pids(client: Any) -> dict[str, int]:
    """Give the processes that nannies of this process have started, by the workers' addresses."""
    from distributed import Nanny  # noqa: PLC0415 - it is there already

    workers = getattr(getattr(client, "cluster", None), "workers", None)
    if not isinstance(workers, dict):
        return {}
    nannies = [each for each in tuple(workers.values()) if isinstance(each, Nanny)]
    return {str(each.worker_address): each.pid for each in nannies if each.pid}


def _only_host(client: Any) -> str:
    """Give the host of all workers where there can be one alone: this one; else ""."""
    from distributed import LocalCluster  # noqa: PLC0415 - it is there already

    cluster = getattr(client, "cluster", None)
    # It gives the scheduler and each worker one host (distributed/deploy/local.py).
    return host_in(client.scheduler.address) if isinstance(cluster, LocalCluster) else ""


def _wanted(client: Any) -> Iterator[tuple[str, int]]:
    """Give the workers that the client's cluster wants, and their tasks (deploy/spec.py)."""
    spec = getattr(getattr(client, "cluster", None), "worker_spec", None)
    for name, each in spec.items() if isinstance(spec, dict) else ():
        known = each if isinstance(each, dict) else {}
        tasks = (known.get("options") or {}).get("nthreads")
        for suffix in known.get("group") or ("",):
            yield f"{name}{suffix}", tasks if isinstance(tasks, int) else 1
