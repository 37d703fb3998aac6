"""The facts about a kernel: what is noted while it lives, and what is left of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from .libraries import Finding, Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class LastCell:
    """The last cell of a kernel.

    Parameters
    ----------
    number
        Its number; 0 when not known.
    began_s, ended_s
        Seconds since 1970; None: it ran when the kernel ended.
    text
        What was in it; "" unless that was asked for (``c.OmpMagics.record_text``).
    """

    number: int
    began_s: float
    ended_s: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A line of a stack; `line` is 0 where it is not known."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFigures:
    """What a kernel used when it was last looked at, while a cell ran.

    Parameters
    ----------
    at_s
        When, in seconds since 1970.
    rss_bytes, threads
        Resident memory and threads; None when not known.
    cpus
        CPUs that it used since the look before; None where there was none.
    """

    at_s: float
    rss_bytes: int | None = None
    threads: int | None = None
    cpus: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kills:
    """What the memory killer counted, when the kernel lived and now.

    Parameters
    ----------
    where
        The cgroup's path; "" for the whole machine.
    before, after
        Processes killed; `after` is None when that is not known any more.
    limit_bytes
        The group's limit; None without one, or when not known.
    """

    where: str
    before: int
    after: int | None
    limit_bytes: int | None = None

    @property
    def more(self) -> int:
        """Processes that it killed since; 0 when not known."""
        return 0 if self.after is None else max(0, self.after - self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A runtime that the kernel had mapped, or was about to map.

    Parameters
    ----------
    file, path
        The file's name, and where it lay.
    family
        Key of `catalog.FAMILIES`.
    whose
        Who stands behind it: ``"numpy"``.
    started
        Whether it had started; None when not known.
    coming
        Whether it was about to be loaded.
    """

    file: str
    path: str = ""
    family: str = ""
    whose: str = ""
    started: bool | None = None
    coming: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What is left of a kernel that has ended; times are seconds since 1970.

    Parameters
    ----------
    kernel, notebook, folder
        The kernel's id at its server, its notebook and the folder it began in; "" when not known.
    pid, python, began_s
        The process, its Python, and when the extension was loaded.
    last_s
        Its last sign of life.
    cell
        Its last cell; None when it ran none.
    error
        What faulthandler called it: ``"Segmentation fault"``; "" when it wrote nothing.
    stack, c_stack
        The stack of the thread that died, the innermost first; C's from Python 3.14 on.
    signals_kept
        Whether a signal would have left `error`: not where the session has its own faulthandler.
    exited
        Whether a library called exit in C: (True, its code), code None when not known; None
        when that is not known at all.
    lines
        The end of what was written to C's stderr since its last cell began.
    shutdown_s, restarting
        When it was asked to end, None for never, and whether to start again.
    figures
        What it used when it was last looked at, or None.
    kills
        What the memory killer counted.
    doing
        What was loaded at last: ``"import faiss"``; "" when nothing was.
    loaded, findings, limits, variables
        What was known at that time.
    same_boot
        Whether this machine has run on since; None when not known.
    same_host
        Whether it ran on this machine; else it may live on, unseen from here.
    told, asked
        Whether the next kernel has told of it, and whether somebody has asked.
    record
        The file.
    gaps
        What is not known.
    """

    kernel: str = ""
    notebook: str = ""
    folder: str = ""
    pid: int = 0
    python: str = ""
    began_s: float = 0.0
    last_s: float = 0.0
    cell: LastCell | None = None
    error: str = ""
    stack: tuple[Frame, ...] = ()
    c_stack: tuple[tuple[str, str], ...] = ()
    signals_kept: bool = True
    exited: tuple[bool, int | None] | None = None
    lines: tuple[str, ...] = ()
    shutdown_s: float | None = None
    restarting: bool = False
    figures: LastFigures | None = None
    kills: tuple[Kills, ...] = ()
    doing: str = ""
    loaded: tuple[Loaded, ...] = ()
    findings: tuple[Finding, ...] = ()
    limits: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    same_boot: bool | None = None
    same_host: bool = True
    told: bool = False
    asked: bool = False
    record: str = ""
    gaps: tuple[Gap, ...] = ()

    @property
    def busy(self) -> bool:
        """Whether a cell ran at the end."""
        return self.cell is not None and self.cell.ended_s is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is noted of a living kernel, when it was looked at anyway: `Remains` has it later.

    Parameters
    ----------
    doing
        What is being loaded, or "".
    loaded, findings, limits, variables
        As in `Remains`.
    """

    doing: str = ""
    loaded: tuple[Loaded, ...] = ()
    findings: tuple[Finding, ...] = ()
    limits: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
