"""What a profile really loads, asked of IPython's and ipykernel's own applications.

A later line, another file, or the system's may set the list anew, and a configuration is a program.
So it is run as at each start of IPython, in a child process, without a shell or a kernel:
``python -m omp_magic.profiles.look NAME``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from traceback import extract_tb
from typing import Any

_SECONDS = 60
_ANSWER = "omp-magic profile: "
_NAME = __name__ if __name__ != "__main__" else "omp_magic.profiles.look"
_PACKAGE = _NAME.partition(".")[0]


@dataclass
class Loading:
    """What IPython's applications make of a profile.

    Parameters
    ----------
    loaded
        Whether the extension is loaded, by application; one that is not installed is not there.
    overriding
        Sections that set the list for one application, so that the common one does not count.
    error
        Why the configuration cannot be run to its end, or "".
    """

    loaded: dict[str, bool] = field(default_factory=dict)
    overriding: dict[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The applications that do not load it."""
        return tuple(app for app, does in self.loaded.items() if not does)


def look(profile: str) -> Loading:
    """Run a profile's configuration in a child, and tell what it loads."""
    command = [sys.executable, "-m", _NAME, profile]
    # IPython otherwise logs an error in a configuration, and goes on without that file.
    env = {**os.environ, "IPYTHON_SUPPRESS_CONFIG_ERRORS": "0"}
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            env=env,
        )
    except subprocess.TimeoutExpired:
        return Loading(error=f"its configuration has run for {_SECONDS} s without an end")
    for line in ended.stdout.splitlines():
        if line.startswith(_ANSWER):
            return Loading(**json.loads(line[len(_ANSWER) :]))
    last = [line for line in ended.stderr.splitlines() if line.strip()][-1:]
    said = last[0].strip() if last else f"code {ended.returncode}"
    return Loading(error=f"its configuration does not run: {said}")


def _answer(profile: str) -> Loading:
    """Run the configuration here, for each application."""
    from IPython.core.application import BaseIPythonApplication  # noqa: PLC0415 - the child pays
    from IPython.terminal.ipapp import TerminalIPythonApp  # noqa: PLC0415 - as above

    apps: dict[str, Any] = {"IPython": TerminalIPythonApp}
    with suppress(ImportError):
        from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415 - as above

        apps["ipykernel"] = IPKernelApp
    told = Loading()
    for name, kind in apps.items():
        app = kind()
        try:
            # The base class's alone: it reads the configuration and makes no shell.
            BaseIPythonApplication.initialize(app, [f"--profile={profile}"])  # type: ignore[no-untyped-call]  # IPython has no types here
        except SystemExit:
            raise  # traitlets has logged which value it refuses; what is last on stderr is told
        except BaseException as error:  # noqa: BLE001 - a configuration may raise anything
            text = " ".join(f"{type(error).__name__}: {error}".split())
            if not isinstance(error, SyntaxError):  # which has its own place in its text
                place = extract_tb(error.__traceback__)[-1]
                text += f" ({place.filename} line {place.lineno})"
            return Loading(error=f"its configuration does not run: {text}")
        lists = (*app.extensions, *getattr(app, "extra_extensions", ()))
        lines = (line.split() for line in app.exec_lines)
        told.loaded[name] = _PACKAGE in lists or ["%load_ext", _PACKAGE] in lines
        if "extensions" in app.config.get(kind.__name__, {}):
            told.overriding[name] = f"c.{kind.__name__}.extensions"
    return told


if __name__ == "__main__":
    print(_ANSWER + json.dumps(asdict(_answer(sys.argv[1]))))
