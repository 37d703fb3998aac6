"""Which modules a source reaches, and which libraries it opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from omp_magic.installed.modules import Installed
from omp_magic.installed.reached import Walk
from omp_magic.installed.sources import Sources
from omp_magic.installed.statements import imports_of


@pytest.mark.parametrize(
    ("head", "when"),
    [
        ("if x == 'win32':", "win32"),
        ("if x and y == 'win32':", "win32"),
        ("if x == 'win32' or y:", ""),
        ("if y or x == 'win32':", ""),
        ("if factor == 'win32':", "win32"),
    ],
)
def test_a_compared_text_tells_only_where_nothing_else_lets_the_block_run(
    head: str, when: str
) -> None:
    (found,) = imports_of(f"{head}\n    import a\n".encode())
    assert (found.module, found.when) == ("a", when)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import a; import b", [("a", True), ("b", True)]),
        ("import a; from b.c import d; import e", [("a", True), ("b.c", True), ("e", True)]),
        ("import a; x['k'] = '1'; import b", [("a", True), ("b", False)]),
        ("if x: import a; import b", [("b", False)]),
        ("run('import a; import b')", []),
        ("run('x; import a'); import b", [("b", False)]),
        ("x = 1  # no; import a", []),
        ("def f():\n    import a; import b", []),
    ],
)
def test_each_import_of_a_line_is_found(line: str, found: list[tuple[str, bool]]) -> None:
    assert [(each.module, each.certain) for each in imports_of(f"{line}\n".encode())] == found


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["as Unix ends lines", "as Windows does"])
def test_an_import_that_goes_over_lines_is_found(end: str) -> None:
    """scipy's wheel for Windows has such ones."""
    lines = "x = 1", "from a.b \\", "    import c, \\", "    d", "from e import (f, # )", "    g)"
    found = imports_of("".join(each + end for each in lines).encode())
    assert [(each.module, each.names) for each in found] == [("a.b", ("c", "d")), ("e", ("f", "g"))]


@pytest.mark.parametrize(
    ("environ", "reached"),
    [({}, "for_tensorflow"), ({"KERAS_BACKEND": "torch"}, "for_torch")],
)
def test_keras_takes_tensorflow_where_no_variable_names_another(
    environ: dict[str, str], reached: str, tmp_path: Path
) -> None:
    (tmp_path / "keras" / "src").mkdir(parents=True)
    (tmp_path / "keras" / "__init__.py").write_text("import keras.src.backend\n")
    (tmp_path / "keras" / "src" / "__init__.py").write_text("")
    (tmp_path / "keras" / "src" / "backend.py").write_text(
        "if backend() == 'tensorflow':\n    import for_tensorflow\n"
        "elif backend() == 'torch':\n    import for_torch\n"
    )
    for name in ("for_tensorflow", "for_torch"):
        (tmp_path / f"{name}.py").write_text("")
    walk = Walk(Installed([str(tmp_path)]), Sources(), environ)
    assert list(walk.into("keras")) == []
    assert [name for name in walk.modules if name.startswith("for_")] == [reached]


def test_a_library_that_a_comment_or_a_docstring_names_is_not_opened(tmp_path: Path) -> None:
    source = tmp_path / "loader.py"
    source.write_text(
        '"""Finds libdoc.so."""\nimport ctypes  # libnote.so\nopen_it("libreal.so")\n'
    )
    text = Sources().of(str(source), wanted=True).text
    assert [name for name in (b"libdoc", b"libnote", b"libreal") if name in text] == [b"libreal"]
    assert Sources().of(str(source), wanted=False).text == b""
