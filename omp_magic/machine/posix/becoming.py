"""exec(2), with what Python has changed in this process put back."""

from __future__ import annotations

import errno
import os
import signal

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import, and a server waits for its start
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

_SHELL = "/bin/sh"


def run_in_place(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Become a program; see `machine.becoming.become`.

    Python ignores SIGPIPE and SIGXFSZ from its start on (Python/pylifecycle.c,
    install_signal_handlers), and what is ignored stays so in a program that is executed. All else
    is as it was given: handlers go at exec(2), and Python opens files with O_CLOEXEC (PEP 446). How
    SIGPIPE was before Python began is not told; a service of systemd's is started with it ignored
    (systemd.exec(5), IgnoreSIGPIPE= and SYSTEMD_EXEC_PID).

    Raises
    ------
    OSError
        When it cannot be started.
    """
    if not command[0]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "")
    if environ.get("SYSTEMD_EXEC_PID") != str(os.getpid()):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), environ)  # noqa: S606 - what was asked for
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script whose first line names no interpreter: execvp(3) gives it to the shell.
        found = _on_path(command[0], environ)
        os.execve(_SHELL, [_SHELL, found, *command[1:]], environ)  # noqa: S606 - as above


def _on_path(name: str, environ: Mapping[str, str]) -> str:
    if os.sep in name:
        return name
    folders = os.get_exec_path(dict(environ))
    paths = (os.path.join(folder, name) for folder in folders)
    return next((each for each in paths if os.access(each, os.X_OK)), name)
