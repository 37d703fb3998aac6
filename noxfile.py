"""The kernel tests on the versions that users have: `make test-matrix`, `make test-matrix-all`.

A row whose Python is not installed is skipped. ipython==7.34.0 is what Colab has.
"""

from __future__ import annotations

import os

import nox

nox.options.default_venv_backend = "uv|venv"

# The oldest is what Colab pins; ipykernel 7.0 to 7.4 run messages differently.
MATRIX = (
    ("3.10", "ipython==7.34.0", "ipykernel==6.17.1"),
    ("3.10", "ipython==8.*", "ipykernel==6.29.5"),
    ("3.11", "ipython==8.*", "ipykernel==7.0.1"),
    ("3.12", "ipython==9.*", "ipykernel==7.1.0"),
    ("3.13", "ipython==9.*", "ipykernel==7.*"),
)
ROWS = [
    nox.param(*row, id="-".join((row[0], *(word.replace("==", "") for word in row[1:]))))
    for row in MATRIX
]
CHOSEN = [ROWS[0], ROWS[2], ROWS[-1]]
"""The rows of each change: both ends, and the ipykernel that brought subshells.

All kernel tests run on the oldest alone: ``make test`` has run the same files with the newest
IPython and ipykernel, so what another Python may change there is how cells and messages run.
"""

KERNEL = tuple(
    f"tests/kernel/test_{name}.py"
    for name in ("limit", "cellbody", "extension", "dashboard", "reload")
)
"""What depends on how IPython runs cells, and on how ipykernel passes messages."""
REST = (
    *(
        f"tests/kernel/test_{name}.py"
        for name in ("status", "guard", "explain", "check", "postmortem")
    ),
    *(
        f"tests/process/test_{name}.py"
        for name in (
            "limiting",
            "check",
            "limits",
            "process",
            "loader",
            "children",
            "variables",
            "guard_cpython",
        )
    ),
    "tests/pure",
)
"""What depends on Python more than on IPython."""


@nox.session
@nox.parametrize(("python", "ipython", "ipykernel"), CHOSEN)
def matrix(session: nox.Session, ipython: str, ipykernel: str) -> None:
    """All kernel tests on the oldest row, those of cells and messages on the others."""
    session.install(".[test]", ipython, ipykernel)
    row = (str(session.python), ipython, ipykernel)
    run(session, KERNEL, *(() if row == MATRIX[0] else ("-m", "messages")))


@nox.session
@nox.parametrize(("python", "ipython", "ipykernel"), ROWS)
def everything(session: nox.Session, ipython: str, ipykernel: str) -> None:
    """All tests that depend on Python, IPython or ipykernel, on every row."""
    session.install(".[test]", ipython, ipykernel)
    run(session, KERNEL + REST)


def run(session: nox.Session, files: tuple[str, ...], *arguments: str) -> None:
    """Run these tests in the row's environment, which has none of the wheels' environments."""
    workers = os.environ.get("WORKERS", "2")
    words = ("pytest", "-q", "-n", workers, "--dist", "worksteal", *arguments, *files)
    session.run(*words, *session.posargs, env={"WITHOUT_ENVIRONMENTS": "1"})
