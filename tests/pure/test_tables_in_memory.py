"""Tables of an image in memory that is broken: refused with an OSError, in bounded memory."""

from __future__ import annotations

import random
import struct

import pytest

from omp_magic.machine.windows.tables import Tables

BASE, EXPORTS, IMPORTS = 0x10000, 0x1000, 0x2000
MOST_BYTES_A_READ = 64 * 1024 * 1024


def image() -> bytearray:
    """An image with two exports, one of them forwarded, and one import."""
    data = bytearray(0x3000)
    data[:2] = b"MZ"
    struct.pack_into("<I", data, 60, 0x80)
    data[0x80:0x84] = b"PE\0\0"
    struct.pack_into("<H", data, 0x80 + 20, 240)  # its optional header, with 16 tables
    struct.pack_into("<H", data, 0x98, 0x20B)
    struct.pack_into("<I", data, 0x98 + 108, 16)
    struct.pack_into("<IIII", data, 0x98 + 112, EXPORTS, 0x200, IMPORTS, 40)
    struct.pack_into(
        "<IIIII", data, EXPORTS + 20, 2, 2, EXPORTS + 0x40, EXPORTS + 0x50, EXPORTS + 0x60
    )
    struct.pack_into("<II", data, EXPORTS + 0x40, 0x2800, EXPORTS + 0x80)
    struct.pack_into("<II", data, EXPORTS + 0x50, EXPORTS + 0xA0, EXPORTS + 0xB0)
    struct.pack_into("<HH", data, EXPORTS + 0x60, 0, 1)
    for at, text in ((0x80, b"other.there"), (0xA0, b"here"), (0xB0, b"there")):
        data[EXPORTS + at : EXPORTS + at + len(text)] = text
    struct.pack_into("<IIIII", data, IMPORTS, 0, 0, 0, IMPORTS + 0x40, IMPORTS + 0x80)
    data[IMPORTS + 0x40 : IMPORTS + 0x49] = b"other.dll"
    return data


class Memory:
    """A process's memory, with nothing but zeros behind the image."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = bytes(data)
        self.reads = 0

    def __call__(self, address: int, size_bytes: int) -> bytes:
        self.reads += 1
        assert size_bytes <= MOST_BYTES_A_READ
        if address < BASE:
            raise OSError("nothing lies there")
        return self.data[address - BASE :][:size_bytes].ljust(size_bytes, b"\0")


def test_what_is_whole_is_read() -> None:
    tables = Tables(Memory(image()), BASE)
    assert tables.address("here") == BASE + 0x2800
    assert tables.address("there") == "other.there"
    assert tables.address("nowhere") is None
    assert tables.address("\ud800") is None
    assert tables.needed() == (("other.dll", BASE + IMPORTS + 0x80),)


@pytest.mark.parametrize("number", [0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("place", [0x98 + 112 + 4, EXPORTS + 20, EXPORTS + 24])
def test_a_size_beyond_reason_is_refused_before_it_is_read(place: int, number: int) -> None:
    data = image()
    struct.pack_into("<I", data, place, number)
    with pytest.raises(OSError, match="the exports of the image"):
        Tables(Memory(data), BASE).address("here")


def test_tables_that_lead_anywhere_are_an_answer_or_an_oserror() -> None:
    randomly = random.Random(3)
    for _ in range(3000):
        data = image()
        for _ in range(randomly.randint(1, 4)):
            part = randomly.choice((0x3C, 0x80, 0x98 + 100, EXPORTS + 16, EXPORTS + 0x40, IMPORTS))
            data[part + randomly.randrange(40)] = randomly.choice((0, 1, 0x7F, 0xFF))
        memory = Memory(data)
        try:
            tables = Tables(memory, BASE)
            tables.needed()
            tables.address("here")
        except OSError:
            pass
        assert memory.reads < 500_000


def test_texts_without_an_end_are_cut() -> None:
    data = image()
    data[EXPORTS + 0xA0 : EXPORTS + 0x200] = b"x" * 0x160
    data[IMPORTS + 0x40 :] = b"y" * (len(data) - IMPORTS - 0x40)
    tables = Tables(Memory(data), BASE)
    assert tables.address("here") is None
    ((name, _),) = tables.needed()
    assert len(name) <= 3 * 4096


def test_a_reader_that_gives_less_than_was_asked_for_ends() -> None:
    whole = Memory(image())
    with pytest.raises(OSError, match=r"no whole head|no image"):
        Tables(lambda *_: b"", BASE)
    head = whole(BASE, 0x1000)
    tables = Tables(lambda at, _: head if at == BASE else b"", BASE)
    assert tables.needed() == ()
    with pytest.raises(OSError, match="the exports of the image"):
        tables.address("here")
