"""The facts about the kernels of a machine, and other processes with a runtime, at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from .libraries import Gap

SCHEMA = 1
"""Version of the JSON of `omp-magic top`; raised when a key changes meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a Jupyter server tells of one of its kernels.

    Parameters
    ----------
    kernel_id
        The kernel.
    path
        The notebook, from the server's root folder on; or what else has the kernel.
    kind
        ``"notebook"``, ``"console"`` …
    state
        ``"idle"``, ``"busy"`` …; "" when it does not tell.
    """

    kernel_id: str
    path: str
    kind: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel, or with ``--all`` another process that has an OpenMP or BLAS runtime mapped.

    Parameters
    ----------
    pid
        The process.
    name
        The notebook that a server names; else the kernel's id and its folder, or the program.
    kernel_id
        From its connection file; "" where it is no kernel.
    kind, state
        As in `Session`; "" where no server tells.
    program
        Its program and script, without arguments.
    folder
        Where it works; "" when not known.
    cpus
        CPUs that it used between two looks; None at the first, and when not known.
    num_threads, rss_bytes
        Its OS threads and its resident memory; None when not known.
    allowed_cpus
        CPUs that it may use; None when not known.
    runtimes
        The OpenMP and BLAS runtimes that it has mapped, for people.
    findings
        Codes of what is found, the worst first.
    severity
        The worst one's severity; "" where nothing is found.
    """

    pid: int
    name: str
    kernel_id: str = ""
    kind: str = ""
    state: str = ""
    program: str = ""
    folder: str = ""
    cpus: float | None = None
    num_threads: int | None = None
    rss_bytes: int | None = None
    allowed_cpus: float | None = None
    runtimes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    severity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """All of them at one moment.

    Parameters
    ----------
    kernels
        The processes.
    interval_s
        Time between the two looks that `Kernel.cpus` are told of; None at the first.
    every
        Whether processes are among them that are no kernels.
    gaps
        What could not be read: a server that does not answer, a process that may not be looked at.
    """

    kernels: tuple[Kernel, ...] = ()
    interval_s: float | None = None
    every: bool = False
    gaps: tuple[Gap, ...] = ()
