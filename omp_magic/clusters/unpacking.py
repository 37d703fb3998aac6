"""What the text that travels begins with: the loader of the sources that it brings.

This file's own source is evaluated in a worker, so it imports the standard library alone.
"""

from __future__ import annotations

import base64
import importlib
import json
import sys
import zlib
from collections.abc import Sequence
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import CodeType, ModuleType


class Carried(InspectLoader):
    """Finds and loads the modules of one package, in memory, with their sources for tracebacks.

    Parameters
    ----------
    name
        The package.
    packed
        (Whether it is a package, its source) by module: JSON, zlib, base 85.
    """

    def __init__(self, name: str, packed: str) -> None:
        self.carries = name
        self._sources: dict[str, tuple[bool, str]] = json.loads(
            zlib.decompress(base64.b85decode(packed))
        )

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give what the import system asks of a finder."""
        del path, target  # a module's name says all
        if fullname not in self._sources:
            return None
        return spec_from_loader(fullname, self, origin=self._file(fullname))

    def is_package(self, fullname: str) -> bool:
        """Tell whether a module is one that has others."""
        return self._sources[fullname][0]

    def get_source(self, fullname: str) -> str:
        """Give a module's source; linecache shows a traceback's lines with it."""
        return self._sources[fullname][1]

    def get_code(self, fullname: str) -> CodeType:
        """Give a module's code; no future of this file is in force there."""
        source, file = self.get_source(fullname), self._file(fullname)
        return compile(source, file, "exec", dont_inherit=True)

    def _file(self, fullname: str) -> str:
        end = "/__init__.py" if self.is_package(fullname) else ".py"
        return fullname.replace(".", "/") + end


def bring(name: str, packed: str, module: str) -> ModuleType:
    """Give a module of a package that is brought along; brought once.

    Parameters
    ----------
    name, packed
        As in `Carried`.
    module
        Its name in the package.
    """
    if not any(getattr(finder, "carries", None) == name for finder in sys.meta_path):
        sys.meta_path.append(Carried(name, packed))
    return importlib.import_module(f"{name}.{module}")
