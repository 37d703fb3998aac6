"""What this process would import of the packages in which workers differ."""

from __future__ import annotations

from collections.abc import Iterable

from ..facts.clusters import ClusterWorker


def own_versions(workers: Iterable[ClusterWorker]) -> tuple[tuple[str, str], ...]:
    """Give (distribution, version) here, of those that workers have in several versions.

    Parameters
    ----------
    workers
        Those of a cluster. Nothing is looked up where they are alike.
    """
    states = {id(each.state): each.state for each in workers if each.state is not None}
    found: dict[str, set[str]] = {}
    for state in states.values():
        for library in state.libraries:
            if library.owner and library.owner_version:
                found.setdefault(library.owner, set()).add(library.owner_version)
    several = sorted(name for name, versions in found.items() if len(versions) > 1)
    return tuple((name, version) for name in several if (version := _version_of(name)))


def _version_of(name: str) -> str:
    from importlib import metadata  # noqa: PLC0415 - only where workers differ

    try:
        return str(metadata.version(name))
    except Exception:  # noqa: BLE001 - law 7: not installed here, or its metadata is broken
        return ""
