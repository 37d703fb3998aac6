"""OpenMP and BLAS runtimes mapped into a process, each once by identity.

Nothing is loaded and nothing is called but functions that give a constant text, the description
of a build: the file names and inodes come from /proc/self/maps, SONAMEs from the files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from ...facts.libraries import Gap
from ...facts.names import Called, places_of, whose
from ...formats.builds import max_threads_of, version_of
from ...formats.procfs import Mapped, Segments, parse_maps
from ...knowledge.catalog import BY_KEY, OPENBLAS_LAYERS, Family, family_of, mkl_layer_of
from ...machine import Machine
from ...machine.native import Native, call_buffer, call_get, call_text
from .elsewhere import address_of, loaded_runtimes
from .files import Files
from .owners import Owner, Owners
from .users import users_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A mapped runtime and the addresses of its functions.

    Parameters
    ----------
    family
        Its row of the catalog.
    mapped
        File, identity and place in memory; its path is the one it was loaded by.
    soname, version
        As in `facts.Library`.
    owner
        The distribution that shipped the file.
    layer
        Threading layer of a BLAS, or None.
    getter, setter
        Addresses of its functions; None when they cannot be called.
    base
        Lowest address of the object; None where that is not known.
    kernel_path
        The path the kernel knows the file by now; an installer may have renamed it.
    static
        Whether it is linked into the object instead of being the object.
    lender
        Base of the OpenMP runtime whose threads this BLAS uses, or None when it has its own.
    users, place
        As in `facts.Library`.
    max_threads
        Threads that it was built for, where its description tells.
    """

    family: Family
    mapped: Mapped
    soname: str | None
    version: str | None
    owner: Owner
    layer: str | None
    getter: int | None
    setter: int | None
    base: int | None
    lender: int | None
    kernel_path: str = ""
    static: bool = False
    users: tuple[str, ...] = ()
    place: str = ""
    max_threads: int | None = None

    @property
    def called(self) -> Called:
        """What its name is made of."""
        file, owner = self.mapped, self.owner.name
        return Called(self.family.api, owner, file.path, self.users, file.inode)

    @property
    def title(self) -> str:
        """Its name for people, as `facts.Library` has it."""
        return f"{self.family.label} ({whose(self.called, self.place)})"

    @property
    def key(self) -> int:
        """Where its first segment begins: no two runtimes that are loaded share it."""
        return self.mapped.starts[0]


@dataclass(frozen=True, slots=True)
class Scan:
    """The runtimes of one reading of the process's map.

    Parameters
    ----------
    images
        The runtimes, in the order in which they were loaded.
    gaps
        What could not be read.
    mapped
        Every mapped file.
    segments
        Which of them lies at an address.
    """

    images: tuple[Image, ...]
    gaps: tuple[Gap, ...]
    mapped: tuple[Mapped, ...] = ()
    segments: Segments | None = None


