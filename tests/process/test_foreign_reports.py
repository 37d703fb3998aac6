"""Ordered imports on macOS and Windows, from recorded files: what public reports saw is foreseen.

The real wheels, which say the same, are tried by `make test-foreign` (tests/foreign).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded import Row, rows, site_of

import omp_magic

_UNMASKED = {"OMP101", "OMP107"}
_DUPLICATES = {*_UNMASKED, "OMP102"}

_OTHERWISE = "faiss-wheels/faiss-wheels#100"
"""Both copies register by shm_open and should notice each other; the report saw a crash."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder in memory where there is such a disk: a row has up to a thousand files."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="omp-row-") as made:
        yield Path(made)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_report_is_foreseen(row: Row, folder: Path) -> None:
    found = omp_magic.check(*row.imports, target=row.target, site=site_of(row, folder))
    codes = {each.code for each in found.findings} & _DUPLICATES
    copies = [each.path for each in found.runtimes if each.kin == "llvm"]
    assert len(copies) == row.copies, copies
    if row.verdict == "OMP101":
        assert codes & _UNMASKED
        assert "OMP102" not in codes
    elif row.verdict == "OMP102":
        assert "OMP102" in codes
    else:
        assert not codes
    assert not found.unknown
    # How it ends: copies that notice each other end the process with Error #15, others crash.
    if row.ends == "error15":
        assert "OMP101" in codes
        assert "OMP107" not in codes
    elif row.ends == "crash" and row.report != _OTHERWISE:
        assert "OMP107" in codes
    if row.missing:
        assert any(row.missing in note for note in found.notes), found.notes
    else:
        assert not found.notes
