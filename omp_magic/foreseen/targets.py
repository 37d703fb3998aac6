"""What somebody says of a system -> a target."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ..errors import RequestError, nearest
from ..facts.targets import Target, parse_python, parse_target
from ..knowledge.elsewhere import KEYS
from ..loader.here import this_target


def target_of(
    name: str | None = None,
    *,
    python: str | None = None,
    environ: Mapping[str, str] | None = None,
    has: Collection[str] = (),
    lacks: Collection[str] = (),
) -> Target:
    """Give a target by its name and by what is known of it.

    Parameters
    ----------
    name
        ``"macos-arm64"`` …, see `omp_magic.facts.targets.parse_target`; when None this system, or
        the one that the files of an environment are for.
    python
        Version of its Python, ``"3.12"``; that of the environment, or the running one, when None.
    environ
        Its variables.
    has, lacks
        Keys of what it has or has not: ``"homebrew-libomp"`` …

    Raises
    ------
    RequestError
        When one of them is not understood.
    """
    here = this_target()
    version = here.python if python is None else parse_python(python)
    if name is None:
        found = Target(system=here.system, cpu=here.cpu, python=version, named=False)
    else:
        found = parse_target(name, python=version)
    for key in (*has, *lacks):
        if key not in KEYS:
            near = nearest(key, KEYS)
            raise RequestError(key, ", ".join(KEYS), "--lacks homebrew-libomp", near)
        if key in has and key in lacks:
            told = f"--has {key} --lacks {key}"
            raise RequestError(told, "one of the two", f"--lacks {key}")
    return replace(
        found,
        environ=dict(environ or {}),
        has=frozenset(has),
        lacks=frozenset(lacks),
        local=(found.system, found.cpu) == (here.system, here.cpu) and not has and not lacks,
        python_known=python is not None,
    )


def see_nothing_runs(*, run: bool) -> None:
    """Refuse to run what may be for another system.

    Raises
    ------
    RequestError
        When something is to be run.
    """
    if run:
        accepted = "--run for this process alone: nothing of another system can be run here"
        raise RequestError("--run", accepted, "omp-magic check torch faiss --run")
