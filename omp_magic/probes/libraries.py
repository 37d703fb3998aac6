"""OpenMP and BLAS runtimes mapped into a process, each once by identity.

Nothing is loaded and nothing is called but OpenBLAS's description of its own build, a
constant text: the file names and inodes come from /proc/self/maps, SONAMEs from the files.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass

from ..catalog import OPENBLAS_LAYERS, Family, family_of, mkl_layer_of
from ..elf import parse_elf
from ..errors import ParseError
from ..facts import Gap
from ..machine import Machine
from ..native import Native, call_get, call_text
from ..procfs import Mapped, parse_maps
from .elsewhere import address_of, loaded_runtimes
from .owners import Owners


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A mapped runtime and the addresses of its functions.

    Parameters
    ----------
    family
        Its row of the catalog.
    mapped
        File, identity and place in memory.
    soname, version, owner
        As in `facts.Library`.
    layer
        Threading layer of a BLAS, or None.
    getter, setter
        Addresses of its functions; None when they cannot be called.
    base
        Lowest address of the object that the getter lies in; None when there is no getter.
    lender
        Base of the OpenMP runtime whose threads this BLAS uses, or None when it has its own.
    """

    family: Family
    mapped: Mapped
    soname: str | None
    version: str | None
    owner: str | None
    layer: str | None
    getter: int | None
    setter: int | None
    base: int | None
    lender: int | None

    @property
    def key(self) -> int:
        """Where its first segment begins: no two runtimes that are loaded share it."""
        return self.mapped.starts[0]


@dataclass(frozen=True, slots=True)
class Scan:
    """The runtimes of one reading of the process's map."""

    images: tuple[Image, ...]
    gaps: tuple[Gap, ...]


class LibraryProbe:
    """Reads the map again only when the loader says that something changed.

    The loader counts every object it adds or removes, by whatever way it was asked
    (`Native.loader_changes`, 0.8 us), so an unchanged count proves an unchanged map. Where
    it does not count, every call reads the map.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._machine = machine
        self._native = native if machine.live else None
        self._owners = Owners(machine)
        self._sonames: dict[tuple[str, int, int], str | None] = {}
        self._changes: tuple[int, int] | None = None
        self._scan: Scan | None = None

    def scan(self) -> Scan:
        """Give the runtimes that are mapped now.

        Raises
        ------
        OSError
            When the process's map cannot be read.
        """
        changes = self._native.loader_changes() if self._native is not None else None
        if self._scan is None or changes is None or changes != self._changes:
            self._scan = self._read()
            self._changes = changes
        return self._scan

    def _read(self) -> Scan:
        if not self._machine.linux:
            return self._read_elsewhere()
        mapped = parse_maps(self._machine.read("/proc/self/maps"))
        gaps: list[Gap] = []
        runtimes = [
            (file, family) for file in mapped if (family := family_of(file.file_name)) is not None
        ]
        # The loader maps downwards, so the highest address was loaded first.
        runtimes.sort(key=lambda runtime: -runtime[0].starts[0])
        mkl_layer = next(
            (layer for file in mapped if (layer := mkl_layer_of(file.file_name))), None
        )
        owners = self._owners.of(file.path for file, _ in runtimes)
        images = (
            self._image(file, family, owners[file.path], mkl_layer, gaps)
            for file, family in runtimes
        )
        return Scan(tuple(image for image in images if image is not None), tuple(gaps))

    def _image(
        self,
        file: Mapped,
        family: Family,
        owner: str | None,
        mkl_layer: str | None,
        gaps: list[Gap],
    ) -> Image | None:
        soname = self._soname(file, gaps)
        getter = setter = config = parallel = None
        if self._native is not None:
            wanted = (family.getters, family.setters, family.config, family.layer)
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
            elif found[0] is None:
                # The name fits and the functions are missing: libblas.so.3 may be any BLAS.
                return None
            else:
                getter, setter, config, parallel = found
        layer = mkl_layer if family.key == "mkl" else None
        if parallel is not None:
            layer = OPENBLAS_LAYERS.get(call_get(parallel))
        base = self._native.base_of(getter) if self._native and getter else None
        lender = None
        if family.api == "blas" and layer == "openmp" and self._native is not None:
            borrowed = self._native.dependency_symbol(file.path, "omp_get_max_threads")
            lender = self._native.base_of(borrowed) if borrowed else None
        return Image(
            family=family,
            mapped=file,
            soname=soname,
            version=_version(call_text(config)) if config is not None else None,
            owner=owner,
            layer=layer,
            getter=getter,
            setter=setter,
            base=base,
            lender=lender,
        )

    def _read_elsewhere(self) -> Scan:
        found = list(loaded_runtimes())
        owners = self._owners.of(path for path, _, _ in found)
        images = []
        for path, family, library in found:
            parallel = address_of(library, family.layer)
            config = address_of(library, family.config)
            getter = address_of(library, family.getters)
            base = self._native.base_of(getter) if self._native is not None and getter else None
            handle = library._handle  # noqa: SLF001 - ctypes has no public name for it
            images.append(
                Image(
                    family=family,
                    mapped=Mapped(path.replace("\\", "/"), "", 0, (handle,), deleted=False),
                    soname=None,
                    version=_version(call_text(config)) if config is not None else None,
                    owner=owners[path],
                    layer=OPENBLAS_LAYERS.get(call_get(parallel)) if parallel else None,
                    getter=getter,
                    setter=address_of(library, family.setters),
                    base=base or handle,
                    lender=None,
                )
            )
        why = "the registration of a started runtime can be read on Linux only"
        llvm = any(family.kin == "llvm" for _, family, _ in found)
        return Scan(tuple(images), (Gap(what="started runtimes", why=why),) if llvm else ())

    def _soname(self, file: Mapped, gaps: list[Gap]) -> str | None:
        # By identity: the path changes its meaning when the file is replaced on disk.
        key = (file.device, file.inode, file.starts[0])
        if key in self._sonames:
            return self._sonames[key]
        what = f"SONAME of {file.file_name}"
        try:
            if file.deleted or self._machine.inode_of(file.path) != file.inode:
                why = "the file on disk is not the mapped one"
                gaps.append(Gap(what=what, why=why, where=file.path))
                return None
            with (
                open(self._machine.path(file.path), "rb") as opened,
                mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data,
            ):
                self._sonames[key] = parse_elf(data).soname
        except (OSError, ValueError, ParseError) as error:
            gaps.append(Gap.of(what, error, file.path))
            return None
        return self._sonames[key]


def _version(config: str) -> str | None:
    """Read the version from ``OpenBLAS 0.3.30  USE64BITINT DYNAMIC_ARCH …``."""
    match = re.search(r"OpenBLAS (\d[\w.]*)", config)
    return match[1] if match else None
