"""What an OpenMP runtime that has started took from variables that set no count, as it says.

The functions answer from memory and start nothing: OpenMP 5.2, chapter 18. LLVM's
omp_get_proc_bind and omp_get_num_places would set up the binding of threads
(openmp/runtime/src/kmp_ftn_entry.h), so of its runtimes they are not called.
"""

from __future__ import annotations

from collections.abc import Callable

from ...machine.port.native import Native
from ...machine.python.calls import call_get
from .images import Image

_BOTH = {
    "OMP_DYNAMIC": "omp_get_dynamic",
    "OMP_MAX_ACTIVE_LEVELS": "omp_get_max_active_levels",
    "OMP_THREAD_LIMIT": "omp_get_thread_limit",
}
_PLACES = "omp_get_num_places"
_GETTERS = {
    "gnu": {
        **_BOTH, "OMP_PROC_BIND": "omp_get_proc_bind", "OMP_PLACES": _PLACES,
        "GOMP_CPU_AFFINITY": _PLACES,
    },
    "llvm": _BOTH,
}  # fmt: skip


def probe_taken(
    native: Native | None, image: Image, getenv: Callable[[str], str | None]
) -> tuple[tuple[str, str], ...]:
    """Give (variable, what the runtime has of it) for those that are set now.

    Parameters
    ----------
    native
        The running process; None where it cannot be called.
    image
        A runtime that has started; on the main thread, to whose data most of it belongs.
    getenv
        Gives a variable as C sees it. Where none is set nothing is looked up (1 us).
    """
    getters = _GETTERS.get(image.family.kin, {}) if native is not None and image.getter else {}
    names = [name for name in getters if getenv(name) is not None]
    if not names or native is None:
        return ()
    wanted = tuple((getters[name],) for name in names)
    found = native.symbols(image.mapped.path, image.mapped.starts, wanted)
    return tuple(
        (name, str(call_get(address)))
        for name, address in zip(names, found or (), strict=False)
        if address is not None
    )
