"""Files that are about to be mapped -> the runtimes among them, as facts."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import replace

from ..facts.libraries import Library
from ..knowledge.catalog import AT_LOAD, answers_for, family_of
from ..knowledge.registration import told_on
from ..loader.files import Disk
from ..machine import Machine
from ..probes.runtimes.owners import Owners

_FILES = Disk()
"""Keeps what was read of files."""


def coming_libraries(
    paths: Iterable[str], present: tuple[Library, ...], machine: Machine, owners: Owners
) -> tuple[Library, ...]:
    """Give the OpenMP and BLAS runtimes among files that are about to be mapped.

    Parameters
    ----------
    paths
        The files, from `LoaderModel.predict`.
    present
        The runtimes that are mapped.
    machine, owners
        To read the files' identity and find their packages.

    Returns
    -------
    tuple of Library
        Judged as if they were there and, if they start at their first call, not started. One
        is idle when a runtime of LLVM's family that is in the global scope will answer for it.
    """
    found = [(path, family) for path in paths if (family := family_of(os.path.basename(path)))]
    if not found:
        return ()
    shippers = owners.of(path for path, _ in found)
    serving = next((library for library in present if library.serves), None)
    libraries = []
    for path, family in found:
        idle = None
        if family.api == "openmp":
            idle = serving is not None and answers_for(serving.kin, family.kin)
        registers = shares = None
        if family.kin == "llvm":
            texts = functools.partial(_FILES.texts, path)
            registers, shares = told_on(machine.system.name, texts, static=False)
        libraries.append(
            Library(
                family=family.key,
                label=family.label,
                api=family.api,
                kin=family.kin,
                soname=None,
                path=path,
                owner=shippers[path].name,
                owner_version=shippers[path].version,
                initialized=family.starts == AT_LOAD,
                serves=False if serving is not None and family.api == "openmp" else None,
                idle=idle,
                replaced=False,
                registers=registers,
                coalesces=shares,
                note="not loaded yet",
            )
        )
    return tuple(replace(each, inode=machine.inode_of(each.path)) for each in libraries)
