"""`omp_magic.environment`: the variables for a program, in the form of the tool that starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import StartError, nearest
from .facts.mime import bundle
from .facts.settings import OURS
from .facts.sheets import Sheet
from .facts.starts import BY_TASKS, Start
from .here import HERE
from .installed.shipped import shipped
from .knowledge.conda import ONE_OPENMP, conda_name
from .knowledge.manners import manners_of
from .knowledge.rivals import setters_of
from .knowledge.variables import VARIABLES
from .loader.here import this_target
from .probes.cpus.budget import probe_budget
from .probes.importable import probe_importable
from .probes.packages.numbalayer import installed_layers
from .reports import check_place, write_report
from .starts.asking import asked_by, asked_for, codes_in, example_of, sets_in
from .starts.lines import lines_of
from .starts.making import MARK, make_start, users_own
from .starts.readers import MODULES, readers_here
from .starts.tasks import by_tasks
from .views.envfiles.table import FORMATS
from .views.starts import budget_line
from .views.words import counted

_ASKING = "omp_magic.environment({})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Environment:
    """The variables for a program, in the form of one tool.

    Parameters
    ----------
    format
        The tool's word.
    text
        What its file holds.
    beside
        What is said beside a text that has no comments; () where they are in it.
    start
        The variables, and what they rest on.
    """

    format: str
    text: str
    beside: tuple[str, ...]
    start: Start

    @property
    def variables(self) -> dict[str, str]:
        """The variables that are set, by name; a new dict."""
        return {each.name: each.value for each in self.start.variables if each.value is not None}

    @property
    def file_name(self) -> str:
        """What such a file is usually called."""
        return FORMATS[self.format].file_name

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        force: bool = False,
        command: str = "",
    ) -> str:
        """Write the file, whole or not at all, and give its path.

        Parameters
        ----------
        path
            Where; `file_name` in the current folder when None.
        force
            Whether a file that is there may be replaced.
        command
            The command that asks, "" in Python: for the example of an error.

        Raises
        ------
        ReportError
            When there is a file already, or none can be written; nothing was changed.
        """
        row = FORMATS[self.format]
        asked = {"command": command, "asking": "environment.save({})"}
        full = check_place(os.fspath(row.file_name if path is None else path), force=force, **asked)
        text = self.text.replace("\n", row.newline)
        if row.bom and not text.isascii():
            text = "\ufeff" + text
        write_report(full, text, force=force, **asked)
        return full

    def __repr__(self) -> str:
        """Give one line, so that a debugger stays readable; `str` gives the text."""
        return f"<Environment format={self.format} variables={len(self.variables)}>"

    def __str__(self) -> str:
        """Give the text."""
        return self.text

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Give text/plain and text/html."""
        makers: dict[str, Callable[[], Any]] = {
            "text/plain": lambda: self.text.rstrip("\n"),  # a copied kernel.json is JSON
            "text/html": self._html,
        }
        return bundle(makers, include, exclude)

    def _html(self) -> str:
        from .views.html import environment as templates  # noqa: PLC0415 - jinja2, 20 ms

        made: str = templates().get_template("envfile.html").render(
            told=FORMATS[self.format].told, rests=budget_line(self.start),
            file_name=self.file_name, text=self.text, beside=self.beside,
        )  # fmt: skip
        return made


