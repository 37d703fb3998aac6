"""Functions of other people's classes and modules, wrapped for a while."""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Wrappings:
    """Wrappers that are put in place and all taken out together.

    A wrapper that somebody wrapped again cannot be taken out: it stays, and must pass everything
    on. Wrappers are kept, so that putting the same one in place again costs next to nothing.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[int, str], tuple[Any, Any]] = {}
        self._undos: dict[tuple[int, str], Callable[[], None]] = {}

    def put(
        self, place: Any, name: str, around: Callable[[Any], Any], file: str | None = None
    ) -> None:
        """Wrap a function, unless it is wrapped already.

        Parameters
        ----------
        place, name
            The class or module, and the function's name in it.
        around
            Gives the wrapper of a function.
        file
            File that tracebacks give for the wrapper; its own when None.
        """
        key = id(place), name
        if key in self._undos:
            return
        inherited = name not in vars(place)
        original = getattr(place, name)
        known, wrapper = self._made.get(key, (None, None))
        if known is not original:
            wrapper = around(original)
            for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
                setattr(wrapper, attribute, getattr(original, attribute, None))
            if file is not None:
                wrapper.__code__ = wrapper.__code__.replace(co_filename=file)
            self._made[key] = original, wrapper

        def undo() -> None:
            if vars(place).get(name) is not wrapper:
                return
            if inherited:
                delattr(place, name)
            else:
                setattr(place, name, original)

        self._undos[key] = undo
        setattr(place, name, wrapper)

    def has(self, place: Any, name: str) -> bool:
        """Tell whether a function is wrapped now."""
        return (id(place), name) in self._undos

    def remove(self) -> None:
        """Take all wrappers out."""
        while self._undos:
            # Forgotten when it is done: an interrupt of the user's may come in between.
            key, undo = next(reversed(self._undos.items()))
            undo()
            self._undos.pop(key, None)
