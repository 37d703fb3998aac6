"""After a KeyboardInterrupt that nobody pressed: says which library raised it, and why.

OpenBLAS raises SIGINT when the system refuses it a thread while it is loaded
(driver/others/blas_server.c, blas_thread_init), so that an import ends as if it was interrupted.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from ..facts.libraries import Library


class Unpressed:
    """Explains an interrupted import when a library lacks the threads that it could not start.

    A person's Ctrl-C leaves no library without its threads, and is not explained; nor is the
    same library explained twice.
    """

    def __init__(self) -> None:
        self._told: set[tuple[str, int | None]] = set()

    def after_cell(self, result: Any = None) -> None:
        """Be told how a cell ended; called after every cell."""
        error = getattr(result, "error_in_exec", None)
        if not isinstance(error, KeyboardInterrupt):
            return
        try:
            if in_import(error.__traceback__):
                self._explain()
        except Exception as fault:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
            import logging  # noqa: PLC0415 - never needed when all goes well

            log = logging.getLogger("omp_magic")
            log.warning("omp_magic: the KeyboardInterrupt was not looked into (%s)", fault)

    def _explain(self) -> None:
        from ..api import snapshot  # noqa: PLC0415 - only an interrupted import pays

        lacking = [each for each in snapshot().libraries if each.missing]
        new = [each for each in lacking if (each.path, each.inode) not in self._told]
        self._told.update((each.path, each.inode) for each in lacking)
        if new:
            self._tell(new)

    @staticmethod
    def _tell(libraries: list[Library]) -> None:
        import sys  # noqa: PLC0415 - as above

        from IPython.display import display  # noqa: PLC0415 - as above

        from ..api import snapshot  # noqa: PLC0415 - as above
        from ..guard.guard import Alarm  # noqa: PLC0415 - as above
        from ..views.alarm import AlarmView  # noqa: PLC0415 - as above

        found = tuple(each for each in snapshot().findings if each.code == "OMP210")
        names = " and ".join(f"{each.label} ({each.owner or each.name})" for each in libraries)
        what = f"Nobody interrupted: {names} could not start its threads"
        display(AlarmView(Alarm(what=what, findings=found, before=False)))  # type: ignore[no-untyped-call]  # IPython has no types here
        sys.stdout.flush()


def in_import(traceback: TracebackType | None) -> bool:
    """Tell whether an error was raised while a module was imported by the code of a cell.

    importlib's own frames are cut out of a traceback; those of the modules that were in the
    middle of their import stay, and run the code called ``<module>``. The cell's own is the first.
    """
    modules = 0
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if "importlib" in code.co_filename:
            return True
        modules += code.co_name == "<module>"
        traceback = traceback.tb_next
    return modules > 1
