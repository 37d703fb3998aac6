"""What each runtime would use now, read without waking it.

`omp_get_max_threads` starts an LLVM or Intel runtime that has not started, and ends the process
when another one has (Error #15); MKL's getter maps its layers. So a runtime is asked only when
it is known to have started.
"""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, replace

from ..catalog import AT_LOAD, BY_KEY, OMP_LAYERS
from ..envvars import is_true, parse_thread_list
from ..errors import ParseError
from ..facts import Gap, Library, Pool
from ..machine import Machine
from ..native import Native, call_get
from .libraries import Image

_REGISTRATION = re.compile(r"(?:0x)?([0-9a-fA-F]{1,16})-([0-9a-fA-F]{1,16})-.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Startup:
    """What is known of runtimes that start at their first call.

    Parameters
    ----------
    bases
        Bases of the LLVM and Intel runtimes that have registered themselves.
    masked
        Whether KMP_DUPLICATE_LIB_OK lets another copy run without registering.
    known
        False where registrations cannot be read.
    """

    bases: frozenset[int] = frozenset()
    masked: bool = False
    known: bool = True

    def of(self, image: Image) -> bool | None:
        """Tell whether a runtime has started; None when that cannot be known from outside."""
        family = image.family
        if family.starts == AT_LOAD:
            return True
        if family.key == "mkl":
            return image.layer is not None
        if family.kin != "llvm" or not self.known or image.base is None:
            return None
        if image.base in self.bases:
            return True
        return None if self.masked and self.bases else False

    def may_ask(self, image: Image) -> bool:
        """Tell whether the getter of a runtime wakes nothing."""
        if image.getter is None or self.of(image) is not True:
            return False
        # MKL on Intel's layer passes the question on to libiomp5.
        return image.layer != "intel" or bool(self.bases)


def probe_startup(machine: Machine, native: Native | None, images: tuple[Image, ...]) -> Startup:
    """Find out which LLVM and Intel runtimes have started, from their registration.

    At its first call such a runtime writes the address of a flag of its own, the flag's value
    and a name into a shared-memory file, else a file in /tmp, else a C variable
    (openmp/runtime/src/kmp_runtime.cpp, __kmp_register_library_startup). The address says
    which copy it is; the flag's value in memory says that it is not a dead process's file.
    """
    if not any(image.family.kin == "llvm" for image in images):
        return Startup()
    if native is None or not machine.linux:
        return Startup(known=False)
    name = f"__KMP_REGISTERED_LIB_{os.getpid()}"
    texts = [native.getenv(name) or ""]
    for folder in ("/dev/shm", "/tmp"):  # noqa: S108 - the runtime's own choice
        for file in (f"{folder}/{name}_{os.getuid()}", f"{folder}/{name}"):
            try:
                texts.append(machine.read(file))
            except OSError:
                continue
    bases = (_registered(machine, native, text) for text in texts)
    return Startup(
        bases=frozenset(base for base in bases if base is not None),
        masked=is_true(native.getenv("KMP_DUPLICATE_LIB_OK")),
    )


def _registered(machine: Machine, native: Native, text: str) -> int | None:
    match = _REGISTRATION.fullmatch(text.rstrip("\0\n"))
    if match is None:
        return None
    address, flag = int(match[1], 16), int(match[2], 16)
    try:
        alive = int.from_bytes(machine.read_memory(address, 8), "little") == flag
    except (OSError, OverflowError):
        return None
    return native.base_of(address) if alive else None


def threads_at_start(
    image: Image, machine: Machine, native: Native | None, affinity_cpus: int
) -> int | None:
    """Give the threads a runtime will use once it starts, from the variables it will read.

    Returns
    -------
    int or None
        None when the library decides by rules of its own (MKL counts physical cores).
    """
    for name in image.family.variables:
        value = native.getenv(name) if native is not None else machine.environ.get(name)
        if value is not None:
            try:
                return parse_thread_list(name, value)[0]
            except ParseError:
                continue
    if image.family.api == "openmp":
        return affinity_cpus
    return 1 if image.family.key == "blis" else None


def probe_libraries(
    machine: Machine,
    native: Native | None,
    images: tuple[Image, ...],
    affinity_cpus: int,
    gaps: list[Gap],
) -> tuple[Library, ...]:
    """Give each mapped runtime with its state and its thread count.

    Parameters
    ----------
    machine, native
        The process; `native` is None where it cannot be called.
    images
        The runtimes, from `LibraryProbe.scan`.
    affinity_cpus
        CPUs in the affinity mask: what OpenMP starts when no variable says otherwise.
    gaps
        Receives what could not be read.

    Returns
    -------
    tuple of Library
        In the order of `images`.
    """
    if not images:
        return ()
    startup = probe_startup(machine, native, images)
    on_main = threading.current_thread() is threading.main_thread()
    provider = None
    if native is not None and any(image.family.api == "openmp" for image in images):
        address = native.global_symbol("omp_get_max_threads")
        provider = native.base_of(address) if address else None
    libraries = []
    for image in images:
        initialized = startup.of(image)
        count, note = _count(image, startup, on_main)
        would_use = None
        if initialized is False:
            would_use = threads_at_start(image, machine, native, affinity_cpus)
        family = image.family
        libraries.append(
            Library(
                family=family.key,
                label=family.label,
                api=family.api,
                kin=family.kin,
                soname=image.soname,
                path=image.mapped.path,
                device=image.mapped.device,
                inode=image.mapped.inode,
                version=image.version,
                owner=image.owner,
                num_threads=count,
                initialized=initialized,
                would_use=would_use,
                threading_layer=image.layer,
                serves=image.base == provider if provider and family.api == "openmp" else None,
                replaced=_replaced(machine, image, gaps),
                note=note,
            )
        )
    return _with_lent(images, libraries)


def _count(image: Image, startup: Startup, on_main: bool) -> tuple[int | None, str]:
    """Give a runtime's thread count, or None and the reason."""
    initialized = startup.of(image)
    if image.lender is not None:
        return None, "its threads are those of an OpenMP runtime"
    if initialized is False:
        return None, "not asked: it starts at its first call"
    if initialized is None:
        return None, "not asked: whether it has started cannot be seen from outside"
    if not startup.may_ask(image) or image.getter is None:
        return None, "not asked: its OpenMP runtime may not have started"
    if image.family.scope == "thread" and not on_main:
        return None, "not asked: its count belongs to a thread, and this is not the main thread"
    return call_get(image.getter), ""


def _with_lent(images: tuple[Image, ...], libraries: list[Library]) -> tuple[Library, ...]:
    """Fill in the counts of BLAS libraries that run on the threads of an OpenMP runtime."""
    by_base = {image.base: library for image, library in zip(images, libraries, strict=True)}
    for index, image in enumerate(images):
        lender = by_base.get(image.lender) if image.lender is not None else None
        if lender is not None:
            libraries[index] = replace(
                libraries[index],
                num_threads=lender.num_threads,
                note=f"its threads are those of {lender.name}",
            )
    return tuple(libraries)


def pools_of(libraries: tuple[Library, ...]) -> tuple[Pool, ...]:
    """Give the pools of the libraries that have threads of their own."""
    return tuple(
        Pool(
            name=f"{library.label} ({library.owner or library.name})",
            family=library.family,
            api=library.api,
            library=library.path,
            num_threads=library.num_threads,
            would_use=library.would_use,
            scope=BY_KEY[library.family].scope,
        )
        for library in libraries
        if library.threading_layer not in OMP_LAYERS
    )


def _replaced(machine: Machine, image: Image, gaps: list[Gap]) -> bool | None:
    """Tell whether the path leads to another file than the mapped one, or to none.

    None where the system does not tell which file is mapped.

    Only inodes are compared: on overlayfs and btrfs the device in /proc/self/maps is not the
    one that stat gives.
    """
    if image.mapped.deleted:
        return True
    if not image.mapped.inode:
        return None
    try:
        return machine.inode_of(image.mapped.path) != image.mapped.inode
    except OSError as error:
        what = f"file of {image.soname or image.mapped.file_name} on disk"
        gaps.append(Gap.of(what, error, image.mapped.path))
        return None
