"""What ``%config OmpMagics.guard`` and ``c.OmpMagics.guard`` in a profile set, and ``record``.

``%config`` asks the shell's configurables for their traits. Making a class with traits costs a
fifth of what loading may cost, so a stand-in answers, and makes it when it is first asked.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from .recording import Recorder
    from .watch import Watch

MODES = ("warn", "raise", "off")
"""How loads are watched: `guard.Guard`."""


def mode_of(shell: InteractiveShell) -> str:
    """Give the mode that the profile asks for; a wrong value is one logged line and "warn"."""
    wanted = shell.config.get("OmpMagics", {}).get("guard", "warn")
    if wanted in MODES:
        return str(wanted)
    import logging  # noqa: PLC0415 - never needed when all goes well

    log = logging.getLogger("omp_magic")
    log.warning("omp_magic: OmpMagics.guard: found %r; accepted: %s", wanted, ", ".join(MODES))
    return "warn"


def recording_of(shell: InteractiveShell, recorder: Recorder) -> bool:
    """Tell whether the profile wants a record, and let the recorder know of what.

    ``c.OmpMagics.record = False`` turns it off; with ``c.OmpMagics.record_text = True`` it has the
    text of the last cell too.
    """
    section = shell.config.get("OmpMagics", {})
    recorder.text = section.get("record_text", False) is True
    wanted = section.get("record", True)
    if isinstance(wanted, bool):
        return wanted
    import logging  # noqa: PLC0415 - never needed when all goes well

    log = logging.getLogger("omp_magic")
    log.warning("omp_magic: OmpMagics.record: found %r; accepted: True, False", wanted)
    return True


def offer(shell: InteractiveShell, watch: Watch) -> Callable[[], None]:
    """Let ``%config`` see and set the mode, and give the way to take that back."""
    settings = _standin(watch)
    shell.configurables.append(settings)

    def take_back() -> None:
        configurables = shell.configurables
        configurables[:] = [each for each in configurables if each is not settings]

    return take_back


def _standin(watch: Watch) -> Any:
    made: list[Any] = []

    def real() -> Any:
        """Give the configurable, in step with the guard."""
        if not made:
            made.append(_configurable(watch))
        made[0].set_trait("guard", watch.mode)
        made[0].set_trait("record", watch.recorder.wanted)
        made[0].set_trait("record_text", watch.recorder.text)
        return made[0]

    class OmpMagics:  # the name that %config knows it by
        def __getattr__(self, name: str) -> Any:
            return getattr(real(), name)

        class_traits = staticmethod(lambda **wanted: type(real()).class_traits(**wanted))
        class_get_help = staticmethod(lambda *_: type(real()).class_get_help(real()))

    return OmpMagics()


def _configurable(watch: Watch) -> Any:
    from traitlets import Bool, Enum  # noqa: PLC0415 - see the top of the file
    from traitlets.config import Configurable  # noqa: PLC0415 - as above

    class OmpMagics(Configurable):
        guard = Enum(MODES, "warn", help="what to do before a load that would end the kernel")
        guard.tag(config=True)
        record = Bool(True, help="whether a small file tells the next kernel why this one died")
        record.tag(config=True)
        record_text = Bool(False, help="whether that file has the last cell's text")
        record_text.tag(config=True)

    def turn(change: Any) -> None:
        if change["new"] != recorder.wanted:
            recorder.begin() if change["new"] else recorder.end()

    recorder = watch.recorder
    settings = OmpMagics()
    settings.observe(lambda change: watch.set_mode(change["new"]), "guard")
    settings.observe(turn, "record")
    settings.observe(lambda change: setattr(recorder, "text", change["new"]), "record_text")
    return settings