class LibraryProbe:
    """Reads the map again only when the loader says that something changed.

    The loader counts every object it adds or removes, by whatever way it was asked
    (`Native.loader_changes`, 1.5 us), so an unchanged count proves an unchanged map. Where it
    does not count, every call reads the map.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._machine = machine
        self._native = native if machine.live else None
        self.owners = Owners(machine)
        self._files = Files(machine)
        self._last: tuple[tuple[int, int] | None, Scan | None] = None, None

    def scan(self) -> Scan:
        """Give the runtimes that are mapped now; the same object when nothing changed.

        Raises
        ------
        OSError
            When the process's map cannot be read.
        """
        changes = self._native.loader_changes() if self._native is not None else None
        known, scan = self._last
        if scan is None or changes is None or changes != known:
            scan = self._read()
            self._last = changes, scan  # in one step: another thread may look at the same time
        return scan

    def _read(self) -> Scan:
        if not self._machine.linux:
            return self._read_elsewhere()
        text = self._machine.read("/proc/self/maps")
        mapped = parse_maps(text)
        gaps: list[Gap] = []
        runtimes = [
            (file, family, False)
            for file in mapped
            if (family := family_of(file.file_name)) is not None
        ]
        named = {file.starts[0] for file, _, _ in runtimes}
        for file in mapped:
            if file.starts[0] not in named and ".so" in file.file_name:
                linked = self._files.static_runtime(file)
                if linked is not None:
                    runtimes.append((file, BY_KEY[linked], True))
        if self._files.unsearched:
            number = len(self._files.unsearched)
            why = f"{number} mapped files are no longer on disk or cannot be read"
            gaps.append(Gap(what="runtimes linked into other libraries", why=why))
        mkl_layer = next(
            (layer for file in mapped if (layer := mkl_layer_of(file.file_name))), None
        )
        runtimes = self._in_order(runtimes)
        renamed = {file.starts[0]: file.path for file, _, _ in runtimes}
        runtimes = [(self._as_loaded(file), family, static) for file, family, static in runtimes]
        owners = self.owners.of(file.path for file, _, _ in runtimes)
        images = (
            self._image(runtime, owners[runtime[0].path], mkl_layer, gaps) for runtime in runtimes
        )
        found = [replace(each, kernel_path=renamed[each.key]) for each in images if each]
        return Scan(self._named(found, mapped), tuple(gaps), mapped, Segments(text))

    def _named(self, images: list[Image], mapped: tuple[Mapped, ...]) -> tuple[Image, ...]:
        """Give them with who uses those without an owner, and what tells them from one another."""
        orphans = [e.mapped for e in images if e.owner.name is None and not e.static]
        if orphans:
            order = self._load_order()
            users = users_of(orphans, mapped, order, self._files.dynamic, self.owners.of)
            images = [replace(each, users=users.get(each.key, ())) for each in images]
        places = places_of([image.called for image in images])
        return tuple(replace(e, place=place) for e, place in zip(images, places, strict=True))

    def _load_order(self) -> dict[int, int]:
        """Give the place in the loader's list by an object's lowest address."""
        if self._native is None:
            return {}
        with self._machine.memory() as read_memory:
            return {base: at for at, base in enumerate(self._native.load_order(read_memory))}

    def _in_order(self, runtimes: list[_Runtime]) -> list[_Runtime]:
        """Sort by the loader's order, else downwards, as the kernel gives out addresses."""
        order = self._load_order() if len(runtimes) > 1 else {}

        def place(runtime: _Runtime) -> tuple[int, int]:
            begins = runtime[0].starts[0]
            return order.get(begins, len(order)), -begins

        return sorted(runtimes, key=place)

    def _as_loaded(self, file: Mapped) -> Mapped:
        """Give a deleted file the path it was loaded by: pip renames what it replaces."""
        if not file.deleted or self._native is None:
            return file
        path = self._native.path_of(file.starts[0])
        return replace(file, path=os.path.normpath(path)) if path else file

    def _image(
        self, runtime: _Runtime, owner: Owner, mkl_layer: str | None, gaps: list[Gap]
    ) -> Image | None:
        file, family, static = runtime
        soname = self._files.soname(file, gaps)
        getter = setter = config = parallel = describe = None
        if self._native is not None:
            wanted = (
                family.getters, family.setters, family.config, family.layer, family.describe
            )  # fmt: skip
            found = self._native.symbols(file.path, file.starts, wanted)
            if (found is None or found[0] is None) and soname is not None:
                # The path may lead to another file by now; the loader also goes by SONAME.
                found = self._native.symbols(soname, file.starts, wanted) or found
            if found is None:
                gaps.append(
                    Gap(
                        what=f"threads of {soname or file.file_name}",
                        why="the loader does not know this mapping under its path or SONAME",
                        where=file.path,
                    )
                )
            elif found[0] is None and not static:
                # The name fits and the functions are missing: libblas.so.3 may be any BLAS.
                return None
            else:
                getter, setter, config, parallel, describe = found
        layer = mkl_layer if family.key == "mkl" else None
        if parallel is not None:
            layer = OPENBLAS_LAYERS.get(call_get(parallel))
        text = call_text(config) if config is not None else ""
        if describe is not None and layer is not None:
            text = call_buffer(describe)  # MKL maps its layers to answer: only once it has
        base = self._native.base_of(file.starts[0]) if self._native else None
        lender = None
        if family.api == "blas" and layer == "openmp" and self._native is not None:
            borrowed = self._native.dependency_symbol(file.path, "omp_get_max_threads")
            lender = self._native.base_of(borrowed) if borrowed else None
        return Image(
            family=family,
            mapped=file,
            soname=soname,
            version=version_of(text),
            owner=owner,
            layer=layer,
            getter=getter,
            setter=setter,
            base=base,
            lender=lender,
            static=static,
            max_threads=max_threads_of(text),
        )

    def _read_elsewhere(self) -> Scan:
        found = list(loaded_runtimes())
        owners = self.owners.of(path for path, _, _ in found)
        images = []
        for path, family, library in found:
            parallel = address_of(library, family.layer)
            config = address_of(library, family.config)
            text = call_text(config) if config is not None else ""
            getter = address_of(library, family.getters)
            base = self._native.base_of(getter) if self._native is not None and getter else None
            handle = library._handle  # noqa: SLF001 - ctypes has no public name for it
            images.append(
                Image(
                    family=family,
                    mapped=Mapped(path.replace("\\", "/"), "", 0, (handle,), deleted=False),
                    soname=None,
                    version=version_of(text),
                    owner=owners[path],
                    layer=OPENBLAS_LAYERS.get(call_get(parallel)) if parallel else None,
                    getter=getter,
                    setter=address_of(library, family.setters),
                    base=base or handle,
                    lender=None,
                    max_threads=max_threads_of(text),
                )
            )
        why = "the registration of a started runtime can be read on Linux only"
        llvm = any(family.kin == "llvm" for _, family, _ in found)
        return Scan(
            self._named(images, ()), (Gap(what="started runtimes", why=why),) if llvm else ()
        )


_Runtime = tuple[Mapped, Family, bool]
