"""Which threading layer numba will launch, read from its settings without launching it."""

from __future__ import annotations

import os
import sys

WORKQUEUE = "workqueue"


def coming_layer() -> str:
    """Give ``"workqueue"`` when numba is sure to launch that layer, else the one it was told.

    ``config.THREADING_LAYER`` is NUMBA_THREADING_LAYER as it was at the import of numba, or what
    was assigned since. A named layer is launched or nothing is; ``default`` takes the first of
    THREADING_LAYER_PRIORITY that can be loaded, and workqueue always can; ``forksafe`` is TBB,
    then workqueue on Linux, which depends on what is installed
    (numba/np/ufunc/parallel.py, _launch_threads; 0.68).

    Returns
    -------
    str
        ``""`` when that depends on what can be loaded, or is not told.
    """
    config = vars(sys.modules.get("numba.core.config") or sys)
    told = str(config.get("THREADING_LAYER", "")).lower()
    if told in ("omp", "tbb", WORKQUEUE):
        return told
    order = config.get("THREADING_LAYER_PRIORITY")
    first = isinstance(order, list) and order[:1] == [WORKQUEUE]
    return WORKQUEUE if told == "default" and first else ""


def installed_layers() -> tuple[str, ...]:
    """Give the layers of numba that two threads may enter and that are there, the best first.

    Told by files, without importing numba: ``omppool`` is in every wheel with OpenMP, ``tbbpool``
    works where TBB is (numba/np/ufunc/parallel.py, _launch_threads; 0.68).
    """
    from importlib.machinery import PathFinder  # noqa: PLC0415 - who asks for this is asked rarely

    found = PathFinder.find_spec("numba")
    if found is None or not found.submodule_search_locations:
        return ()
    folder = os.path.join(found.submodule_search_locations[0], "np", "ufunc")
    try:
        names = os.listdir(folder)
    except OSError:
        return ()
    layers = []
    if any(name.startswith("tbbpool") for name in names) and _has_tbb():
        layers.append("tbb")
    if any(name.startswith("omppool") for name in names):
        layers.append("omp")
    return tuple(layers)


def _has_tbb() -> bool:
    """Tell whether TBB's distribution is there; its libraries lie outside of packages."""
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - as above

    try:
        distribution("tbb")
    except PackageNotFoundError:
        return False
    return True
