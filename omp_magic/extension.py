"""Registers the magics, and keeps the one list of undos.

Loading imports IPython's magics and two small modules of ours, and nothing native.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from .cellbody import AwaitBodies
from .completion import install
from .magics import CELL_MAGICS, OmpMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LOG = logging.getLogger("omp_magic")
_UNDOS: dict[int, list[Callable[[], object]]] = {}
"""By the shell's id: what takes loading back, in the order in which it was done."""


def load(shell: InteractiveShell) -> None:
    """Register the magics, their completion, and the awaiting of cell bodies."""
    unload(shell)
    undos = _UNDOS[id(shell)] = []
    magics = OmpMagics(shell)
    undos.append(lambda: _forget(shell, magics))
    shell.register_magics(magics)
    undos.append(magics.end)
    awaiting = AwaitBodies(shell, CELL_MAGICS)
    shell.input_transformers_post.append(awaiting)
    undos.append(lambda: shell.input_transformers_post.remove(awaiting))
    shell.events.register("pre_run_cell", magics.before_cell)
    undos.append(lambda: shell.events.unregister("pre_run_cell", magics.before_cell))
    undos.append(install(shell))


def unload(shell: InteractiveShell) -> None:
    """Run every undo, the last first; one that fails is logged and the others run."""
    for undo in reversed(_UNDOS.pop(id(shell), [])):
        try:
            undo()
        except Exception as error:  # noqa: BLE001 - the other undos must run all the same
            _LOG.warning("omp_magic: not undone (%s: %s)", type(error).__name__, error)


def _forget(shell: InteractiveShell, magics: OmpMagics) -> None:
    """Take the magics out of the shell's tables; IPython itself only ever adds to them."""
    manager = shell.magics_manager
    # Only our own names: touching another entry makes IPython 9 import what it stands for.
    for kind, ours in magics.magics.items():
        for name, function in ours.items():
            if name in manager.magics[kind] and manager.magics[kind][name] == function:
                del manager.magics[kind][name]
    registry: dict[str, object] = manager.registry
    if registry.get(type(magics).__name__) is magics:
        del registry[type(magics).__name__]
    shell.configurables[:] = [each for each in shell.configurables if id(each) != id(magics)]
