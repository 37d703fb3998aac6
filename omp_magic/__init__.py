"""omp_magic: which OpenMP and BLAS runtimes are loaded, with how many threads, on how many CPUs.

``%load_ext omp_magic``, then ``%omp_status``, ``%omp_explain`` and ``%%omp_limit 2``. In Python:
`omp_magic.snapshot()`, `omp_magic.explain("OMP101")` and `omp_magic.limit(2)`. Importing this
package loads nothing else and changes nothing.

PYTEST_DONT_REWRITE: as the owner of a plugin for pytest this package would be rewritten, and where
a notebook or a program has imported it before it calls `pytest.main`, pytest warns that it could
not (_pytest/assertion/rewrite.py, `mark_rewrite`).
"""

from __future__ import annotations

# typing.TYPE_CHECKING would cost the import of typing, 5 ms in a bare interpreter.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from .api import check, explain, limit, report, snapshot
    from .clustering import cluster
    from .clusters.daskplugin import dask_plugin
    from .eachworker import worker_limits
    from .errors import DuplicateRuntimeWarning, UnsafeForkWarning, UnsendableFunctionWarning
    from .inquest import postmortem
    from .planning import plan
    from .servers.logstatus import log_status
    from .servers.metrics import metrics
    from .servers.sections import section
    from .starting import environment
    from .sweeping import sweep
    from .watching import watch

__version__ = "0.1.0"
__all__ = [
    "DuplicateRuntimeWarning",
    "UnsafeForkWarning",
    "UnsendableFunctionWarning",
    "check",
    "cluster",
    "dask_plugin",
    "environment",
    "explain",
    "limit",
    "log_status",
    "metrics",
    "plan",
    "postmortem",
    "report",
    "section",
    "snapshot",
    "sweep",
    "watch",
    "worker_limits",
]
_PLACES = {
    "cluster": "clustering",
    "dask_plugin": "clusters.daskplugin",
    "environment": "starting",
    "log_status": "servers.logstatus",
    "metrics": "servers.metrics",
    "plan": "planning",
    "postmortem": "inquest",
    "section": "servers.sections",
    "sweep": "sweeping",
    "watch": "watching",
    "worker_limits": "eachworker",
    **dict.fromkeys((name for name in __all__ if name.endswith("Warning")), "errors"),
}
"""Where the names are that `api` does not have."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module  # noqa: PLC0415 - the first use pays, not the import

        found = getattr(import_module(f"{__name__}.{_PLACES.get(name, 'api')}"), name)
        globals()[name] = found  # asking again takes 30 ns, not 1.6 us
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics; called by ``%load_ext omp_magic``."""
    from .jupyter.extension import load  # noqa: PLC0415 - only IPython needs it

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take back everything that loading and using the magics changed."""
    from .jupyter.extension import unload  # noqa: PLC0415 - only IPython needs it

    unload(shell)
