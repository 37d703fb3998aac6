"""What a limit turns: the thread count of a runtime that has started, and C's variables."""

from __future__ import annotations

from dataclasses import dataclass, field

from .catalog import AT_LOAD
from .native import Native, call_get, call_set
from .probes.libraries import Image
from .probes.startup import Startup


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


def swap_count(image: Image, value: int) -> int:
    """Set a runtime's count and give what to set to undo it.

    MKL_Set_Num_Threads_Local gives back the thread's former override, 0 for none. The getter
    would give the effective number instead, and that, written back as an override, masks
    every later mkl.set_num_threads.
    """
    if image.getter is None or image.setter is None:
        raise ValueError(f"{image.mapped.path} has no getter or no setter")
    if image.family.resetters:
        return call_set(image.setter, value)
    former = call_get(image.getter)
    if former != value:
        call_set(image.setter, value)
    return former


def reset_default(native: Native, image: Image, value: int) -> None:
    """Give a runtime that started under a limit the default it would have started with."""
    if image.family.resetters:
        found = native.symbols(image.mapped.path, image.mapped.starts, (image.family.resetters,))
        address = found[0] if found is not None else None
    else:
        address = image.setter
    if address is not None:
        call_set(address, value)


@dataclass(slots=True)
class _Variable:
    """One variable that is set for C: what it was, and who wants what."""

    former: str | None
    loaded_before: frozenset[int]
    wanted: dict[int, int] = field(default_factory=dict)


class Variables:
    """Variables set in the C environment for runtimes that will read them at their start.

    ``os.environ`` is not touched. The value before the first setting comes back with the last
    release, in whatever order they end.

    Parameters
    ----------
    native
        The running process.
    """

    def __init__(self, native: Native) -> None:
        self._native = native
        self._set: dict[str, _Variable] = {}

    def want(self, name: str, key: int, value: int, images: tuple[Image, ...]) -> None:
        """Set a variable for the runtime at `key`."""
        if name not in self._set:
            loaded = frozenset(image.key for image in images)
            self._set[name] = _Variable(self._native.getenv(name), loaded)
        self._set[name].wanted[key] = value
        self._native.setenv(name, str(value))

    def release(self, name: str, key: int) -> frozenset[int] | None:
        """Take one wish back.

        Returns
        -------
        frozenset of int or None
            With the last one, the runtimes that were loaded before the first: those that are
            not among them have read the variable. None as long as others want it.
        """
        variable = self._set[name]
        variable.wanted.pop(key, None)
        if variable.wanted:
            self._native.setenv(name, str(list(variable.wanted.values())[-1]))
            return None
        del self._set[name]
        self._native.setenv(name, variable.former)
        return variable.loaded_before


def read_at_load(image: Image, name: str) -> bool:
    """Tell whether a library read the variable while it was loaded."""
    return image.family.starts == AT_LOAD and name in image.family.variables
