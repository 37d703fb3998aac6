"""Registers the magics, and keeps the one list of undos.

Loading imports three small modules of ours and nothing native.
"""

from __future__ import annotations

from .awaiting import AwaitBodies, failures
from .completion import install
from .config import mode_of, offer
from .standin import NAMES, Magics
from .unpressed import Unpressed
from .watch import Watch

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_UNDOS: dict[int, list[Callable[[], object]]] = {}
"""By the shell's id: what takes loading back, in the order in which it was done."""


def load(shell: InteractiveShell) -> None:
    """Register the magics, their completion, and the awaiting of cell bodies."""
    unload(shell)
    undos = _UNDOS[id(shell)] = []
    watch = Watch(shell, mode_of(shell))
    undos.append(watch.remove)
    undos.append(offer(shell, watch))
    shell.events.register("post_run_cell", watch.after_cell)
    undos.append(lambda: shell.events.unregister("post_run_cell", watch.after_cell))
    after_interrupt = Unpressed().after_cell
    shell.events.register("post_run_cell", after_interrupt)
    undos.append(lambda: shell.events.unregister("post_run_cell", after_interrupt))
    magics = Magics(shell, watch)
    undos.append(magics.remove)
    awaiting = AwaitBodies(shell, frozenset(NAMES["cell"]))
    shell.input_transformers_post.append(awaiting)
    undos.append(lambda: shell.input_transformers_post.remove(awaiting))
    after_failure = failures(shell)
    # Cells of an .ipy file are silent: post_run_cell is not for them.
    shell.events.register("post_execute", after_failure)
    undos.append(lambda: shell.events.unregister("post_execute", after_failure))
    shell.events.register("pre_run_cell", magics.before_cell)
    undos.append(lambda: shell.events.unregister("pre_run_cell", magics.before_cell))
    shell.events.register("post_run_cell", magics.after_cell)
    undos.append(lambda: shell.events.unregister("post_run_cell", magics.after_cell))
    undos.append(install(shell))


def unload(shell: InteractiveShell) -> None:
    """Run every undo, the last first; one that fails is logged and the others run."""
    for undo in reversed(_UNDOS.pop(id(shell), [])):
        try:
            undo()
        except Exception as error:  # noqa: BLE001 - the other undos must run all the same
            import logging  # noqa: PLC0415 - never needed when all goes well

            log = logging.getLogger("omp_magic")
            log.warning("omp_magic: not undone (%s: %s)", type(error).__name__, error)
