"""Recorded sites of other systems: small files that say what the real wheels' files say.

`data/foreign/reports.json` has ordered imports with what public reports saw, and the wheels of
each; `data/foreign/wheels.json.xz` has of each wheel what a walk over those imports reads: of
machine code the facts in its headers, of Python files the statements that import modules, open
libraries or change where either are looked for. `tests/foreign/record.py` made it from the wheels.
"""

from __future__ import annotations

import functools
import json
import lzma
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machinecode import mach_o, pe, universal
from places import DATA

from omp_magic.facts.targets import Target

FOREIGN = DATA / "foreign"
REPORTS = FOREIGN / "reports.json"
WHEELS = FOREIGN / "wheels.json.xz"
PADDED_BYTES = 128 * 1024
"""A file that holds a runtime is as large at least: smaller ones are not searched for one."""


@dataclass(frozen=True, slots=True)
class Row:
    """Ordered imports on another system, and what is true of them.

    Parameters
    ----------
    system, cpu, python
        The target.
    wheels
        File names of all that is installed.
    imports
        Modules, in the order of importing.
    lacks
        What the system does not have, as `Target.lacks`.
    report
        ``owner/repository#number``, or "" for none.
    saw
        What the report saw.
    ends
        How that is called here: ``"error15"``, ``"crash"`` (without Error #15), ``"works"``,
        ``"missing"`` (a library is not found), "" where no report says it.
    verdict
        ``"OMP101"``, ``"OMP102"`` (masked), ``"one"`` or ``"none"``.
    copies
        How many runtimes of LLVM's kin are mapped.
    missing
        The library that is not found; "" for none.
    note
        What was supposed where the report does not say it, or what speaks against it.
    """

    system: str
    cpu: str
    python: str
    wheels: tuple[str, ...]
    imports: tuple[str, ...]
    lacks: tuple[str, ...]
    report: str
    saw: str
    ends: str
    verdict: str
    copies: int
    missing: str
    note: str

    @property
    def name(self) -> str:
        """For people: the system, what is imported, and of which versions."""
        roots = {each.partition(".")[0].replace("sklearn", "scikit_learn") for each in self.imports}
        shown = {"faiss": "faiss_cpu"}
        dists = [each.split("-")[:2] for each in self.wheels]
        wanted = {shown.get(each, each) for each in roots} | {"torch"}
        versions = "+".join("".join(each) for each in dists if each[0] in wanted)
        without = "".join(f"-without-{each}" for each in self.lacks)
        return f"{self.system}-{self.cpu}-{'>'.join(self.imports)}-{versions}{without}"

    @property
    def target(self) -> Target:
        """As `omp_magic.check` takes it."""
        major, minor = map(int, self.python.split("."))
        lacks = frozenset(self.lacks)
        return Target(system=self.system, cpu=self.cpu, python=(major, minor), lacks=lacks)


@functools.cache
def rows() -> tuple[Row, ...]:
    """Give all rows."""
    read: list[dict[str, Any]] = json.loads(REPORTS.read_text("utf-8"))["rows"]
    for each in read:
        each.update({name: tuple(each[name]) for name in ("wheels", "imports", "lacks")})
    return tuple(Row(**each) for each in read)


def site_of(row: Row, folder: Path) -> str:
    """Write a row's recorded site below a folder, which is its prefix; give its path.

    The folders are as the system's Python has them (Lib/site-packages on Windows), so that what
    wheels put beside it is where it would be: ``NAME.libs``, and ``Library/bin`` below the prefix.
    """
    inside = "Lib" if row.system == "windows" else f"lib/python{row.python}"
    site = folder / inside / "site-packages"
    made: set[str] = set()
    for wheel in row.wheels:
        files = _recorded()["wheels"][wheel]
        for path, number in files.items():
            where = os.path.normpath(site / path)
            parent = os.path.dirname(where)
            if parent not in made:
                os.makedirs(parent, exist_ok=True)
                made.add(parent)
            with open(where, "wb") as file:
                file.write(_content(number))
        record = next(each for each in files if each.endswith(".dist-info/RECORD"))
        (site / record).write_text("".join(f"{each},,\n" for each in files), "utf-8")
    return str(site)


@functools.cache
def _recorded() -> Any:
    """Give what is recorded: the contents, and of each wheel path -> number of its content."""
    return json.loads(lzma.decompress(WHEELS.read_bytes()))


@functools.cache
def _content(number: int) -> bytes:
    content = _recorded()["contents"][number]
    return content.encode() if isinstance(content, str) else machine_code(content)


def machine_code(parts: list[dict[str, Any]]) -> bytes:
    """Make a file of machine code that says what was recorded, each processor's part its own."""
    made = [_part(dict(each)) for each in parts]
    return made[0] if len(made) == 1 else universal(*made)


def _part(facts: dict[str, Any]) -> bytes:
    make = pe if facts.pop("system") == "windows" else mach_o
    texts = [each.encode("latin-1") for each in facts.pop("texts", ())]
    sdk = facts.pop("sdk", None)
    if sdk is not None:
        facts["sdk"] = tuple(sdk)
    size = PADDED_BYTES if any(each.startswith((b"__KMP", b"GOMP_")) for each in texts) else 0
    return make(facts.pop("cpu"), texts=texts, size_bytes=size, **facts)
