"""The loader's cache: real ones, made ones, damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import LINUX

from omp_magic.errors import ParseError
from omp_magic.formats.ldcache import FLAGS, Entry, LdCache, parse_ldcache
from omp_magic.loader.resolver import Asker, Resolver
from omp_magic.loader.sharedobjects import WORD_BYTES, Dynamic, SharedObjects, host
from omp_magic.machine import Machine

X86_64 = 0x303
LEVELS = ("x86-64-v4", "x86-64-v3", "x86-64-v2")


def table(entries: list[Entry], folders: tuple[str, ...] = (), start: int = 0) -> bytes:
    """Make a cache as ldconfig does: header, entries, texts, the extension's table."""
    header = 48 + 24 * len(entries)
    texts, rows = b"", []

    def place(text: str) -> int:
        nonlocal texts
        texts += text.encode() + b"\0"
        return header + len(texts) - len(text.encode()) - 1

    for entry in entries:
        hwcap = entry.legacy
        if entry.hwcaps is not None:
            hwcap = 1 << 62 | 3 << 32 | folders.index(entry.hwcaps)
        rows.append(
            struct.pack("=IIIIQ", entry.flags, place(entry.name), place(entry.path), 0, hwcap)
        )
    named = struct.pack(f"={len(folders)}I", *map(place, folders))
    texts += bytes(-(header + len(texts)) % 4)
    extension = start + header + len(texts)
    writer = b"ldconfig (GNU libc)\0"
    rows_end = extension + 8 + 2 * 16
    section = struct.pack("=II", 0xEAA42174, 2)
    section += struct.pack("=IIII", 0, 0, rows_end + len(named), len(writer))
    section += struct.pack("=IIII", 1, 0, rows_end, len(named)) + named + writer
    head = struct.pack(
        "=20sIIB3xI12x", b"glibc-ld.so.cache1.1", len(entries), len(texts), 2, extension
    )
    return head + b"".join(rows) + texts + section


PLAIN = [
    Entry("libb.so.1", "/lib/libb.so.1", X86_64),
    Entry("liba.so.1", "/lib32/liba.so.1", 0x3),
    Entry("liba.so.1", "/lib/liba.so.1", X86_64),
    Entry("liba.so.1", "/opt/liba.so.1", X86_64),
]
MIXED = [
    Entry("liba.so.1", "/lib/v2/liba.so.1", X86_64, "x86-64-v2"),
    Entry("liba.so.1", "/lib/v3/liba.so.1", X86_64, "x86-64-v3"),
    Entry("liba.so.1", "/lib/avx/liba.so.1", X86_64, None, 1 << 3),
    Entry("liba.so.1", "/lib/liba.so.1", X86_64),
]


def test_the_first_entry_for_this_machine_is_taken() -> None:
    cache = parse_ldcache(table(PLAIN))
    assert cache == LdCache(tuple(PLAIN))
    assert cache.lookup("liba.so.1", X86_64) == "/lib/liba.so.1"
    assert cache.lookup("liba.so.1", 0x3) == "/lib32/liba.so.1"
    assert cache.lookup("libb.so.1", 0x3) is None
    assert cache.lookup("libc.so.6", X86_64) is None


@pytest.mark.parametrize(
    ("allowed", "taken"), [(3, "/lib/v3"), (2, "/lib/v3"), (1, "/lib/v2"), (0, "/lib")]
)
def test_the_best_folder_that_the_processor_allows_is_taken(allowed: int, taken: str) -> None:
    cache = parse_ldcache(table(MIXED, ("x86-64-v2", "x86-64-v3")))
    assert cache == LdCache(tuple(MIXED))
    levels = LEVELS[len(LEVELS) - allowed :]
    assert cache.lookup("liba.so.1", X86_64, levels) == f"{taken}/liba.so.1"


def test_the_best_folder_is_taken_in_whatever_order_the_file_has_them() -> None:
    for order in ((0, 1), (1, 0)):
        cache = LdCache((*(MIXED[number] for number in order), MIXED[3]))
        assert cache.lookup("liba.so.1", X86_64, LEVELS) == "/lib/v3/liba.so.1"


def test_an_older_table_before_it_is_passed_over() -> None:
    old = b"ld.so-1.7.0\0" + struct.pack("=I", 3) + bytes(36)
    start = len(old) + -len(old) % 8
    folders = ("x86-64-v2", "x86-64-v3")
    whole = old.ljust(start, b"\0") + table(MIXED, folders, start)
    assert parse_ldcache(whole) == LdCache(tuple(MIXED))


def test_texts_and_folders_outside_the_file_leave_their_entry_out() -> None:
    whole = bytearray(table(PLAIN))
    struct.pack_into("=I", whole, 48 + 4, len(whole))
    struct.pack_into("=I", whole, 48 + 24 + 8, 0xFFFFFFFF)
    assert parse_ldcache(bytes(whole)).entries == tuple(PLAIN[2:])
    cut = bytearray(table(MIXED, ("x86-64-v2", "x86-64-v3")))
    struct.pack_into("=I", cut, 32, len(cut) - 4)
    assert parse_ldcache(bytes(cut)).entries == tuple(MIXED[2:])


@pytest.mark.skipif(not LINUX, reason="follows glibc's loader for this machine")
@pytest.mark.parametrize(
    ("usual", "place", "paths"),
    [
        (True, "/usr/lib64", ["/usr/lib64/liba.so.1", "/lib64/liba.so.1", "/usr/lib64/liba.so.1"]),
        (True, "/opt", ["/opt/liba.so.1", "/lib64/liba.so.1", "/usr/lib64/liba.so.1"]),
        (False, "/usr/lib64", []),
        (False, "/opt", ["/opt/liba.so.1"]),
    ],
)
def test_who_refuses_the_default_folders_is_not_given_them_by_the_cache(
    usual: bool, place: str, paths: list[str], tmp_path: Path
) -> None:
    """DF_1_NODEFLIB, of a library that was linked with ``-z nodefaultlib``: see ld(1)."""
    flags = FLAGS[host()[2], WORD_BYTES]
    for name in ("etc", "proc/self"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "proc/self/environ").write_bytes(b"A=1\0")
    cache = table([Entry("liba.so.1", f"{place}/liba.so.1", flags)])
    (tmp_path / "etc/ld.so.cache").write_bytes(cache)
    asker = Asker(Dynamic(default_folders=usual), "/nowhere")
    resolver = Resolver(Machine(tmp_path), SharedObjects(), asker, None, (2, 40))
    found = [path for path in resolver._candidates("liba.so.1", asker) if "hwcaps" not in path]
    assert found == paths


@pytest.mark.parametrize(
    "text",
    [b"", b"ld.so-1.7.0", b"ld.so-1.7.0\0" + b"\xff" * 40, b"glibc-ld.so.cache1.1", b"x" * 99],
)
def test_what_is_no_cache_is_a_parse_error(text: bytes) -> None:
    with pytest.raises(ParseError):
        parse_ldcache(text)


@given(st.binary(max_size=300), st.data())
def test_any_damage_is_a_parse_error_or_fewer_entries(noise: bytes, data: st.DataObject) -> None:
    whole = bytearray(table(MIXED, ("x86-64-v2", "x86-64-v3")))
    at = data.draw(st.integers(0, len(whole)))
    whole[at : at + len(noise)] = noise
    kept = data.draw(st.integers(0, len(whole)))
    for text in (bytes(whole), bytes(whole[:kept]), noise):
        try:
            cache = parse_ldcache(text)
        except ParseError:
            continue
        cache.lookup("liba.so.1", X86_64, LEVELS)
        assert len(cache.entries) * 24 <= len(text)