def environment(  # noqa: PLR0913 - each is an option of its own
    format: str | None = None,  # noqa: A002 - the word that all who ask use
    *,
    threads: str | int | Mapping[str, int | str] | None = None,
    workers: int | str | None = None,
    sets: Mapping[str, str | int | None] | Iterable[str] = (),
    fix: str | Iterable[str] = (),
    asking: str = _ASKING,
) -> Environment:
    """Give the variables for what is installed here, in the form of the tool that starts it.

    Nothing is loaded, set or started. What the user has set stays; what a limit of this session
    holds, or an import has set, is nobody's wish and is left out.

    Parameters
    ----------
    format
        ``"bash"``, ``"fish"``, ``"powershell"``, ``"cmd"``, ``"dotenv"``, ``"dockerfile"``,
        ``"compose"``, ``"kubernetes"``, ``"conda"``, ``"systemd"``, ``"pm2"``, ``"kernelspec"``,
        ``"dask"``, ``"github"`` or ``"python"``; the system's shell when None.
    threads
        Threads of each pool, as ``%omp_limit`` takes them: ``4``, ``"auto/2"``,
        ``"blas=1 openmp=2"``, or a mapping; the share of a worker when None.
    workers
        Processes that divide the CPUs; 1 when None. For Dask the tasks that run at once on a host:
        as many as there are CPUs when None, so that each has one thread.
    sets
        Variables to set besides, by name, None for one that is to be taken out; or
        ``NAME=VALUE`` words.
    fix
        Codes of findings that are to be mended.
    asking
        How it is asked for, with ``{}`` for the words: what an error gives as an example.

    Returns
    -------
    Environment
        Frozen: ``text``, ``variables`` as a dict, ``save(path)``; ``str`` gives the text.

    Raises
    ------
    StartError
        When it is asked in other words, or the format cannot hold a value.
    NoFixError
        When no variable mends a finding; it says what does.

    Examples
    --------
    >>> import omp_magic
    >>> "OMP_NUM_THREADS" in omp_magic.environment("dotenv").variables
    True
    """
    system = this_target().system
    word = _format(str(manners_of(system).written_for if format is None else format), asking)
    codes = codes_in(fix)
    asked = asked_for(
        threads=threads,
        workers=workers,
        sets=sets_in(sets),
        codes=codes,
        layers=installed_layers() if any("212" in code for code in codes) else (),
        asking=asking,
    )
    told = workers is not None
    command, budget = asked_by(word, asked, told=told), probe_budget(HERE.observer.machine)
    if FORMATS[word].divided == BY_TASKS:
        asked, own, above = by_tasks(asked, budget.threads, _own(), told=told)
    else:
        own, above = users_own(_own(), asked)
    start = make_start(budget, own, asked, above)
    runtimes = shipped()
    if manners_of(system).own_blas:
        runtimes.setdefault(manners_of(system).own_blas, set()).add("the system")
    readers = readers_here(runtimes, frozenset(probe_importable(MODULES)))
    packages = {conda_name(name.lower()) for names in runtimes.values() for name in names}
    return in_form(
        word,
        start,
        readers,
        command=command,
        packages=tuple(sorted(packages - _NOT_PACKAGES)),
        one_openmp=ONE_OPENMP[system],
        asking=asking,
    )


def in_form(  # noqa: PLR0913 - each is a fact of its own
    word: str,
    start: Start,
    readers: Mapping[str, tuple[str, ...]],
    *,
    command: str,
    python: str = sys.executable,
    packages: tuple[str, ...] = (),
    one_openmp: tuple[tuple[str, str], ...] = (),
    asking: str = _ASKING,
) -> Environment:
    """Give a start in the form of one tool, whatever machine this is.

    Parameters
    ----------
    word
        A key of `FORMATS`.
    start
        The variables, and what they rest on.
    readers
        Who reads each variable, as `readers_here` gives it.
    command
        What writes the same.
    python, packages, one_openmp, asking
        As `Sheet` has them.

    Raises
    ------
    StartError
        When the format cannot hold a value.
    """
    lines, foot = lines_of(start, readers)
    sheet = Sheet(
        head=(budget_line(start), f"omp_magic {_version()}: {command}", *start.notes),
        lines=lines,
        foot=foot,
        left=start.left,
        workers=start.workers,
        python=python,
        label=f"Python {sys.version_info[0]} ({counted(start.threads, 'thread')})",
        packages=packages,
        one_openmp=one_openmp,
        asking=asking,
    )
    row = FORMATS[word]
    return Environment(format=word, text=row.write(sheet), beside=row.beside(sheet), start=start)


_NOT_PACKAGES = {"the system", "intel-openmp", "llvm-openmp", "libgomp", "libopenblas", "openblas"}
"""What comes with the packages that need it, or is no package."""


def _version() -> str:
    return str(sys.modules[__name__.partition(".")[0]].__version__)


def _format(word: str, asking: str) -> str:
    if word not in FORMATS:
        accepted = f"a format: {', '.join(FORMATS)}"
        example = example_of(asking, "format", "bash")
        raise StartError(word, accepted, example, nearest(word, FORMATS))
    return word


def _own() -> dict[str, str]:
    """Give the variables of the tables as the user has set them.

    A limit of this session holds some, and imports have set others: paddle OMP_NUM_THREADS=1.
    """
    found = {name: os.environ[name] for name in (*VARIABLES, MARK) if name in os.environ}
    snapshot = HERE.observer.take(limits=HERE.limits, altered=HERE.altered)
    for setting in snapshot.environment:
        if setting.set_by:
            name, own = setting.name, setting.at_exec
            if setting.set_by == OURS:
                own = HERE.own_variable(name)
                own = None if setters_of(name, own, own, setting.at_exec, sys.modules) else own
            found.pop(name, None)
            found |= {} if own is None else {name: own}
    return found
