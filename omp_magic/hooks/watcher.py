"""What is told of loads; `loads` tells it."""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any


class Watcher:
    """What is told of loads; a method called before one may raise a `Refusal`.

    What is not overridden is not called, and costs nothing.
    """

    sources: Container[str] | None = None
    """Top-level names of the Python modules that it is told of, at each moment; None for all.

    An import of scikit-learn runs 1,100 modules: one look into a dict each is 0.2 ms, and a call
    before and after each was 11."""

    def before_import(self, name: str) -> None:
        """Be told that something is imported or loaded in a thread in which nothing else is.

        That is once for ``import sklearn``, whatever it imports in turn, before any of it runs;
        ``import sklearn.cluster`` is two, one after the other. Of a library that ctypes loads the
        name is ``"loading "`` and what it was asked for.
        """

    def after_import(self, name: str) -> None:
        """Be told that this import or load has ended, however it did."""

    def before_extension(self, name: str, path: str) -> None:
        """Be told of an extension module."""

    def before_library(self, name: str, shared: bool) -> None:
        """Be told of a library that ctypes loads, and whether into the global scope."""

    def before_folder(self, folder: str, module: str, source: str) -> None:
        """Be told of a folder in which libraries are to be found; of the module and its file."""

    def after_folder(self, opened: Any) -> None:
        """Be told that such a folder is open, by what os.add_dll_directory gives."""

    def after_load(self) -> None:
        """Be told that an extension module or a library was loaded, or failed to."""

    def before_source(self, name: str) -> None:
        """Be told of a Python module that is to be run, for the first time or again."""

    def after_source(self, name: str) -> None:
        """Be told that a Python module has run, or failed to."""
