"""Which threading layer numba will launch, read from its settings without launching it."""

from __future__ import annotations

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
