"""One dlopen, followed as glibc goes: what it maps on the way, and in which order."""

from __future__ import annotations

import os

from ..errors import OmpMagicError
from .linkmaps import LoadedObjects
from .resolver import Asker, Resolver
from .sharedobjects import Identity, SharedObject

_MOST_OBJECTS = 10_000


class UnknownLoaderError(OmpMagicError):
    """What a dlopen would map cannot be told here.

    Parameters
    ----------
    why
        The reason, as part of a sentence.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"what a dlopen would map is not known: {why}")


class Load:
    """What one dlopen maps.

    Parameters
    ----------
    loaded
        What is loaded before it.
    resolver
        Finds what is not.
    """

    def __init__(self, loaded: LoadedObjects, resolver: Resolver) -> None:
        self._loaded = loaded
        self._resolver = resolver
        self._names: set[str] = set()
        self._identities: set[Identity] = set()
        self._fresh_names = False

    def run(self, name: str, asker: Asker) -> tuple[SharedObject, ...]:
        """Give the new objects, breadth first as _dl_map_object_deps maps them."""
        first = self._new(name, asker, top=True)
        queue = [first] if first is not None else []
        for number, (found, own) in enumerate(queue):
            if number > _MOST_OBJECTS:
                raise UnknownLoaderError("the libraries need one another without end")
            # What is loaded already has its own dependencies loaded.
            for needed in found.dynamic.needed:
                fresh = self._new(needed, own)
                if fresh is not None:
                    queue.append(fresh)
        return tuple([found for found, _ in queue])

    def _new(
        self, name: str, asker: Asker, *, top: bool = False
    ) -> tuple[SharedObject, Asker] | None:
        """Give the object that a name newly maps, or None when it is one that is there."""
        if not top:
            name = self._resolver.expand(name, asker)
        if name in self._names or self._loaded.is_there(name):
            return None
        if "/" not in name and not self._fresh_names:
            self._loaded.refresh_names()
            self._fresh_names = True
            if self._loaded.is_there(name):
                return None
        path = self._resolver.expand(name, asker) if top else name
        found = self._resolver.find(path, asker)
        self._names.add(name)
        if found.identity in self._identities or self._loaded.has_file(found.identity):
            return None
        self._identities.add(found.identity)
        self._names.add(found.path)
        if found.dynamic.soname is not None:
            self._names.add(found.dynamic.soname)
        # The loader of what dlopen was asked for is not remembered (__RTLD_CALLMAP).
        return found, Asker(found.dynamic, folder_of(found.path), None if top else asker)


def folder_of(path: str) -> str:
    """Give what ``$ORIGIN`` stands for; the path is not normalised, as in _dl_new_object."""
    return os.path.dirname(path if path.startswith("/") else f"{os.getcwd()}/{path}")
