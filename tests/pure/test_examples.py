"""What the examples fix is what the tool writes, on every machine; their table names each file."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from places import ROOT

EXAMPLES = ROOT / "examples"


def writer() -> Any:
    spec = importlib.util.spec_from_file_location("write_examples", EXAMPLES / "write.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_fixed_is_what_the_tool_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make examples` writes it."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    write = writer()
    made = write.files()
    found = {name: (write.FOLDER / name).read_bytes().decode() for name in made}
    assert found == made
    for name, text in made.items():
        assert text.count(write.made(write.FILES[name])) == 1, name


def test_the_table_names_every_file() -> None:
    table = (EXAMPLES / "README.md").read_text("utf-8")
    names = [path.relative_to(EXAMPLES) for path in (EXAMPLES / "server").rglob("*")]
    files = [name for name in names if (EXAMPLES / name).is_file() and name.suffix != ".pyc"]
    assert len(files) > 15
    assert not [str(name) for name in files if f"`{name}`" not in table]
