"""What a limit turns: the thread count of one runtime, or of one package's pool."""

from __future__ import annotations

from collections.abc import Hashable
from types import ModuleType
from typing import Protocol

from ..machine.port.native import Native
from ..machine.python.calls import call_get, call_set
from ..probes.runtimes.images import Image
from ..probes.runtimes.startup import Startup
from .pools import PoolDial
from .spec import folded


class Dial(Protocol):
    """One pool's thread count."""

    @property
    def key(self) -> Hashable:
        """What no other pool has."""

    @property
    def label(self) -> str:
        """Its name for people."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a limit may use for it, the most particular first."""

    @property
    def per_thread(self) -> bool:
        """Whether the count belongs to the thread that sets it."""

    @property
    def for_io(self) -> bool:
        """Whether its threads mostly wait for files."""

    def read(self) -> int | None:
        """Give what `undo` needs, or None when only `turn` tells it."""

    def turn(self, threads: int) -> int:
        """Set the count; give what `undo` needs, or anything where `read` told it."""

    def undo(self, former: int) -> None:
        """Set the count that it had."""

    def count(self) -> int | None:
        """Give the count as it took it; None when asking would not tell."""


class RuntimeDial:
    """An OpenMP or BLAS runtime that has started.

    Parameters
    ----------
    image
        The runtime.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self.key: Hashable = image.key
        self.label = label_of(image)
        self.names = names_of(image)
        self.per_thread = image.family.scope == "thread"
        self.for_io = False
        # An override, MKL's: the getter would give the effective number instead, and that,
        # written back as an override, masks every later mkl.set_num_threads.
        self._override = bool(image.family.resetters)

    def read(self) -> int | None:
        """Give its count; None for MKL."""
        return None if self._override or self.image.getter is None else call_get(self.image.getter)

    def turn(self, threads: int) -> int:
        """Set its count; MKL_Set_Num_Threads_Local gives the former override, 0 for none."""
        if self.image.setter is None:
            raise ValueError(f"{self.image.mapped.path} has no setter")
        return call_set(self.image.setter, threads)

    def undo(self, former: int) -> None:
        """Set its count again; 0 takes MKL's override away."""
        self.turn(former)

    def count(self) -> int | None:
        """Give its count."""
        return None if self.image.getter is None else call_get(self.image.getter)


class PackageDial:
    """The pool of a Python package that is loaded.

    Parameters
    ----------
    pool
        How it is turned.
    module
        The package.
    lender_names
        Names of the OpenMP runtime whose threads it uses, where it does.
    """

    def __init__(
        self, pool: PoolDial, module: ModuleType, lender_names: tuple[str, ...] = ()
    ) -> None:
        self.pool = pool
        self.key: Hashable = pool.label
        self.label = pool.label
        own = (pool.name, pool.module) if pool.module != pool.name else (pool.name,)
        self.names = (*own, *lender_names, "")
        self.per_thread = pool.scope == "thread"
        self.for_io = pool.for_io
        self._module = module

    def read(self) -> int | None:
        """Give its count."""
        return self.pool.get(self._module)

    def turn(self, threads: int) -> int:
        """Set its count."""
        self.pool.set(self._module, threads)
        return threads

    def undo(self, former: int) -> None:
        """Set its count again."""
        self.pool.set(self._module, former)

    def count(self) -> int | None:
        """Give its count."""
        return self.pool.get(self._module)


def is_settable(image: Image, startup: Startup) -> bool | None:
    """Tell whether a runtime may be set now.

    Returns
    -------
    bool or None
        True when setting it wakes nothing that could end the process; False when it starts
        at its first call; None when that cannot be known, so that it must be left alone.
    """
    if image.getter is None or image.setter is None:
        return None
    if image.family.key == "blis":
        # bli_init_once reads variables and starts no thread (frame/base/bli_init.c).
        return True
    return startup.of(image)


def reset_default(native: Native, image: Image, value: int) -> bool:
    """Give MKL, that started under a limit, the default it would have started with.

    Returns
    -------
    bool
        False for every other runtime, whose count of this thread is all that can be set.
    """
    if not image.family.resetters:
        return False
    found = native.symbols(image.mapped.path, image.mapped.starts, (image.family.resetters,))
    if found is not None and found[0] is not None:
        call_set(found[0], value)
    return True


def label_of(image: Image) -> str:
    """Give a runtime's name for people."""
    return image.title


def names_of(image: Image) -> tuple[str, ...]:
    """Give the names a limit may use for a runtime, the most particular first.

    A path names one file where two copies have the same SONAME.
    """
    particular = (folded(image.mapped.path), image.soname or image.mapped.file_name)
    return (*particular, image.mapped.file_name, image.family.key, image.family.api, "")
