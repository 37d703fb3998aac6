"""Calls into the running process that change nothing in it, and what is kept between looks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ...formats.procfs import Segments
from .rows import Memory, Process, Symbols


class Starts(Protocol):
    """Where threads of one process began; kept between looks."""

    @property
    def main(self) -> int:
        """The process's first thread, which nobody began."""

    def settle(self) -> None:
        """Do the one step that calls the loader, on the main thread; see `stacks`."""

    def listed(self) -> list[tuple[str, int]]:
        """Give (tid, what tells it from a later thread of that number) of each thread.

        Raises
        ------
        OSError
            When they cannot be listed.
        """

    def find(self, wanted: set[int], segments: Segments) -> dict[int, tuple[int, int] | None]:
        """Give (start routine, its argument) of threads.

        Returns
        -------
        dict
            None for a thread that must be looked at again and does not count as asked; one that
            is left out could not be found this time.

        Raises
        ------
        OSError
            When it cannot be known; its text is the reason.
        """


class Relatives(Protocol):
    """The descendants of a process, looked at again and again."""

    unasked: int
    """Processes that were not asked yet for their parent."""

    def forget(self) -> None:
        """Forget what is kept: there are none."""

    def pids(self) -> set[int]:
        """Give the descendants.

        Raises
        ------
        OSError, ParseError
            When they cannot be listed.
        """

    def one(self, pid: int) -> tuple[Process, float | None] | None:
        """Give what one is now and its CPU time in s, None where that is not told.

        None when it has ended, or may not be asked.
        """


class Variables(Protocol):
    """The C environment as a whole; see `environ`."""

    def changed(self) -> bool:
        """Tell whether a variable was set or unset since `read`."""

    def read(self) -> dict[bytes, bytes]:
        """Give all variables."""


class ExitMark(Protocol):
    """What a call of C's exit leaves behind; see `Native.mark_exit`."""

    kind: str
    """``"mode"``: the file's mode is the exit status, else 0600; ``"absence"``: it is gone."""

    def forget(self) -> None:
        """Mark nothing any more; for a forked child, which has the mark of its parent."""

    def take_back(self) -> None:
        """Take it back, and remove the file. Called once."""


class Native(Protocol):
    """Calls into this process that change nothing in it."""

    has_global_scope: bool
    """Whether symbols of what was loaded first serve others too (ELF; no two-level namespace)."""

    def loader_changes(self) -> tuple[int, int] | None:
        """Give what is another pair once anything was loaded or unloaded, by whatever way.

        Returns
        -------
        (adds, subs) or None
            None where the loader does not count: then every look reads the map.
        """

    def load_order(self, read_memory: Memory) -> tuple[int, ...]:
        """Give the addresses that loaded images begin at, in the order of loading."""

    def getenv(self, name: str) -> str | None:
        """Give a variable as C sees it, which is what libraries read."""

    def set_others(self, name: str, value: str) -> None:
        """Set a variable where ``os.environ``, which has it by now, does not set it itself."""

    def kept_env(self, name: str) -> tuple[str | None, ...]:
        """Give a variable in each environment that C's libraries may read.

        First what `getenv` gives; the rest is for `give_back_env`.
        """

    def give_back_env(self, name: str, kept: tuple[str | None, ...], *, now: str | None) -> None:
        """Set a variable to what it was in each of them.

        Parameters
        ----------
        name, kept
            What `kept_env` was asked for, and gave.
        now
            What ``os.environ`` has just set.
        """

    def is_loaded(self, name: str) -> bool:
        """Tell whether the loader has an image under this name; nothing is loaded."""

    def symbols(
        self, path: str, starts: tuple[int, ...], wanted: tuple[tuple[str, ...], ...]
    ) -> Symbols | None:
        """Look symbols up in a library that is loaded, without loading anything.

        Parameters
        ----------
        path
            Path of the loaded file; a name without ``/`` finds it by its SONAME.
        starts
            Addresses at which the segments of the mapping that is meant begin; a symbol of
            another image, a second copy of the same name for example, is not taken.
        wanted
            Alternative names for each symbol, the first that exists is taken.

        Returns
        -------
        Symbols or None
            The address of each, or None for each that the library lacks; None when the
            loader does not know the library under this name.
        """

    def dependency_symbol(self, path: str, name: str) -> int | None:
        """Give the address of a symbol in a loaded library or in what it was linked with."""

    def bindings(self, names: Collection[str]) -> dict[tuple[int, str], int]:
        """Give whom the loader has bound imports to, where each names its library.

        Parameters
        ----------
        names
            File names of libraries.

        Returns
        -------
        dict
            The base of the image that answers, by the base of the one that imports and the name
            in lower case; empty where imports name no library (ELF), or it is not told.
        """

    def global_symbol(self, name: str) -> int | None:
        """Give the address that a symbol has in the global scope, or None."""

    def base_of(self, address: int) -> int | None:
        """Give the lowest address of the loaded image that holds `address`, or None."""

    def path_of(self, address: int) -> str | None:
        """Give the path that the image holding `address` was loaded by, or None."""

    def blas_threading(self) -> str | None:
        """Give how the system's own BLAS works in this thread: ``"multi"`` or ``"single"``.

        None where it has none, it is not loaded, or it does not tell.
        """

    def mark_exit(self, path: str) -> ExitMark:
        """Have C's exit, whoever calls it, leave a mark on a new file.

        Raises
        ------
        OSError
            When this system has no way to do so.
        """

    def close(self) -> None:
        """Take back what asking needed of the system; the next question needs it anew."""
