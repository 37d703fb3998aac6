"""What limits are told to bring about: amounts, variables for children, the way back."""

from __future__ import annotations

from collections.abc import Hashable
from types import SimpleNamespace
from typing import Any, cast

from omp_magic.limits.dials import Dial
from omp_magic.limits.held import Held
from omp_magic.limits.inventory import Inventory
from omp_magic.limits.ledger import Ledger
from omp_magic.limits.notes import not_given_back
from omp_magic.limits.settlement import Settlement
from omp_magic.limits.spec import more_than_cpus, parse_limit
from omp_magic.limits.variables import Variables, inherited


class Turned:
    """A pool that writes down what is done to it."""

    def __init__(self, name: str, count: int, log: list[tuple[str, int]]) -> None:
        self.key: Hashable = name
        self.label = name
        self.names = (name, "")
        self.per_thread = self.for_io = False
        self.now, self._log = count, log

    def read(self) -> int | None:
        return self.now

    def turn(self, threads: int) -> int:
        self._log.append((self.label, threads))
        self.now = threads
        return 0

    def undo(self, former: int) -> None:
        self.turn(former)

    def count(self) -> int | None:
        return self.now


def dials(*names: str) -> tuple[dict[Hashable, Dial], list[tuple[str, int]]]:
    log: list[tuple[str, int]] = []
    return {name: Turned(name, 8, log) for name in names}, log


def test_counts_are_given_back_in_the_opposite_order() -> None:
    # torch's own count is that of the runtime below it, which was noted first.
    found, log = dials("runtime", "package")
    ledger = Ledger()
    assert ledger.open(found, found, {}) == {}
    assert ledger.settle({"runtime": 2, "package": 2}, found) == {}
    log.clear()
    assert ledger.settle({}, found) == {}
    assert log == [("package", 8), ("runtime", 8)]
    assert not ledger


def limit(**facts: Any) -> Held:
    given = {"amounts": {}, "suspended": False, "tasks": 0, "known_leaks": frozenset(), "notes": ()}
    given |= {"variables": {}, "fork_server": None, "spec": parse_limit("1")}
    return cast("Held", SimpleNamespace(**{**given, **facts}))


def test_a_waiting_coroutines_limit_stays_as_long_as_its_tasks_run() -> None:
    found, _ = dials("pool")
    inventory = cast("Inventory", SimpleNamespace(dials=found))
    settlement = Settlement(inventory, cast("Variables", None), lambda: None)
    for suspended, tasks, count in ((False, 0, 2), (True, 1, 2), (True, 0, 8), (False, 1, 2)):
        held = limit(amounts={"pool": 2}, suspended=suspended, tasks=tasks)
        assert settlement.settle_process([held]) == {}
        assert found["pool"].count() == count


def test_a_runtime_that_read_an_earlier_limits_variable_is_told_by_that_limit_alone() -> None:
    mapped = SimpleNamespace(path="/x/libgomp.so.1", file_name="libgomp.so.1", starts=(4096,))
    family = SimpleNamespace(label="GNU libgomp", key="libgomp", api="openmp")
    owner = SimpleNamespace(name="some")
    image = SimpleNamespace(key=4096, mapped=mapped, family=family, owner=owner, soname=None)
    image.static, image.title = False, "GNU libgomp (some)"
    pools = SimpleNamespace(images=(image,), leaked={4096: 2}, unreached=tuple)
    inventory = cast("Inventory", pools)
    (line,) = not_given_back(limit(), inventory, ())
    assert "read this limit's variable" in line
    assert not_given_back(limit(known_leaks=frozenset({4096})), inventory, ()) == ()


def test_the_largest_amount_is_compared_with_the_cpus() -> None:
    for spec in ("blas=1 openmp=9", "openmp=9 blas=1", "9"):
        line = more_than_cpus(parse_limit(spec), 4)
        assert line is not None
        assert line.startswith("9 threads on 4 CPUs")
    for spec in ("4", "blas=1 openmp=4", "auto", "auto/2"):
        assert more_than_cpus(parse_limit(spec), 4) is None


def test_children_inherit_what_the_names_of_a_limit_cover() -> None:
    blas = inherited(parse_limit("blas=3 mkl=2"), 8)
    assert blas == {
        "OPENBLAS_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "2",
        "BLIS_NUM_THREADS": "3",
        "VECLIB_MAXIMUM_THREADS": "3",
    }
    assert inherited(parse_limit("openmp=auto/4"), 8) == {"OMP_NUM_THREADS": "2"}
    assert "ARROW_IO_THREADS" not in inherited(parse_limit("1"), 8), "its threads wait for files"
