"""Record of the real wheels what a walk over the reported imports reads: tests/recorded.py.

    make record-foreign

Fetches what is missing, 8 GB in all, and writes tests/data/foreign/wheels.json.xz. What a row's
walk reads is kept, and every shared library of its wheels, read or not; in RECORD stands no more.
"""

from __future__ import annotations

import json
import lzma
import posixpath
import sys
import zipfile
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from machinecode import MACH_CPUS  # noqa: E402 - found by the line above
from places import ROOT  # noqa: E402 - as above
from recorded import WHEELS, Row, rows  # noqa: E402 - as above

from foreign.fetching import installed_path, is_kept, wheel  # noqa: E402 - as above
from foreign.reducing import reduced  # noqa: E402 - as above
from omp_magic.errors import OmpMagicError  # noqa: E402 - as above
from omp_magic.facts.targets import Target  # noqa: E402 - as above
from omp_magic.formats.binaries import parse_binary, parse_texts  # noqa: E402 - as above
from omp_magic.installed.modules import Installed, is_extension  # noqa: E402 - as above
from omp_magic.installed.reached import Walk  # noqa: E402 - as above
from omp_magic.installed.sources import Sources  # noqa: E402 - as above
from omp_magic.requirements.wheelfiles import WheelFiles  # noqa: E402 - as above

_TEXTS = (
    *(b"_multiarray_umath", b"\0numpy\0", b"does not export expected C"),
    *(b"scipy.linalg.cython_blas", b"scipy.linalg.cython_lapack"),
    b"__kmp_suspend_64ILb0ELb1EE",
)
"""Texts by which the walk tells what an extension module imports (installed/reached.py), and by
which a runtime tells whether its weak symbols are those of other copies (LLVM since 12)."""
_METADATA = ("Metadata-Version:", "Name:", "Version:")
_LIBRARIES = (".so", ".dylib", ".dll", ".pyd")


class _Seen(WheelFiles):
    """The files of wheels, and which of them were read."""

    def __init__(self, wheels: Iterable[str], target: Target) -> None:
        super().__init__(wheels, target)
        self.read_paths: set[str] = set()

    def read(self, path: str, most_bytes: int) -> bytes:
        """See `Files.read`."""
        self.read_paths.add(path)
        return super().read(path, most_bytes)


def read_by(row: Row, wheels: Iterable[Path]) -> tuple[set[str], list[str]]:
    """Give the files below site-packages that a row's walk reads, and what it does not find."""
    files = _Seen(map(str, wheels), row.target)
    installed = Installed([files.site], files, row.target)
    walk = Walk(installed, Sources(files, row.target))
    for each in row.imports:
        for _ in walk.into(each):
            pass
    binaries = {each.file for each in walk.modules.values() if each is not None and each.binary}
    read = files.read_paths | {each for each in binaries if each is not None}
    missing = [f"{lost} is missing for {name}" for name, lost in walk.failed.items() if name]
    return {posixpath.relpath(each, files.site) for each in read}, missing


def facts(data: bytes) -> list[dict[str, Any]]:
    """Give what is recorded of a file of machine code: an entry for each processor of a target."""
    found = []
    for each in parse_binary(data):
        if each.cpu not in MACH_CPUS:
            continue
        entry: dict[str, Any] = {"system": each.system, "cpu": each.cpu, "name": each.name}
        for name in ("needed", "weak", "delayed", "rpaths", "sdk", "forwards", "forwarder"):
            if getattr(each, name):
                entry[name] = getattr(each, name)
        texts = [*parse_texts(data, each.cpu), *(t.decode("latin-1") for t in _TEXTS if t in data)]
        found.append(entry | ({"texts": texts} if texts else {}))
    return found


def recorded(path: str, data: bytes, libraries: Collection[str]) -> Any:
    """Give what is recorded of a file: facts of machine code, a shorter text of all others."""
    if path.endswith(_LIBRARIES):
        return facts(data)
    if path.endswith(".py"):
        return reduced(data, libraries)
    lines = data.decode("utf-8", "replace").splitlines(keepends=True)
    if path.endswith("/METADATA"):
        return "".join(each for each in lines if each.startswith(_METADATA))
    return "" if path.endswith("/RECORD") else "".join(lines)


def _is_recorded(path: str, read: bool) -> bool:
    """Tell whether a file is recorded: read, a library, a package's first file, or metadata."""
    start = path.count("/") == 1 and path.endswith("/__init__.py")
    return read or start or _library(path) or "/" not in path or ".dist-info/" in path


def _library(path: str) -> bool:
    return path.endswith(_LIBRARIES) and not is_extension(path)


def record(all_rows: Sequence[Row], say: Callable[[str], None]) -> dict[str, Any]:
    """Give what is recorded of all rows' wheels."""
    with ThreadPoolExecutor(6) as pool:
        pairs = sorted({(name, row) for row in all_rows for name in row.wheels}, key=repr)
        list(pool.map(lambda pair: wheel(*pair), pairs))
    wheels: dict[str, dict[str, Any]] = {}
    for row in all_rows:
        paths = [wheel(name, row) for name in row.wheels]
        read, missing = read_by(row, paths)
        say(f"{row.name}: {len(read)} files" + "".join(f"; {each}" for each in missing))
        for path in paths:
            _record(path, read, wheels.setdefault(path.name, {}))
    return _shared(wheels)


def _record(path: Path, read: set[str], files: dict[str, Any]) -> None:
    """Record what counts of one wheel, as far as another row did not."""
    with zipfile.ZipFile(path) as archive:
        names = [each for each in archive.namelist() if is_kept(each)]
        libraries = {posixpath.basename(each).partition(".")[0] for each in filter(_library, names)}
        for inside in names:
            there = installed_path(inside)
            known = there in files and not (there in read and files[there] == "")
            if known or not _is_recorded(inside, there in read):
                continue
            unread = inside.endswith(".py") and there not in read
            with suppress(OmpMagicError):  # no file of machine code in spite of its name
                files[there] = "" if unread else recorded(inside, archive.read(inside), libraries)


def _shared(wheels: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Put each content down once: a list of contents, and of each wheel path -> number."""
    numbers: dict[str, int] = {}
    contents: list[Any] = []
    found: dict[str, dict[str, int]] = {}
    for name in sorted(wheels):
        for path, content in sorted(wheels[name].items()):
            key = json.dumps(content)
            if key not in numbers:
                numbers[key] = len(contents)
                contents.append(content)
            found.setdefault(name, {})[path] = numbers[key]
    return {"contents": contents, "wheels": found}


def main() -> None:
    """Record all rows."""
    made = record(rows(), print)
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
    WHEELS.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{WHEELS.relative_to(ROOT)}: {WHEELS.stat().st_size} bytes, {len(text)} unpacked")


if __name__ == "__main__":
    main()
