"""Jupyter's kernelspecs that start a kernel through `omp-magic run`: put in, listed, taken out.

Each starts an interpreter's ipykernel with thread counts for the CPUs of that moment, and the
extension loaded. The profile is not touched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from .errors import KernelSpecError

MARK = "omp_magic"
"""The key in a spec's metadata that says it is ours."""

DEFAULT_NAME = "omp-magic"
"""Jupyter's name for ours where none is said."""

_NAME = re.compile(r"\w(?:[\w.-]{0,98}\w)?", re.ASCII)
"""jupyter_client's own (kernelspec.py, _is_valid_kernel_name) takes ``.`` and ``..`` too, and its
install_kernel_spec begins with removing the folder of that name: with ``..`` all Jupyter data."""
_EXTENSION = "--InteractiveShellApp.extra_extensions=omp_magic"
"""IPython's own list for this (core/shellapp.py); the profile's list stays beside it."""


@dataclass(frozen=True, slots=True)
class OurKernel:
    """One of our kernelspecs: name, folder, what it is called, what `omp-magic run` is asked."""

    name: str
    folder: str
    label: str
    words: tuple[str, ...]


def install(
    name: str = DEFAULT_NAME,
    *,
    label: str | None = None,
    words: Sequence[str] = (),
    user: bool = False,
    prefix: str | None = None,
) -> OurKernel:
    """Put a kernelspec in for this interpreter.

    Parameters
    ----------
    name
        Jupyter's name for it.
    label
        What people read; made of the Python, the words, and a name that was chosen, when None.
    words
        What `omp-magic run` is asked: ``("--threads", "2")``.
    user
        Whether it is for this user; else for an environment.
    prefix
        The environment; this one when None.

    Raises
    ------
    KernelSpecError
        When Jupyter's packages are missing, the name is taken by another kernel, is none, or the
        folder cannot be written; nothing was changed.
    """
    manager = _manager()
    if _NAME.fullmatch(name) is None:
        accepted = "1 to 100 letters, digits, '_', and between them '.' and '-'"
        raise KernelSpecError(f"found name {name!r}", accepted)
    if find_spec("ipykernel") is None:
        raise KernelSpecError(f"{sys.executable} has no ipykernel", "pip install ipykernel")
    if prefix == "":
        raise KernelSpecError("found prefix ''", "an environment's folder")
    prefix = None if user else os.path.expanduser(prefix or sys.prefix)
    for folder in _taken(manager, name.lower(), prefix):
        raise KernelSpecError(
            f"kernel {name!r} is there and is not one of ours: {folder}", "another name"
        )
    label = label or _label(name, words)
    try:
        with tempfile.TemporaryDirectory() as parent:
            # A folder of its own: that of tempfile is its user's alone, and is copied so.
            folder = os.path.join(parent, "kernel")
            os.mkdir(folder)
            _write(folder, label, words)
            put = manager.install_kernel_spec(folder, kernel_name=name, user=user, prefix=prefix)
    except OSError as error:
        why = f"{error.strerror or error}: {error.filename or name}"
        raise KernelSpecError(why, "--user, or --sys-prefix, for a folder of yours") from None
    return OurKernel(name.lower(), str(put), label, tuple(words))


def _taken(manager: Any, name: str, prefix: str | None) -> Iterator[str]:
    """Give the folders of other kernels that a new one would hide or replace.

    Jupyter finds none that it cannot read, and none of an environment that it does not look in.
    """
    there = _found(manager).get(name)
    if there is not None and not _is_ours(there["spec"]):
        yield str(there["resource_dir"])
    kernels = manager.user_kernel_dir
    if prefix is not None:
        kernels = os.path.join(os.path.abspath(prefix), "share", "jupyter", "kernels")
    folder = os.path.join(kernels, name)
    if not os.path.isdir(folder) or not os.listdir(folder):
        return
    try:
        with open(os.path.join(folder, "kernel.json"), encoding="utf-8") as file:
            spec = json.load(file)
    except (OSError, ValueError):
        spec = None
    if not isinstance(spec, dict) or not _is_ours(spec):
        yield folder


