"""What a process that starts anew cannot find: by name, in whatever it is given."""

from __future__ import annotations

import operator
import sys
import threading
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from omp_magic.guard.unsendable import unsendable
from omp_magic.knowledge import forks
from omp_magic.probes.threads.children import probe_notebook

CODE = """
import enum
def work(n): return n
class Data:
    def __init__(self, *given): self.given = given
    def run(self): pass
    @staticmethod
    def plain(n): return n
class Colour(enum.Enum):
    RED = 1
class ByValue:
    def __reduce__(self): return int, (7,)
class Hides:
    def __init__(self): self.given = work
    def __getstate__(self): return {}
nothing = lambda n: n
def outer():
    def inner(n): return n
    return inner
inner = outer()
"""


def run(monkeypatch: pytest.MonkeyPatch, file_name: str, **facts: Any) -> Any:
    """Run the code as ``__main__``, and give its namespace."""
    main = ModuleType("__main__")
    main.__spec__ = None
    vars(main).update(facts)
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(compile(CODE, file_name, "exec"), vars(main))
    return main


def test_in_a_notebook_all_of_main_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    main = run(monkeypatch, "/tmp/ipykernel_7/1.py")
    assert probe_notebook()
    for given, names in (
        ((main.work, [1, 2]), ("work",)),
        ((abs, [1, main.Data(), 2]), ("Data",)),
        ((main.Data.plain, [1]), ("Data.plain",)),
        ((main.Data().run,), ("Data",)),
        ((partial(operator.add, main.Data(main.work)),), ("Data", "work")),
        (({"key": (main.Colour.RED,)},), ("Colour",)),
        ((main.Hides(),), ("Hides",)),
        ((main.Data,), ("Data",)),
        ((Path("x"), operator.add, 1, "work", None, {1}), ()),
        ((main.ByValue(), threading.Lock()), ()),
        # pickle refuses these at once, so nothing hangs.
        ((main.nothing, main.work), ()),
        ((main.work, main.inner), ()),
        ((main.work, lambda n: n), ()),
        # A generator is not begun, and much is not read to its end.
        (((n for n in [main.work]), range(10**9)), ()),
        (([0] * 10**6, main.work), ("work",)),
    ):
        assert unsendable(given) == names
    endless: list[Any] = []
    endless.append(endless)
    assert unsendable((endless, main.work)) == ("work",)


def test_in_a_script_it_is_found_unless_it_was_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(CODE)
    for name, missing in (
        (str(script), ()),
        ("script.py", ()),  # before Python 3.9 it is relative
        ("<string>", ()),  # dataclasses and namedtuple have such code
        ("<stdin>", ("work", "Data")),
        ("<python-input-0>", ("work", "Data")),
        ("<ipython-input-1-2a>", ("work", "Data")),
        ("/tmp/ipykernel_12/345.py", ("work", "Data")),
    ):
        main = run(monkeypatch, name, __file__=str(script))
        assert not probe_notebook()
        assert unsendable((main.work, main.Data())) == missing
    main = run(monkeypatch, "x.py", __file__=str(tmp_path / "gone.py"))
    assert probe_notebook()
    assert unsendable((main.work,)) == ("work",)


def test_the_table_of_forks_is_whole() -> None:
    effects = {forks.HANGS, forks.KILLED, forks.FAILS, forks.LIVES}
    assert len(forks.BY_KEY) == len(forks.FORKS)
    for row in forks.FORKS:
        assert row.effect in effects
        assert row.source
        if row.effect in forks.DOOMED:
            assert row.why
            assert row.cures
            assert row.child or row.key == "libgomp"
    assert forks.fork_of("/env/site-packages/numexpr/interpreter.cpython-311.so") is not None
    assert forks.fork_of("/env/site-packages/numba/np/ufunc/workqueue.cpython-311.so") is not None
    assert forks.fork_of("/env/site-packages/mine/_internal.abi3.so") is None
    assert [forks.is_on(value) for value in (None, "", "False", "0", "true", "1")] == [
        *[False] * 4,
        True,
        True,
    ]
