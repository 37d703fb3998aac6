"""How this process becomes another program, as far as the system can do that."""

from __future__ import annotations

from .python.names import system_name

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import, and a server waits for its start
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def become(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Become a program: its pid, signals, terminal and exit code are this process's.

    Windows has no such call (its exec starts a process and ends this one, at whose end a shell
    goes on): there it is a child, which gets what the console sends, and ends with this process.

    Parameters
    ----------
    command
        The program, looked for on the environment's PATH, and its arguments.
    environ
        Its environment.

    Returns
    -------
    int
        The exit code, where it is a child.

    Raises
    ------
    OSError
        When it cannot be started; FileNotFoundError and PermissionError tell why.
    """
    if system_name() == "windows":
        from .windows.becoming import run  # noqa: PLC0415 - one system is loaded, not three

        return run(command, environ)
    from .posix.becoming import run_in_place  # noqa: PLC0415 - as above

    return run_in_place(command, environ)


def environ_given(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment as it was before Python began, which a program is to inherit.

    In the C locale, as in cron's, CPython sets LC_CTYPE for itself and what it starts (PEP 538).
    An entry without a name is left out, which CPython refuses to hand on (Modules/posixmodule.c,
    parse_envlist).
    """
    found = {name: value for name, value in environ.items() if name}
    if found.get("LC_CTYPE") in _COERCED and not _was_given("LC_CTYPE"):
        del found["LC_CTYPE"]
    return found


_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""CPython's Python/pylifecycle.c, _TARGET_LOCALES."""


def _was_given(name: str) -> bool:
    """Tell whether a variable was there at the start; true where that is not told."""
    from .machine import Machine  # noqa: PLC0415 - nearly always there already

    here = Machine.here()
    try:
        if system_name() == "linux":  # its other answers take 7 ms to load
            return f"\0{name}=" in "\0" + here.read("/proc/self/environ")
        return name in here.system.variables_at_start()
    except OSError:
        return True
