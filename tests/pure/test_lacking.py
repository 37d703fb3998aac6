"""Where the system has caches, and calls that some systems lack."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest
from madewheels import make_wheel

from omp_magic.machine.python.caches import cache_home
from omp_magic.machine.python.lacking import give_to, let_go
from omp_magic.requirements.filefacts import KeptFacts
from omp_magic.requirements.members import members_of


def test_caches_are_where_the_system_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("USERPROFILE", "/home/ann")
    home = "/home/ann"
    given = {"XDG_CACHE_HOME": "/x", "LOCALAPPDATA": "/l", "": "/no"}
    assert cache_home(given, "linux") == "/x"
    assert cache_home(given, "windows") == "/l"
    assert cache_home({}, "linux") == os.path.join(home, ".cache")
    assert cache_home({"XDG_CACHE_HOME": ""}, "linux") == os.path.join(home, ".cache")
    assert cache_home({}, "windows") == os.path.join(home, "AppData", "Local")
    assert cache_home(given, "macos") == os.path.join(home, "Library", "Caches")


UNIX = pytest.mark.skipif(not hasattr(os, "chown"), reason="files have no such owners and modes")


@UNIX
def test_a_file_is_given_to_who_had_another(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("1")
    second.write_text("2")
    wanted = list(os.stat(first))
    mine = os.stat(second)
    wanted[4:6] = [12_345, 12_345]  # user and group: nobody's, which only root may give
    give_to(os.fspath(second), os.stat_result(wanted))
    now = os.stat(second)
    given = (12_345, 12_345) if mine.st_uid == 0 else (mine.st_uid, mine.st_gid)
    assert (now.st_uid, now.st_gid) == given


def test_what_was_let_go_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * 3 * mmap.PAGESIZE)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        let_go(data, mmap.PAGESIZE, 2 * mmap.PAGESIZE)
        assert data[:] == path.read_bytes()


@UNIX
def test_kept_facts_are_written_by_their_owner_alone(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "one", {"one/_c.so": b"no machine code"})
    (member,) = [each for each in members_of(wheel) if each.name.endswith(".so")]
    before = os.umask(0)
    try:
        KeptFacts(os.fspath(tmp_path / "cache")).of(member)
    finally:
        os.umask(before)
    (kept,) = (tmp_path / "cache").glob("facts/*/*.jsonl")
    assert not os.stat(kept).st_mode & 0o022
    assert kept.read_bytes().endswith(b"}\n")