def installed() -> tuple[OurKernel, ...]:
    """Give our kernelspecs that Jupyter finds, by name.

    Raises
    ------
    KernelSpecError
        When Jupyter's packages are missing.
    """
    return tuple(
        OurKernel(
            name,
            str(row["resource_dir"]),
            str(row["spec"].get("display_name", "")),
            _words(row["spec"]),
        )
        for name, row in sorted(_found(_manager()).items())
        if _is_ours(row["spec"])
    )


def remove(name: str) -> str:
    """Take one of our kernelspecs out and give the folder that was removed.

    Raises
    ------
    KernelSpecError
        When there is none of that name, it is not ours, or it cannot be removed.
    """
    manager = _manager()
    rows = _found(manager)
    row = rows.get(name.lower())
    ours = (
        ", ".join(sorted(each for each in rows if _is_ours(rows[each]["spec"]))) or "none is there"
    )
    if row is None:
        raise KernelSpecError(f"there is no kernel {name!r}", f"one of ours: {ours}")
    if not _is_ours(row["spec"]):
        raise KernelSpecError(
            f"kernel {name!r} is not one of ours and stays: {row['resource_dir']}",
            f"one of ours: {ours}",
        )
    try:
        return str(manager.remove_kernel_spec(name.lower()))
    except OSError as error:
        raise KernelSpecError(f"{error.strerror or error}: {row['resource_dir']}", ours) from None


def _manager() -> Any:
    """Give Jupyter's own manager of kernelspecs.

    Raises
    ------
    KernelSpecError
        When its package is missing.
    """
    try:
        from jupyter_client.kernelspec import KernelSpecManager  # noqa: PLC0415 - it is no dependency
    except ImportError:
        found = f"{sys.executable} has no jupyter_client"
        raise KernelSpecError(found, "pip install ipykernel") from None
    return KernelSpecManager()


def _found(manager: Any) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = manager.get_all_specs()
    return rows


def _is_ours(spec: dict[str, Any]) -> bool:
    metadata = spec.get("metadata")
    return isinstance(metadata, dict) and isinstance(metadata.get(MARK), dict)


def _words(spec: dict[str, Any]) -> tuple[str, ...]:
    words = spec["metadata"][MARK].get("run", ())
    return tuple(map(str, words)) if isinstance(words, list) else ()


def _label(name: str, words: Sequence[str]) -> str:
    told = words[words.index("--threads") + 1] if "--threads" in words else "auto"
    # Two kernels may differ in --set alone, and in a menu their labels are all that is seen.
    who = "omp_magic" if name == DEFAULT_NAME else f"omp_magic {name}"
    return f"Python {sys.version_info[0]} ({who}, threads: {told})"


def _write(folder: str, label: str, words: Sequence[str]) -> None:
    """Write what a kernelspec's folder holds: kernel.json, and ipykernel's pictures."""
    python = sys.executable
    spec = {
        "argv": [
            *(python, "-m", "omp_magic", "run", *words, "--"),
            *(python, "-m", "ipykernel_launcher", "-f", "{connection_file}", _EXTENSION),
        ],
        "display_name": label,
        "language": "python",
        "metadata": {"debugger": True, MARK: {"run": list(words)}},
    }
    with open(os.path.join(folder, "kernel.json"), "w", encoding="utf-8") as file:
        json.dump(spec, file, indent=1)
    found = find_spec("ipykernel")
    for place in (found.submodule_search_locations if found is not None else None) or ():
        pictures = os.path.join(place, "resources")
        for picture in os.listdir(pictures) if os.path.isdir(pictures) else ():
            if picture.startswith("logo-"):
                shutil.copy(os.path.join(pictures, picture), folder)
