"""Imports modules, and compares every dlopen with what was told before it; a child's program.

Prints a JSON object: how many loads there were, the files told and not mapped (`wrong`), and
those mapped and not told (`missed`), each as (what was loaded, file).
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.machinery
import json
import sys
from collections.abc import Callable
from typing import Any

from omp_magic.loader.imports import LoaderModel
from omp_magic.machine import Machine
from omp_magic.machine.here import native_here

NATIVE = native_here()
MODEL = LoaderModel(Machine.here(), NATIVE)


def mapped() -> set[str]:
    """Give the files with code that are mapped now."""
    with open("/proc/self/maps", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split(None, 5) for line in lines]
    return {row[5] for row in rows if len(row) == 6 and row[5][0] == "/" and row[1][2] == "x"}


class Watch:
    """Tells before each load, and looks after it."""

    def __init__(self) -> None:
        self.inside: list[set[str]] = []
        self.seen = mapped()
        self.loads = self.objects = 0
        self.wrong: list[tuple[str, str]] = []
        self.missed: list[tuple[str, str]] = []
        self.unknown: list[tuple[str, str | None]] = []

    def load(self, name: Any, function: Callable[[], Any]) -> Any:
        """Load something; what a load inside it maps counts for that one."""
        before = mapped()
        if not self.inside:
            self.missed += [("in C", path) for path in sorted(before - self.seen)]
        told = MODEL.predict(name)
        self.loads += 1
        self.inside.append(set())
        worked = False
        try:
            result = function()
            worked = True
        finally:
            self.seen = mapped()
            got = self.seen - before
            own = got - self.inside.pop()
            if self.inside:
                self.inside[-1] |= got
            self.objects += len(own)
            if not told.known:
                self.unknown.append((str(name), told.why))
            if worked:
                self.wrong += [(str(name), path) for path in sorted(set(told.new) - own)]
                if told.missing is not None:
                    self.wrong.append((str(name), f"fails for {told.missing}: {told.why}"))
            self.missed += [(str(name), path) for path in sorted(own - set(told.new))]
        return result


def main(modules: list[str]) -> None:
    """Import the modules and print what was seen."""
    watch = Watch()
    create = importlib.machinery.ExtensionFileLoader.create_module
    dlopen = ctypes._dlopen  # type: ignore[attr-defined]

    def created(self: Any, spec: Any) -> Any:
        return watch.load(spec.origin, lambda: create(self, spec))

    importlib.machinery.ExtensionFileLoader.create_module = created  # type: ignore[method-assign]  # in this child only
    ctypes._dlopen = lambda name, *rest: watch.load(name, lambda: dlopen(name, *rest))  # type: ignore[attr-defined]
    failed = []
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - told to the test
            failed.append(f"{module}: {error!r}")
    watch.missed += [("in C", path) for path in sorted(mapped() - watch.seen)]
    seen = {name: getattr(watch, name) for name in ("loads", "objects", "wrong", "missed")}
    print(json.dumps({**seen, "unknown": watch.unknown, "failed": failed}))


if __name__ == "__main__":
    main(sys.argv[1:])
