"""Who starts the workers of a cluster: Dask's nanny, by a file of its configuration."""

from __future__ import annotations

import json

from ...facts.sheets import Sheet
from .refusing import comments, values_of

OWN = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Counts that Dask itself sets to 1 for its workers (its distributed.yaml, pre-spawn-environ)."""


def dask(sheet: Sheet) -> str:
    r"""Write a file of Dask's configuration: a nanny sets the variables before it starts a worker.

    ``distributed.nanny.pre-spawn-environ`` is set before the process is started, ``environ`` in it,
    when a runtime may have read its variable. What is in the nanny's own environment wins over
    both, and null takes out what Dask has itself: counts of 1 for OpenMP, MKL and OpenBLAS, none
    for others (distributed's nanny.py, ``instantiate``, ``_run``, ``_get_env_variables``; its
    distributed.yaml). Files of a folder are read in the order of their names, each over those
    before; a file is read in the encoding of the locale, so that all is written in ASCII, by
    YAML's escapes (dask/config.py, ``collect_yaml``, ``_load_config_file``; YAML 1.2, 5.7).
    Dask expands no ``$NAME`` there (``expand_environment_variables`` is for whoever calls it).
    """
    given = values_of(sheet)
    told = (
        *sheet.head,
        "~/.config/dask on each host, or the folder that DASK_CONFIG names, before workers start",
        "--workers is for all tasks at once on a host, workers times their threads: 2 workers with",
        "--nthreads 4 are 8; without it as many as there are CPUs, as Dask itself starts them",
        "pre-spawn-environ: environ would be set in the worker's process, which may be too late",
        "a variable that is set where a nanny starts wins over this file",
        "a worker without a nanny (--no-nanny, processes=False) has none of them",
    )
    lines = [*_comments(told), "distributed:", "  nanny:", "    pre-spawn-environ:"]
    for each in given:
        why: tuple[str, ...] = (each.comment,)
        if each.value is None:
            why = (*why, f"{each.name} must not be set: null takes out Dask's alone")
        lines += [f"      {line}" for line in _comments(why)]
        lines.append(f"      {each.name}: {_quoted(each.value)}")
    # Left out is not enough here: Dask has a value of its own, which would overrule the other.
    for name in (name for name in OWN if name in sheet.left):
        lines += ["      # Dask's own 1 is taken out", f"      {name}: null"]
    return "\n".join([*lines, *_comments(sheet.foot), ""])


def _quoted(value: str | None) -> str:
    """Give a value in double quotes; YAML reads JSON's, and has no pairs of surrogates."""
    return "null" if value is None else _ascii(json.dumps(value, ensure_ascii=False))


def _comments(texts: tuple[str, ...]) -> list[str]:
    return [_ascii(line) for line in comments(texts)]


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")
