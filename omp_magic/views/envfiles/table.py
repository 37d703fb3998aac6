"""The formats, as a table. A new one is a function and a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...facts.sheets import Sheet
from ...facts.starts import BY_TASKS, BY_WORKERS
from . import containers, pythons, services, shells, workers


def _nothing(_sheet: Sheet) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Parameters
    ----------
    write
        Gives its text.
    file_name
        What such a file is usually called.
    told
        What it is, for people.
    beside
        What is said beside a text that has no comments.
    newline
        How its lines end in a file.
    bom
        Whether a file that is not ASCII alone begins with a byte order mark.
    divided
        What divides the CPUs, as `Start` has it: an engine runs a task on each CPU by itself.
    """

    write: Callable[[Sheet], str]
    file_name: str
    told: str
    beside: Callable[[Sheet], tuple[str, ...]] = _nothing
    newline: str = "\n"
    bom: bool = False
    divided: str = BY_WORKERS


FORMATS: dict[str, Format] = {
    "bash": Format(shells.bash, "omp-env.sh", "lines for bash, dash and zsh"),
    "fish": Format(shells.fish, "omp-env.fish", "lines for fish"),
    # Windows PowerShell 5.1 reads a file without a mark in the system's code page
    # (about_Character_Encoding).
    "powershell": Format(shells.powershell, "omp-env.ps1", "lines for PowerShell", bom=True),
    "cmd": Format(shells.cmd, "omp-env.cmd", "a batch file, to be called", newline="\r\n"),
    "dotenv": Format(services.dotenv, ".env", "a file of variables"),
    "dockerfile": Format(containers.dockerfile, "Dockerfile", "ENV lines of a Dockerfile"),
    "compose": Format(containers.compose, "compose.override.yaml", "a part of a compose file"),
    "kubernetes": Format(containers.kubernetes, "omp-magic.yaml", "a ConfigMap of Kubernetes"),
    "conda": Format(pythons.conda, "omp-conda.sh", "commands for conda's environment"),
    "systemd": Format(services.systemd, "omp-magic.conf", "a drop-in of a systemd service"),
    "pm2": Format(services.pm2, "ecosystem.config.js", "pm2's ecosystem file"),
    "kernelspec": Format(
        pythons.kernelspec, "kernel.json", "a kernel's spec", pythons.beside_kernelspec
    ),
    "dask": Format(
        workers.dask, "omp-magic-dask.yaml", "a file of Dask's configuration", divided=BY_TASKS
    ),
    "github": Format(containers.github, "env.yml", "env of a GitHub workflow"),
    "python": Format(pythons.python, "omp_env.py", "Python's first lines"),
}
"""Each by the word that asks for it."""
