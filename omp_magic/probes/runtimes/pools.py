"""What each runtime would use now, read without waking it.

`omp_get_max_threads` starts an LLVM or Intel runtime that has not started, and ends the process
when another one has (Error #15); MKL's getter maps its layers. So a runtime is asked only when
it is known to have started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ...facts.libraries import Gap, Library, Pool
from ...knowledge.catalog import BY_KEY, OMP_LAYERS
from ...knowledge.envvars import threads_in
from ...machine import Machine
from ...machine.port.native import Native
from ...machine.python.calls import call_get
from ...machine.python.own import on_main_thread
from .icvs import probe_taken
from .images import Image
from .scope import idle_of, passed_over, serves
from .startup import Startup, probe_startup

if TYPE_CHECKING:
    from .distant import Distant


def threads_at_start(
    image: Image, getenv: Callable[[str], str | None], affinity_cpus: int
) -> int | None:
    """Give the threads a runtime will use once it starts, from the variables it will read.

    Parameters
    ----------
    image
        The runtime.
    getenv
        Gives a variable as the runtime will read it.
    affinity_cpus
        CPUs in the affinity mask.

    Returns
    -------
    int or None
        None when the library decides by rules of its own (MKL counts physical cores).
    """
    for name in image.family.variables:
        value = getenv(name)
        threads = None if value is None else threads_in(image.family.key, name, value)
        if threads is not None:
            return threads
    if image.family.api == "openmp":
        return affinity_cpus
    return 1 if image.family.key == "blis" else None


def probe_libraries(  # noqa: PLR0913 - each is a fact of its own
    machine: Machine,
    native: Native | None,
    images: tuple[Image, ...],
    affinity_cpus: int,
    gaps: list[Gap],
    *,
    workers: Mapping[str, int] | None = None,
    all_known: bool = False,
    distant: Distant | None = None,
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
    workers
        OS threads that each file has, by path; None when unknown.
    all_known
        Whether `workers` counts every thread there is, none being of unknown owner.
    distant
        What is known of another process, where it is one.

    Returns
    -------
    tuple of Library
        In the order of `images`.
    """
    if not images:
        return ()
    startup = probe_startup(machine, native, images, distant)
    on_main = distant is None and on_main_thread()
    provider = provider_of(native, images) if distant is None else distant.provider(images)
    scoped = distant is None or distant.lists is not None
    beside = passed_over(native, images)
    getenv = native.getenv if native is not None else machine.environ.get
    libraries = []
    for image in images:
        initialized = startup.of(image)
        count, note = _count(image, startup, on_main)
        if distant is not None:
            count, note = _count_of_other(image, distant)
        would_use = None
        if initialized is False:
            would_use = threads_at_start(image, getenv, affinity_cpus)
        family = image.family
        alive = None if workers is None else workers.get(image.mapped.path, 0)
        missing = _missing(machine, native, image, count, alive) if all_known else None
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
                owner=image.owner.name,
                owner_version=image.owner.version,
                users=image.users,
                place=image.place,
                num_threads=count,
                initialized=initialized,
                would_use=would_use,
                threading_layer=image.layer,
                serves=serves(image, provider),
                idle=True
                if image.key in beside and not initialized
                else idle_of(image, provider, images)
                if scoped
                else None,
                static=image.static,
                workers=alive,
                missing=missing,
                max_threads=image.max_threads,
                registers=image.registers,
                coalesces=image.coalesces,
                replaced=_replaced(machine, image, gaps),
                taken=probe_taken(native, image, getenv) if initialized and on_main else (),
                note=note,
            )
        )
    return _with_lent(images, libraries)


def provider_of(native: Native | None, images: tuple[Image, ...]) -> Image | None:
    """Give the runtime that answers OpenMP calls bound through the global scope, or None.

    A package that loads its libraries with RTLD_GLOBAL (PyTorch, mkl-service) puts its runtime
    there, and what is loaded later is bound to it, whatever it was linked with.
    """
    if native is None or not native.has_global_scope:
        return None
    if not any(image.family.api == "openmp" for image in images):
        return None
    address = native.global_symbol("omp_get_max_threads")
    base = native.base_of(address) if address else None
    # A base is never None here, but that of an image may be.
    return next((image for image in images if base is not None and image.base == base), None)


def _count(image: Image, startup: Startup, on_main: bool) -> tuple[int | None, str]:
    """Give a runtime's thread count, or None and the reason."""
    initialized = startup.of(image)
    if image.static and image.getter is None:
        why = "it is linked into another library, which hides its functions"
    elif image.lender is not None:
        return None, "its threads are those of an OpenMP runtime"
    elif initialized is False:
        why = "it starts at its first call"
    elif initialized is None:
        why = "whether it has started cannot be seen from outside"
    elif not startup.may_ask(image) or image.getter is None:
        why = "its OpenMP runtime may not have started"
    elif image.family.scope == "thread" and not on_main:
        why = "its count belongs to a thread, and this is not the main thread"
    else:
        return call_get(image.getter), ""
    return None, f"not asked: {why}"


def _count_of_other(image: Image, distant: Distant) -> tuple[int | None, str]:
    """Give the count that a runtime keeps in a variable that its file names.

    OpenBLAS answers with ``blas_cpu_number`` (driver/others/openblas_get_num_threads.c). That of an
    OpenMP runtime belongs to a thread and has no name.
    """
    if image.lender is not None or image.layer == "openmp":
        return None, "its threads are those of an OpenMP runtime"
    found = distant.number(image.mapped, image.family.counters)
    if found is not None:
        return found, ""
    return None, "not asked: its count is known inside that process alone"


def _missing(
    machine: Machine, native: Native | None, image: Image, count: int | None, alive: int | None
) -> int | None:
    """Give how many of its workers OpenBLAS hands work to and does not have.

    ``blas_server_avail`` is 1 once it has tried to start them, be it in vain, and 0 from a fork on
    until they are started anew, in the parent too (driver/others/blas_server.c; 0.3.31, where a
    product of large matrices then waited for ever for workers that it did not have).
    """
    if image.family.key != "openblas" or image.layer != "pthreads":
        return None
    if native is None or count is None or alive is None:
        return None
    lacking = count - 1 - alive
    if lacking <= 0:
        return 0
    address = native.dependency_symbol(image.mapped.path, "blas_server_avail")
    try:
        avail = machine.read_memory(address, 4) if address is not None else b""
    except OSError:
        return None
    return (lacking if any(avail) else 0) if avail else None


def _with_lent(images: tuple[Image, ...], libraries: list[Library]) -> tuple[Library, ...]:
    """Fill in the counts of BLAS libraries that run on the threads of an OpenMP runtime."""
    by_base = {image.base: library for image, library in zip(images, libraries, strict=True)}
    for index, image in enumerate(images):
        lender = by_base.get(image.lender) if image.lender is not None else None
        if lender is not None:
            libraries[index] = replace(
                libraries[index],
                num_threads=lender.num_threads,
                note=f"its threads are those of {lender.title}",
            )
    return tuple(libraries)


def pools_of(libraries: tuple[Library, ...]) -> tuple[Pool, ...]:
    """Give the pools of the libraries that have threads of their own."""
    return tuple(
        Pool(
            name=library.title,
            family=library.family,
            api=library.api,
            library=library.path,
            num_threads=library.num_threads,
            would_use=library.would_use,
            scope=BY_KEY[library.family].scope,
            variables=BY_KEY[library.family].variables,
        )
        for library in libraries
        if library.threading_layer not in OMP_LAYERS and not library.idle
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
