"""How often a pool is asked again while a worker does not come: seldom, and not in vain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from omp_magic.clusters.meeting import Heard, Who, meet

A, B, C = (("here", n) for n in (1, 2, 3))
MANY = 64


class Given:
    """A pool that answers at once with what is given; None where a question is lost."""

    def __init__(self, answers: Sequence[tuple[str, Who] | None]) -> None:
        self.coming = answers
        self.posted = 0

    def post(self, expression: str, done: Callable[[Callable[[], Any]], None]) -> Any:
        assert "def asked" in expression
        answer = self.coming[min(self.posted, len(self.coming) - 1)]
        self.posted += 1
        if answer is not None:
            done(lambda: (*answer, b"\x80\x04N."))

    def room(self) -> bool:
        return self.posted < 10_000


def asked(pool: Given, wanted: tuple[Who, ...], ended: tuple[Who, ...] = ()) -> set[Who]:
    """Give who was met in half a second."""
    missing = set(wanted)
    found: set[Who] = set()

    def heard(each: Heard) -> None:
        found.add(each.who)
        missing.discard(each.who)

    def left() -> int:
        if pool.posted:
            missing.difference_update(ended)
        return len(missing)

    assert meet(pool, "0", wanted, left, heard, seconds=0.5, one_clock=False) == ""
    return found


def test_a_worker_that_came_is_not_kept_from_its_work_for_one_that_does_not() -> None:
    pool = Given([("met", A), ("again", A)])
    assert asked(pool, (A, B)) == {A}
    assert 2 < pool.posted < 20


def test_who_comes_late_among_many_is_met() -> None:
    everybody = tuple(("here", n) for n in range(MANY))
    answers = [each for who in everybody for each in (("met", who), *[("again", who)] * 40)]
    assert asked(Given(answers), everybody) == set(everybody)


def test_a_question_that_ends_with_its_worker_is_put_again() -> None:
    # The one that B's place is taken by gets the question that was left.
    pool = Given([None, ("stranger", C), ("stranger", C), ("met", A)])
    assert asked(pool, (A, B), ended=(B,)) == {A}
