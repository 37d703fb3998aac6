"""Images of the simulated process -> the facts of the runtimes that they are, or hold."""

from __future__ import annotations

import os
import posixpath

from ..facts.libraries import Library
from ..formats.binaries import Binary
from ..knowledge.catalog import AT_LOAD, BY_KEY, Family, family_of, static_family
from ..knowledge.elsewhere import words_at
from ..knowledge.manners import manners_of
from ..knowledge.registration import REGISTRIES, coalesces, registers_on
from ..loader.images import Image, SimulatedLoader
from .modules import Installed


class ImageFacts:
    """Tells what images are.

    Parameters
    ----------
    installed
        Whose files they are.
    loader
        What else is mapped: who needs them.
    """

    def __init__(self, installed: Installed, loader: SimulatedLoader) -> None:
        self._installed = installed
        self._target = installed.target
        self._loader = loader
        self._families: dict[int, tuple[Family, bool] | None] = {}

    def family(self, image: Image) -> tuple[Family, bool] | None:
        """Give the family of the runtime that an image is, or holds, and whether it holds it."""
        if id(image) not in self._families:
            self._families[id(image)] = self._looked_up(image)
        return self._families[id(image)]

    def _looked_up(self, image: Image) -> tuple[Family, bool] | None:
        binary = image.binary
        if binary.forwarder:  # conda-forge's libiomp5md.dll: what it forwards to is the runtime
            return None
        for name in (image.path, binary.name or ""):
            family = family_of(self._compared(posixpath.basename(name)))
            if family is not None:
                return family, False
        if binary.size_bytes < manners_of(binary.system).smallest_host_bytes:
            return None
        held = static_family(self._texts(image))
        return (BY_KEY[held], True) if held is not None else None

    def _compared(self, name: str) -> str:
        return name.lower() if self._target.folds_case else name

    def _texts(self, image: Image) -> tuple[str, ...]:
        return self._installed.files.texts(image.path, image.binary.cpu)

    def library(
        self,
        image: Image,
        family: Family,
        *,
        static: bool,
        serves: bool | None = None,
        idle: bool | None = None,
    ) -> Library:
        """Give the facts of a runtime that is an image, or `static` in it."""
        dist = self._installed.shipper(image.path)
        users = self._users(image) if dist is None else ()
        device, inode = image.identity
        binary = image.binary
        name = binary.name and posixpath.basename(binary.name)
        manners = manners_of(binary.system)
        known = self._target.here and manners.tells_inodes
        return Library(
            family=family.key,
            label=family.label,
            api=family.api,
            kin=family.kin,
            soname=name if manners.knows_by_soname or not static else None,
            path=image.path,
            device=_device(device) if known else None,
            inode=inode if known else None,
            owner=self._installed.title(dist) if dist is not None else None,
            owner_version=dist.version if dist is not None else None,
            users=users,
            initialized=family.starts == AT_LOAD,
            serves=serves,
            idle=idle,
            static=static,
            replaced=False,
            install_name=binary.name if manners.has_install_names and not static else None,
            registers=self._registers(image, binary, family, static=static),
            coalesces=self._coalesces(image, family),
            note="not loaded yet",
        )

    def _registers(
        self, image: Image, binary: Binary, family: Family, *, static: bool
    ) -> str | None:
        """Tell where a copy of the LLVM family registers; None where its file is not there."""
        if family.kin != "llvm":
            return None
        everywhere = REGISTRIES[binary.system].everywhere
        texts = () if everywhere else self._texts(image)
        if not everywhere and not texts:
            return None
        return registers_on(binary.system, texts, static=static)

    def _coalesces(self, image: Image, family: Family) -> bool | None:
        """Tell whether copies share functions; one that is only supposed to be there is new."""
        shared = manners_of(image.binary.system).coalesces_weak_definitions
        if family.kin != "llvm" or not shared:
            return None
        return coalesces(self._texts(image)) or bool(words_at(image.path))

    def _users(self, runtime: Image) -> tuple[str, ...]:
        """Give the distributions whose files need a runtime that none of them brings."""
        needers = (each for each in self._loader.loaded if runtime in each.needed)
        dists = (self._installed.shipper(each.path) for each in needers)
        return tuple(sorted({self._installed.title(dist) for dist in dists if dist is not None}))


def _device(number: int) -> str:
    return f"{os.major(number):02x}:{os.minor(number):02x}"
