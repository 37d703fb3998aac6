"""omp_magic: which OpenMP and BLAS runtimes are loaded, with how many threads, on how many CPUs.

``%load_ext omp_magic``, then ``%omp_status``, ``%omp_explain`` and ``%%omp_limit 2``. In Python:
`omp_magic.snapshot()`, `omp_magic.explain("OMP101")` and `omp_magic.limit(2)`. Importing this
package loads nothing else and changes nothing.
"""

from __future__ import annotations

# typing.TYPE_CHECKING would cost the import of typing, 5 ms in a bare interpreter.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from .api import check, explain, limit, report, snapshot
    from .errors import DuplicateRuntimeWarning, UnsafeForkWarning, UnsendableFunctionWarning

__version__ = "0.1.0"
__all__ = [
    "DuplicateRuntimeWarning",
    "UnsafeForkWarning",
    "UnsendableFunctionWarning",
    "check",
    "explain",
    "limit",
    "report",
    "snapshot",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from . import api, errors  # noqa: PLC0415 - the first use pays, not the import

        return getattr(api, name, None) or getattr(errors, name)
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
