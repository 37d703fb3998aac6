"""The kernel tests on other versions of Python, IPython and ipykernel.

``make test-matrix`` runs those whose Python is installed and names the ones that are not.
"""

from __future__ import annotations

import sys

import nox

nox.options.default_venv_backend = "venv"

# The oldest is what Colab pins; ipykernel 7.0 to 7.4 run messages differently.
MATRIX = (
    ("3.10", "ipython==7.34.0", "ipykernel==6.17.1"),
    ("3.10", "ipython==8.*", "ipykernel==6.29.5"),
    ("3.11", "ipython==8.*", "ipykernel==7.0.1"),
    ("3.12", "ipython==9.*", "ipykernel==7.1.0"),
    ("3.13", "ipython==9.*", "ipykernel==7.*"),
)

KERNEL = ("limit_kernel", "cellbody", "extension_kernel", "dashboard_kernel")
"""What depends on how IPython runs cells, and on how ipykernel passes messages."""
REST = (
    "status_kernel",
    "limiting",
    "guard_kernel",
    "explain",
    "check",
    "limits",
    "process",
    "loader",
    "children",
    "settings",
    "guard_cpython",
)
"""What depends on Python more than on IPython: with the oldest and the newest of all."""


@nox.session(venv_backend="venv")
@nox.parametrize(
    ("python", "ipython", "ipykernel"),
    [
        nox.param(*row, id="-".join((row[0], *(word.replace("==", "") for word in row[1:]))))
        for row in MATRIX
    ],
)
def matrix(session: nox.Session, ipython: str, ipykernel: str) -> None:
    session.install(".[test]", ipython, ipykernel)
    tests: tuple[str, ...] = KERNEL
    # make test has this Python's.
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    row = (session.python, ipython, ipykernel)
    if row in (MATRIX[0], MATRIX[-1]) and session.python != here:
        tests += REST
    files = (f"tests/test_{name}.py" for name in tests)
    session.run("pytest", "-q", *files, *session.posargs, env={"WITHOUT_ENVIRONMENTS": "1"})
