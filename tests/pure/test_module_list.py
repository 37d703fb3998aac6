"""The list of a process's modules, followed while others change it; its memory is a dict here."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from functools import partial

import pytest

from omp_magic.machine.windows.modules import Module, follow

HEAD = 0x1000
ENTRY_BYTES = 0x68


class Loader:
    """A loader's list in memory: each read may be told of before it is answered."""

    def __init__(self, names: list[str]) -> None:
        self.memory: dict[int, bytes] = {}
        self.before_read: Callable[[], None] = lambda: None
        self.reads = 0
        self.order: list[int] = []
        self._places = iter(range(0x10000, 1 << 40, 0x1000))
        self._link()
        for name in names:
            self.load(name)

    def load(self, name: str, *, path: str | None = None) -> int:
        at = next(self._places)
        text = (rf"C:\dlls\{name}" if path is None else path).encode("utf-16-le")
        entry = bytearray(ENTRY_BYTES)
        struct.pack_into("<QQI", entry, 0x30, at << 8, 0, 0x5000)
        struct.pack_into("<HHIQ", entry, 0x48, len(text), len(text), 0, at + 0x800)
        self.memory[at], self.memory[at + 0x800] = bytes(entry), text
        self.order.append(at)
        self._link()
        return at

    def unload(self, at: int, *, freed: bytes | None = None) -> None:
        """Take an entry out; its memory is kept, or gone, or another's."""
        self.order.remove(at)
        self._link()
        if freed is not None:
            del self.memory[at + 0x800]
            self.memory[at] = freed

    def _link(self) -> None:
        ring = [HEAD, *self.order]
        for index, at in enumerate(ring):
            links = struct.pack("<QQ", ring[(index + 1) % len(ring)], ring[index - 1])
            self.memory[at] = links + self.memory.get(at, b"")[16:]

    def read(self, address: int, size_bytes: int) -> bytes:
        self.reads += 1
        self.before_read()
        data = self.memory.get(address, b"")[:size_bytes]
        if len(data) < size_bytes:
            raise OSError(f"nothing lies at {address:#x}")
        return data

    def names(self) -> list[str]:
        return [each.path.rpartition("/")[2] for each in follow(self.read, HEAD)]


NAMES = [f"m{index}.dll" for index in range(30)]


def test_a_list_that_stands_still_costs_two_reads_a_module() -> None:
    loader = Loader(NAMES)
    assert loader.names() == NAMES
    assert loader.reads <= 2 * len(NAMES) + 2
    assert follow(loader.read, HEAD)[0] == Module(0x10000 << 8, 0x5000, "C:/dlls/m0.dll")
    assert Loader([]).names() == []


def change(
    loader: Loader, randomly: random.Random, freed: bytes | None, passing: list[int]
) -> None:
    if randomly.random() >= 0.15:
        return
    if passing and randomly.random() < 0.5:
        loader.unload(passing.pop(randomly.randrange(len(passing))), freed=freed)
    else:
        passing.append(loader.load("passing.dll"))


@pytest.mark.parametrize("freed", [None, b"", b"\xee" * ENTRY_BYTES, b"\0" * ENTRY_BYTES])
def test_modules_that_come_and_go_meanwhile_hide_no_other(freed: bytes | None) -> None:
    """Whatever the memory of an entry holds that was taken out."""
    randomly = random.Random(5)
    for _ in range(60):
        loader = Loader(NAMES)
        loader.before_read = partial(change, loader, randomly, freed, [])
        found = loader.names()
        assert [each for each in found if each != "passing.dll"] == NAMES


def test_a_path_whose_memory_is_anothers_by_now_is_none() -> None:
    loader = Loader(NAMES)
    gone = loader.load("gone.dll", path="\u4141\u4242\u4343")

    def unload() -> None:
        if loader.reads > 2 * len(NAMES) + 10 and gone in loader.order:
            loader.unload(gone)

    loader.before_read = unload
    assert loader.names() == NAMES


def test_a_list_without_an_end_is_refused() -> None:
    loader = Loader(NAMES)
    loader.memory[HEAD] = struct.pack("<QQ", loader.order[0], 0xDEAD)
    with pytest.raises(OSError, match="does not end"):
        loader.names()
    assert loader.reads < 1_000_000


def test_memory_that_cannot_be_read_is_refused() -> None:
    loader = Loader(NAMES)
    del loader.memory[HEAD]
    with pytest.raises(OSError, match="nothing lies"):
        loader.names()
