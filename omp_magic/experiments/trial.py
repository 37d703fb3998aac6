"""One trial: modules imported in a fresh interpreter, watched from here until it is gone.

Two runtimes that do not go together end their process, or hang it, and no `try` catches that: so
it happens in a child process. What the child reports comes by a pipe of its own, since modules
print; what it starts is found by a variable that everything started there inherits, and ended.
"""

from __future__ import annotations

import json
import keyword
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ..errors import TrialError
from ..facts.libraries import Library
from ..facts.trials import Trial, Withheld
from ..knowledge.variables import VARIABLES
from ..machine import Machine
from ..machine.here import native_here
from ..machine.python.trials import why_no_trials
from ..probes.environment import probe_at_exec, probe_environment
from ..probes.runtimes.owners import Owners
from .log import Log
from .watched import Watched

# The empty entry of sys.path, which -c puts first, would let a file json.py of the user's folder
# take the place of the standard library's while the child starts.
_BOOT = """\
import sys, __future__
config, root = sys.argv.pop(), sys.argv.pop()
own = [entry for entry in sys.path if entry]
sys.path[:] = [root]
import omp_magic
sys.path[:] = own
from omp_magic.experiments.child import main
main(config)
"""


def run_trial(
    modules: Iterable[str],
    *,
    timeout_s: float = 120.0,
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
) -> Trial:
    """Import modules in a fresh interpreter, one by one, then call into each runtime they mapped.

    The interpreter has this process's ``sys.path`` and working folder, and nothing imported.
    Nothing is changed here, and nothing is left behind: no process, no file, no descriptor.

    Parameters
    ----------
    modules
        Names as ``import`` takes them, in the order to try.
    timeout_s
        Seconds that each step may take; it is ended then and has hung.
    env
        The whole environment of the child; None for `fresh_environment`.
    python
        The interpreter. Another one than ours keeps its own ``sys.path``, and the owners of
        its libraries stay unknown.

    Returns
    -------
    Trial
        It ends with the first step that fails.

    Raises
    ------
    TrialError
        When the names are no module names, or no child can be watched here (Windows).
    OSError
        When the interpreter cannot be started.

    Examples
    --------
    >>> run_trial(["json"]).works
    True
    """
    names = checked_modules(modules)
    if not 0 < timeout_s < math.inf:
        raise TrialError(str(timeout_s), "seconds above 0", "run_trial(['numpy'], timeout_s=60)")
    where = why_no_trials() if python else "no sys.executable"
    if where:
        accepted = "trials on Linux and macOS, in a Python that knows its file; else files tell it"
        raise TrialError(where, accepted, "%omp_check torch faiss")
    withheld: tuple[Withheld, ...] = ()
    if env is None:
        env, withheld = fresh_environment()
    started = time.monotonic()
    log = Log(python, timeout_s)
    child = Watched(log.note, lambda: log.deadline)
    try:
        child.watch(lambda ends: _command(names, python, ends), env)
    finally:
        child.end()
    log.close(child)
    owner_of = _owners(log, python)
    return Trial(
        modules=names,
        python=python,
        steps=tuple(
            replace(step, libraries=tuple(map(owner_of, step.libraries))) for step in log.steps
        ),
        libraries=tuple(map(owner_of, log.libraries)),
        environment=tuple((name, env[name]) for name in VARIABLES if name in env),
        withheld=withheld,
        wall_s=time.monotonic() - started,
        stdout=child.text("stdout"),
        stderr=child.text("stderr"),
        gaps=log.gaps,
    )


def _modules_of(name: str) -> str:
    """Give the modules of an installed package by the name that pip knows it by, or ""."""
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - for a wrong name

    try:
        files = distribution(name).files or ()
    except (PackageNotFoundError, ValueError):
        return ""
    # Not packages_distributions(): before 3.11 it knows only packages with a top_level.txt.
    tops = {each.parts[0] for each in files if each.parts[1:] == ("__init__.py",)}
    return " ".join(sorted(top for top in tops if top.isidentifier() and not top.startswith("_")))


def checked_modules(modules: Iterable[str]) -> tuple[str, ...]:
    """Give the names as a tuple.

    Raises
    ------
    TrialError
        When there are none, or one is no module name or there twice.
    """
    accepted = "names of modules as import takes them, each once"
    example = "torch faiss"
    if isinstance(modules, str):
        raise TrialError(modules, "a list of names", "['torch', 'faiss']")
    names = tuple(modules)
    for number, name in enumerate(names):
        if not all(
            part.isidentifier() and not keyword.iskeyword(part) for part in str(name).split(".")
        ):
            raise TrialError(str(name), accepted, _modules_of(str(name)) or example)
        if name in names[:number]:
            raise TrialError(f"{name} twice", accepted, example)
    if not names:
        raise TrialError("no module", accepted, example)
    return names


def fresh_environment() -> tuple[dict[str, str], tuple[Withheld, ...]]:
    """Give the environment that this kernel would have if it started now.

    That is ``os.environ`` with what the user changed in it, but without what imports set: a
    variable that a module loaded here is known to set to just this value, and that was not set
    when the process started, stays out (`rivals.SETTERS`; KMP_DUPLICATE_LIB_OK, set by
    scikit-learn, would hide the very conflict that is looked for). What was set in C alone stays
    out too (MKL_THREADING_LAYER by mkl-service). Where the environment at the start cannot be
    read, nothing is taken to have been set then.

    Returns
    -------
    (dict, tuple of Withheld)
        The variables, and what was left out.
    """
    machine = Machine.here()
    try:
        at_exec = probe_at_exec(machine)
    except OSError:
        at_exec = {}
    variables = dict(os.environ)
    withheld = []
    for setting in probe_environment(machine, native_here(), at_exec):
        now = setting.native if setting.python is None else setting.python
        if now is None or not (setting.set_by or setting.python is None):
            continue
        variables.pop(setting.name, None)
        withheld.append(Withheld(name=setting.name, value=now, set_by=setting.set_by))
    return variables, tuple(withheld)


def _command(names: tuple[str, ...], python: str, ends: Mapping[str, int]) -> list[str]:
    path = [each for each in sys.path if isinstance(each, str)]  # type: ignore[redundant-expr]  # it may hold anything
    config = {
        "modules": names,
        "path": path if python == sys.executable else None,
        "report": ends["report"],
        "faults": ends["faults"],
        "parent": os.getpid(),
    }
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    flags = ["-B"] if sys.dont_write_bytecode else []
    return [python, *flags, "-c", _BOOT, root, json.dumps(config)]


def _owners(log: Log, python: str) -> Callable[[Library], Library]:
    """Give what fills in the owner of a library; the child does not look for them."""
    seen = {
        each.path: each for each in (*log.libraries, *(i for s in log.steps for i in s.libraries))
    }
    if python != sys.executable or not seen:
        return lambda library: library
    owners = Owners(Machine.here()).of(seen)
    return lambda library: replace(
        library, owner=owners[library.path].name, owner_version=owners[library.path].version
    )
