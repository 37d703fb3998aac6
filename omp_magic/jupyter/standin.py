"""What stands in the shell's table of magics until one of ours is first used.

Building two argument parsers costs as much as importing threadpoolctl does, so they are built
when a magic is called, asked for its help or completed, and the real magics take over.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from .clusterlive import ClusterLive
    from .live import Live
    from .magics import OmpMagics
    from .watch import Watch

NAMES = {
    "line": (
        *("omp_status", "omp_explain", "omp_limit", "omp_guard", "omp_check", "omp_dashboard"),
        *("omp_report", "omp_plan", "omp_env", "omp_postmortem", "omp_cluster"),
    ),
    "cell": ("omp_limit", "omp_status", "omp_sweep", "omp_watch"),
}
"""Our magics by kind."""


class Magics:
    """Our magics in one shell: stand-ins first, the real ones from the first use on.

    Parameters
    ----------
    shell
        The shell that they are registered in.
    watch
        The guard of that shell.
    """

    def __init__(self, shell: InteractiveShell, watch: Watch) -> None:
        self._shell = shell
        self._watch = watch
        self._real: OmpMagics | None = None
        self._standins = {
            (kind, name): StandIn(self, kind, name)
            for kind, names in NAMES.items()
            for name in names
        }

    def put(self) -> None:
        """Register them."""
        tables = self._shell.magics_manager.magics
        for (kind, name), standin in self._standins.items():
            tables[kind][name] = self._real.magics[kind][name] if self._real else standin

    def take_over(self, before: Magics) -> None:
        """Go on with what other magics held, that are removed: the limit and the panels."""
        old = before._real
        if old is not None and (old.session or old.live or old.clusters):
            real = self.real()
            real.session, real.live, real.clusters = old.session, old.live, old.clusters

    def listen(self) -> None:
        """Have the panels told of cells after all else that is."""
        for each in self._panels():
            each.main.listen()

    def held(self) -> tuple[str, ...]:
        """Say what is held, in words: the session's limit, the panels."""
        session = self._real.session if self._real is not None else None
        limit = session.limit if session is not None else ""
        panels = sum(len(each.panels) for each in self._panels())
        found = (limit, f"{panels} panel{'s' if panels > 1 else ''}" if panels else "")
        return tuple(each for each in found if each)

    def _panels(self) -> list[Live | ClusterLive]:
        """Give what the panels of each kind share, where there are any."""
        real = self._real
        return [] if real is None else [e for e in (real.live, real.clusters) if e is not None]

    def real(self) -> OmpMagics:
        """Give the real magics, put in the place of the stand-ins."""
        if self._real is None:
            from .magics import OmpMagics  # noqa: PLC0415 - what this module is for

            self._real = OmpMagics(self._shell, self._watch)
            tables = self._shell.magics_manager.magics
            for (kind, name), standin in self._standins.items():
                if tables[kind].get(name) is standin:
                    tables[kind][name] = self._real.magics[kind][name]
        return self._real

    def before_cell(self, *_: Any) -> None:
        """Hold the session's limit also on libraries that were loaded since."""
        if self._real is not None:
            self._real.before_cell()

    def after_cell(self, *_: Any) -> None:
        """Say which limits the cell did not hold, `omp_magic.limit`'s too."""
        here = getattr(sys.modules.get("omp_magic.here"), "HERE", None)
        if here is None:
            return
        try:
            for overrun in here.cell_ended():
                line = f"omp_limit: {overrun.sentence}; more: %omp_explain OMP209"
                print(line, file=sys.stderr)
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
            import logging  # noqa: PLC0415 - never needed when all goes well

            log = logging.getLogger("omp_magic")
            log.warning("omp_magic: not looked after the cell (%s)", error)

    def remove(self) -> None:
        """Take the magics out of the shell."""
        tables = self._shell.magics_manager.magics
        for (kind, name), standin in self._standins.items():
            ours = [standin]
            if self._real is not None:
                ours.append(self._real.magics[kind][name])
            # Only our own names are looked up: touching another entry makes IPython 9 import
            # what it stands for.
            if name in tables[kind] and tables[kind][name] in ours:
                del tables[kind][name]
        if self._real is not None:
            configurables = self._shell.configurables
            configurables[:] = [each for each in configurables if id(each) != id(self._real)]

    def end(self) -> None:
        """Take back what they hold."""
        real, self._real = self._real, None
        if real is not None:
            real.end()


class StandIn:  # noqa: D101 - its docstring is the real magic's, below
    def __init__(self, magics: Magics, kind: str, name: str) -> None:
        self._magics = magics
        self._kind = kind
        self.__name__ = name

    def __call__(self, *arguments: str) -> Any:
        """Call the real magic."""
        __tracebackhide__ = True
        return self._real()(*arguments)

    @property
    def __doc__(self) -> str:  # type: ignore[override]  # help is asked of the instance
        return str(self._real().__doc__)

    @property
    def parser(self) -> Any:
        """The real magic's argument parser."""
        return self._real().parser

    def _real(self) -> Any:
        return self._magics.real().magics[self._kind][self.__name__]
