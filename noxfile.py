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

KERNEL = (
    "status_kernel",
    "limit_kernel",
    "limiting",
    "cellbody",
    "extension_kernel",
    "guard_kernel",
    "dashboard_kernel",
)
PYTHON = (
    "explain",
    "check",
    "limits",
    "process",
    "loader",
    "children",
    "settings",
    "guard_cpython",
)


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
    # What depends on Python alone: once on the oldest and the newest; make test has this one's.
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    row = (session.python, ipython, ipykernel)
    if row in (MATRIX[0], MATRIX[-1]) and session.python != here:
        tests += PYTHON
    files = (f"tests/test_{name}.py" for name in tests)
    session.run("pytest", "-q", *files, *session.posargs, env={"WITHOUT_ENVIRONMENTS": "1"})
