"""OpenMP and BLAS runtimes mapped into a process, each once by identity.

Nothing is loaded and nothing is called but functions that give a constant text, the description
of a build: the files come from the map of the process, their names from the files themselves.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ...facts.libraries import Gap
from ...facts.names import places_of
from ...formats.builds import max_threads_of, version_of
from ...formats.procfs import Mapped
from ...knowledge.accelerate import accelerate_of, is_part_of_accelerate
from ...knowledge.catalog import BY_KEY, OPENBLAS_LAYERS, Family, family_of, mkl_layer_of
from ...knowledge.registration import told_on
from ...machine import Machine
from ...machine.port.native import Native
from ...machine.python.calls import call_buffer, call_get, call_text
from .files import Files
from .images import Image, Scan
from .owners import Owner, Owners
from .users import is_code, users_of

if TYPE_CHECKING:
    from .distant import Distant


class LibraryProbe:
    """Reads the map again only when the loader says that something changed.

    The loader counts every object it adds or removes, by whatever way it was asked
    (`Native.loader_changes`, 1.5 us), so an unchanged count proves an unchanged map. Where it
    does not count, every call reads the map.
    """

    def __init__(
        self, machine: Machine, native: Native | None, distant: Distant | None = None
    ) -> None:
        self._machine = machine
        self._distant = distant
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
        there = self._machine.system.process_map()
        mapped = there.mapped
        gaps: list[Gap] = []
        runtimes = [(file, family, False) for file, family in self._named_so(mapped)]
        named = {file.starts[0] for file, _, _ in runtimes}
        for file in mapped:
            if file.starts[0] not in named and self._may_hold_one(file):
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
        found = [each._replace(kernel_path=renamed[each.key]) for each in images if each]
        return Scan(self._named(found, mapped), tuple(gaps), mapped, there.segments)

    def _named_so(self, mapped: tuple[Mapped, ...]) -> Iterator[tuple[Mapped, Family]]:
        """Give the files that are runtimes by their names; of Accelerate's many images one."""
        apple = accelerate_of(file.path for file in mapped)
        for file in mapped:
            if is_part_of_accelerate(file.path):
                if file.path == apple:
                    yield file, BY_KEY["accelerate"]
                continue
            family = family_of(file.file_name)
            if family is not None and not self._only_forwards(file):
                yield file, family

    def _registration(self, file: Mapped, family: Family, *, static: bool) -> dict[str, Any]:
        texts = partial(self._files.texts if family.kin == "llvm" else _no_texts, file)
        told = told_on(self._machine.system.name, texts, static=static)
        return dict(zip(("registers", "coalesces"), told, strict=True))

    def _only_forwards(self, file: Mapped) -> bool:
        """Tell whether a library has no code of its own: conda-forge's libiomp5md.dll."""
        return (binary := self._files.binary(file)) is not None and binary.forwarder

    def _may_hold_one(self, file: Mapped) -> bool:
        return is_code(file.file_name) and not self._machine.system.ships(file.path)

    def _named(self, images: list[Image], mapped: tuple[Mapped, ...]) -> tuple[Image, ...]:
        """Give them with who uses those without an owner, and what tells them from one another."""
        orphans = [e.mapped for e in images if e.owner.name is None and not e.static]
        if orphans:
            order = self._load_order()
            bound = self._native.bindings if self._native is not None else _unbound
            read, whose = self._files.binary, self.owners.of
            users = users_of(orphans, mapped, order, read, whose, bound=bound)
            images = [each._replace(users=users.get(each.key, ())) for each in images]
        places = places_of([image.called for image in images])
        return tuple(e._replace(place=place) for e, place in zip(images, places, strict=True))

    def _load_order(self) -> dict[int, int]:
        """Give the place in the loader's list by an object's lowest address."""
        if self._distant is not None:
            return {base: at for at, base in enumerate(self._distant.load_order())}
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
        teller = self._native or self._distant
        if not file.deleted or teller is None:
            return file
        path = teller.path_of(file.starts[0])
        return file._replace(path=os.path.normpath(path)) if path else file

    def _distant_layer(self, file: Mapped, family: Family) -> str | None:
        """Tell from its needs whether an OpenBLAS was built on OpenMP's threads, or on its own."""
        binary = self._files.binary(file) if family.key == "openblas" else None
        if binary is None:
            return None
        needed = (family_of(name.rpartition("/")[2]) for name in binary.needed)
        return "openmp" if any(each and each.api == "openmp" for each in needed) else "pthreads"

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
            elif found[0] is None and not static and family.getters:
                # The name fits and the functions are missing: libblas.so.3 may be any BLAS.
                return None
            else:
                getter, setter, config, parallel, describe = found
        layer = mkl_layer if family.key == "mkl" else None
        if parallel is not None:
            layer = OPENBLAS_LAYERS.get(call_get(parallel))
        if family.key == "accelerate" and self._native is not None:
            layer = self._native.blas_threading()
        base = self._native.base_of(file.starts[0]) if self._native else None
        lender = None
        text = call_text(config) if config is not None else ""
        if self._distant is not None:
            base = file.starts[0]
            layer = self._distant_layer(file, family) or layer
            text = self._files.build(file, family)
        if describe is not None and layer is not None:
            text = call_buffer(describe)  # MKL maps its layers to answer: only once it has
        if family.api == "blas" and layer == "openmp" and self._native is not None:
            borrowed = self._native.dependency_symbol(file.path, "omp_get_max_threads")
            lender = self._native.base_of(borrowed) if borrowed else None
        return Image(
            family=family,
            mapped=file,
            soname=soname,
            version=version_of(text) or self._files.version(file),
            owner=owner,
            layer=layer,
            getter=getter,
            setter=setter,
            base=base,
            lender=lender,
            static=static,
            max_threads=max_threads_of(text),
            **self._registration(file, family, static=static),
        )


def _no_texts(_: Mapped) -> tuple[str, ...]:
    return ()


def _unbound(_: Collection[str]) -> dict[tuple[int, str], int]:
    return {}


_Runtime = tuple[Mapped, Family, bool]
