"""Every remedy of every code, done as it stands in a real kernel: the trouble is gone after it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from building import installed_pair, two_versions
from environments import MKL_AND_TORCH, POOLS, environment
from live import HOME, LINUX, Kernel, Reply
from quota import make_group, prefer_group, remove_group
from quota_groups import plain_groups
from remedies import Remedy, read_remedy
from trouble import CPUS, Places, Trouble
from troubles import MEASURED, RECORDED, ROWS, THOROUGH

from omp_magic.rules.judgement import RULES
from omp_magic.rules.stories import STORIES

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    pytest.mark.timeout(900),
]

LOOK = (
    "import json, omp_magic\n"
    "print('\\nFOUND', json.dumps([[f.code, f.remedies] for f in omp_magic.snapshot().findings]))\n"
)
Kernels = Callable[[Trouble, dict[str, str] | None], Kernel]


def test_each_code_has_a_trouble() -> None:
    """A new code wants a row in `troubles.ROWS`: a real way into it, and what harm it does."""
    assert {*ROWS, *RECORDED} == {rule.code for rule in RULES}
    assert not {*ROWS} & {*RECORDED}


@pytest.fixture(scope="module")
def kernels() -> Iterator[Kernels]:
    """Give a fresh kernel with the extension: one for each interpreter, restarted.

    They start before any test does: a client has threads, and a test may leave none.
    """
    started = {"": Kernel()}
    for name, requirements in (("mkl-torch", MKL_AND_TORCH), ("pools", POOLS)):
        with suppress(pytest.skip.Exception):
            python = environment(name, requirements)
            started[python] = Kernel(python=python)

    def fresh(trouble: Trouble, env: dict[str, str] | None = None) -> Kernel:
        kernel = started[trouble.python]
        # A kernel that is killed leaves what joblib keeps for its workers.
        variables = trouble.env if env is None else env
        kernel.restart({"JOBLIB_TEMP_FOLDER": HOME, **variables})
        assert kernel.run("%load_ext omp_magic").status == "ok"
        return kernel

    yield fresh
    for kernel in started.values():
        kernel.close()


@pytest.fixture
def places(gcc: str, tmp_path: Path, libiomp5: str, libomp: str) -> Iterator[Places]:
    """What the rows build their troubles from."""
    if CPUS < 2:
        pytest.skip("one CPU: no pool has threads")
    with ExitStack() as groups:
        yield Places(
            libiomp5=libiomp5,
            libomp=libomp,
            pair=lambda: installed_pair(gcc, tmp_path / "site-packages", libiomp5, libomp),
            versions=lambda name: two_versions(gcc, tmp_path / name, libiomp5),
            quota=lambda cpus: _quota(groups, cpus),
            plain=lambda *controllers: _plain(groups, *controllers),
            module=lambda name, code: _module(tmp_path / f"of_{name}", name, code),
        )


def _module(folder: Path, name: str, code: str) -> str:
    """Write a module; give its folder."""
    folder.mkdir()
    (folder / f"{name}.py").write_text(code)
    return str(folder)


def _quota(groups: ExitStack, cpus: float) -> str:
    """Make a cgroup with so many CPUs; give its folder."""
    try:
        folder = make_group(cpus, f"omp_magic_{cpus:g}_{os.getpid()}")
    except OSError as error:
        pytest.skip(f"no cgroup with a cpu controller can be made here: {error.strerror}")
    groups.callback(remove_group, folder)
    prefer_group(folder)
    return folder


def _plain(groups: ExitStack, *controllers: str) -> tuple[str, ...]:
    """Make a cgroup without a limit for each controller; give their folders."""
    folders = groups.enter_context(plain_groups(*controllers))
    for folder in folders:
        with suppress(OSError):  # what runs in other groups must not have all CPUs
            prefer_group(folder)
    return folders


def found(reply: Reply) -> list[list[Any]]:
    """Give codes and remedies of a cell that ended with `LOOK`."""
    assert reply.status == "ok", reply.traceback or reply.status
    lines = [line for line in reply.stdout.split("\n") if line.startswith("FOUND ")]
    rows: list[list[Any]] = json.loads(lines[-1].removeprefix("FOUND "))
    return rows


def play(kernel: Kernel, cells: tuple[str, ...]) -> None:
    for cell in cells:
        reply = kernel.run(cell)
        assert reply.status == "ok", f"{cell}\n{reply.traceback or reply.status}"


class Cure:
    """One trouble of a code: shown to be there, then cured by one remedy after another."""

    def __init__(self, code: str, trouble: Trouble, kernels: Kernels) -> None:
        self._code = trouble.finding or code
        self._trouble = trouble
        self._kernels = kernels
        self._in_trouble: Kernel | None = None

    def _fresh(self, env: dict[str, str] | None = None) -> Kernel:
        self._in_trouble = None  # the kernel is the same, and another process
        return self._kernels(self._trouble, env)

    def _troubled(self) -> Kernel:
        """Give a kernel that is in trouble, and will be in another state soon."""
        kernel, self._in_trouble = self._in_trouble, None
        if kernel is None:
            kernel = self._fresh()
            play(kernel, self._trouble.cells)
        return kernel

    def told(self) -> list[str]:
        """Get into the trouble, and give what the finding says to do about it."""
        kernel = self._troubled()
        rows = found(kernel.run(LOOK))
        assert self._code in [code for code, _ in rows], f"not found: {rows}"
        self._in_trouble = kernel
        return [text for code, texts in rows if code == self._code for text in texts]

    def comes(self) -> None:
        """See that the harm comes to a kernel that is not cured."""
        kernel = self._troubled()
        assert self._harmed(kernel, 6) != self._trouble.kills, "nothing comes of it"
        if self._trouble.repeatable:
            self._in_trouble = kernel

    def _harmed(self, kernel: Kernel, limit_s: float) -> bool:
        try:
            reply = kernel.run(f"LIMIT_S = {limit_s - 1}\n{self._trouble.harm}", timeout=limit_s)
        except TimeoutError:
            return True
        return reply.status != "ok"

    def try_out(self, remedies: list[Remedy]) -> None:
        """Do what is said, play the situation, and see that nothing is left of it.

        What is said of one place is done together: two readers of one variable have a line each.
        """
        how = remedies[0]
        if how.kind == "alone":
            assert self._trouble.alone
            for cell in self._trouble.alone:
                kernel = self._fresh()
                play(kernel, (cell,))
                assert self._code not in codes(kernel.run(LOOK))
            return
        lines = tuple(each.run for each in remedies if each.kind == "cell")
        first = ""
        if how.fresh:
            kernel = self._fresh(how.changed(self._trouble.env))
            again = self._trouble.cells if self._trouble.again is None else self._trouble.again
            play(kernel, (*self._trouble.first, *lines, *again))
        else:
            kernel = self._troubled()
            play(kernel, lines)
            if self._trouble.instead:
                play(kernel, (self._trouble.instead,))
                return
            first = f"{how.run}\n" if how.kind == "body" else ""
        if self._trouble.kills:
            assert self._code not in codes(kernel.run(LOOK))
            assert self._harmed(kernel, 60)
            return
        for left in reversed(range(self._trouble.looks)):
            reply = kernel.run(f"{first}LIMIT_S = 60\n{self._trouble.harm}\n{LOOK}")
            if self._code not in codes(reply):
                break
            assert left, f"it is still found: {reply.stdout}"


def codes(reply: Reply) -> list[str]:
    return [code for code, _ in found(reply)]


class Plan:
    """Which remedy is tried in which trouble of a row."""

    def __init__(self, code: str, troubles: tuple[Trouble, ...]) -> None:
        self._troubles = troubles
        self.own = next(place for place, each in enumerate(troubles) if not each.answers)
        self.remedies: list[dict[str, list[Remedy]]] = [{} for _ in troubles]
        for text in STORIES[code].mend:
            self.add(self.own, text)

    def add(self, own: int, text: str) -> None:
        """Note a remedy for the trouble that it is about, else for its own."""
        remedy = read_remedy(text)
        about = (
            place
            for place, each in enumerate(self._troubles)
            if each.answers and re.search(each.answers, text)
        )
        places = self.remedies[next(about, own)]
        known = {(each.kind, each.run) for each_place in places.values() for each in each_place}
        if remedy.kind != "not run" and (remedy.kind, remedy.run) not in known:
            places.setdefault(remedy.says, []).append(remedy)

    def in_order(self, place: int, *kinds: str) -> list[list[Remedy]]:
        """Give what is to be tried, together or alone; first what wants no new kernel."""
        fits = (each for each in self.remedies[place].values() if each[0].kind in kinds)
        return sorted(fits, key=lambda each: each[0].fresh)


def cured(code: str, kernels: Kernels, places: Places, *, thorough: bool = False) -> None:
    """See that every remedy of a code is right."""
    troubles = ROWS[code](places)
    plan = Plan(code, troubles)
    wrong, shown = [], set()
    for place, trouble in enumerate(troubles):
        if not (trouble.thorough or trouble.dear if thorough else not trouble.thorough):
            continue
        cure = Cure(code, trouble, kernels)
        for text in cure.told():
            if not trouble.finding:
                plan.add(plan.own if trouble.instead else place, text)

        def tried(
            *kinds: str, place: int = place, trouble: Trouble = trouble, cure: Cure = cure
        ) -> None:
            for remedies in plan.in_order(place, *kinds):
                if trouble.when(remedies[0].text) != thorough:
                    continue
                try:
                    cure.try_out(remedies)
                except (AssertionError, TimeoutError) as error:
                    wrong.append(f"{[each.text for each in remedies]}: {error}")

        tried("body")
        way = (trouble.python, trouble.cells, trouble.harm)
        if way not in shown:  # else it has come to another trouble that begins the same
            cure.comes()
            shown.add(way)
        tried("cell", "variables", "restart", "alone")
    assert not wrong, "\n".join(wrong)


def _marked(code: str) -> Any:
    marks = [pytest.mark.alone] if code in MEASURED else []
    return pytest.param(code, marks=marks)


@pytest.mark.parametrize("code", [_marked(code) for code in ROWS])
def test_every_remedy_cures(code: str, kernels: Kernels, places: Places) -> None:
    cured(code, kernels, places)


@pytest.mark.thorough
@pytest.mark.parametrize("code", [_marked(code) for code in THOROUGH])
def test_every_remedy_cures_other_troubles_too(code: str, kernels: Kernels, places: Places) -> None:
    cured(code, kernels, places, thorough=True)
