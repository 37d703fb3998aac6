"""One look at a cluster over an engine that a test makes: what it is asked, and what is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import budget, snapshot

from omp_magic.bars import Bar
from omp_magic.clusters.asking import Asking
from omp_magic.clusters.port import Answer, Seat
from omp_magic.facts.clusters import ClusterWorker
from omp_magic.facts.packed import WIRE, pack
from omp_magic.facts.workerstate import state_of

_CALL = re.compile(r"atworker\.(look|hold|release)\((.*?)\)\\n")


def told(cpus: int = 4, limits: tuple[str, ...] = (), **who: Any) -> tuple[Any, ...]:
    """Give what a worker answers."""
    facts = snapshot(budget=budget(cpus))
    state = replace(state_of(facts), limits=limits)
    worker = ClusterWorker(**{"address": "", "host": "a", "machine": "m", "pid": 1, **who})
    return "omp_magic", WIRE, "1", tuple(map(pack, (worker, state, (), (), facts)))


class Made:
    """An engine whose workers answer as they are told to.

    Parameters
    ----------
    answers
        What each gives to each question, by address: a value, an error as a text, or an exception
        that is raised in place of it; the last one again and again.
    tasks
        Tasks at once of each.
    """

    kind, title = "made", "one of a test"

    def __init__(self, answers: dict[str, list[Any]], tasks: int = 1) -> None:
        self.answers = answers
        self.tasks = tasks
        self.calls: list[tuple[str, str, tuple[str, ...]]] = []

    def seats(self) -> tuple[Seat, ...]:
        return tuple(Seat(address=each, tasks=self.tasks) for each in self.answers)

    def ask(
        self,
        text: str,
        seats: Sequence[Seat],
        each_s: float,
        arrived: Callable[[Answer], None],
    ) -> None:
        found = _CALL.search(text)
        assert found is not None
        brought = " brought" if "bring(" in text else ""
        self.calls.append(
            (found[1] + brought, found[2].replace("\\", ""), tuple(each.address for each in seats))
        )
        for seat in seats:
            coming = self.answers[seat.address]
            value = coming.pop(0) if coming[1:] else coming[0]
            if isinstance(value, BaseException):
                raise value
            if isinstance(value, str):
                arrived(Answer(seat=seat, error=value))
            else:
                arrived(Answer(seat=seat, value=value, took_s=each_s / 100))


def asked(engine: Made, limit: str | None = None) -> Any:
    return Asking(engine, 10.0, Bar(shown=False)).snapshot(limit)


LACKING = ("omp_magic", 0, "lacking", "ModuleNotFoundError: No module named 'omp_magic'")


def test_workers_are_in_the_order_of_the_engine_with_what_they_say() -> None:
    seen = asked(Made({"b": [told(pid=2)], "a": [told()]}, tasks=3))
    assert [(each.address, each.pid, each.tasks) for each in seen.workers] == [
        ("b", 2, 3),
        ("a", 1, 3),
    ]
    assert seen.workers[0].state is seen.workers[1].state
    assert seen.workers[0].snapshot == snapshot(budget=budget(4))
    assert seen.workers[0].took_s == 0.1


def test_only_who_lacks_omp_magic_is_brought_ours() -> None:
    older = ("omp_magic", WIRE + 1, "9", ())
    engine = Made({"a": [told()], "b": [LACKING, told()], "c": [older, told()]})
    seen = asked(engine)
    assert [each.gap for each in seen.workers] == [None] * 3
    assert [(name, of) for name, _, of in engine.calls] == [
        ("look", ("a", "b", "c")),
        ("look brought", ("b", "c")),
    ]


class Unequal:
    """What cannot be compared, as an array, nor written."""

    def __eq__(self, other: object) -> bool:
        raise ValueError(other)

    def __repr__(self) -> str:
        raise ValueError

    __hash__ = object.__hash__


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("it is gone", "it is gone"),
        (("omp_magic", 0, "python", "3.9.18"), "Python 3.9.18 there; omp_magic needs 3.10"),
        (("omp_magic", 0, "fault", "OSError: x"), "a fault in omp_magic there: OSError: x"),
        (None, "cannot be read"),
        (3, "cannot be read"),
        (("omp_magic", WIRE, "1", (b"x",) * 5), "cannot be read"),
        (("omp_magic", WIRE, "1", (pack(()),) * 5), "cannot be read"),
        (("omp_magic", WIRE, "1", told()[3][:4]), "cannot be read"),
        (("omp_magic", WIRE, "1", (*told()[3][:2], pack((1,)), *told()[3][3:])), "cannot be read"),
        (("omp_magic", WIRE, "1", ("text",) * 5), "cannot be read"),
        ((Unequal(), 0, "lacking", ""), "cannot be read"),
        (("omp_magic", Unequal(), "1", ()), "cannot be read"),
    ],
)
def test_one_that_cannot_be_read_is_a_gap_and_the_others_are_right(value: Any, why: str) -> None:
    seen = asked(Made({"a": [told()], "b": [value]}))
    assert seen.workers[0].gap is None
    gap = seen.workers[1].gap
    assert gap is not None
    assert gap.where == "b"
    assert why in gap.why
    assert "\n" not in gap.why


def test_auto_divides_a_host_among_all_that_run_there_also_the_silent_ones() -> None:
    alone = told(8, host="b", machine="n", affinity=tuple(range(8)))
    engine = Made(
        {
            "tcp://a:1": [told(4, affinity=(0, 1, 2, 3))],
            "tcp://b:1": [alone],
            "tcp://a:2": ["hangs"],
        },
        tasks=2,
    )
    seen = asked(engine, "auto")
    holds = {of: words for name, words, of in engine.calls if name == "hold"}
    assert holds["tcp://b:1",].startswith("'4', ")
    assert "8 CPUs of b, 2 tasks at once" in holds["tcp://b:1",]
    assert holds["tcp://a:1",].startswith("'2', ")
    assert [gap.what for gap in seen.gaps] == ["limit"]
    assert "not asked of 1 worker without an answer" in seen.gaps[0].why


def test_auto_counts_those_of_its_hosts_that_are_not_meant() -> None:
    class View(Made):
        def seats(self) -> tuple[Seat, ...]:
            return super().seats()[:1]

        def besides(self) -> tuple[Seat, ...]:
            return super().seats()[1:]

    answers = {each: [told(8, affinity=tuple(range(8)))] for each in "abcd"}
    engine = View(answers)
    seen = asked(engine, "auto")
    assert [each.address for each in seen.workers] == ["a"]
    holds = {of: words for name, words, of in engine.calls if name == "hold"}
    assert list(holds) == [("a",)]
    assert holds["a",].startswith("'2', ")
    assert seen.gaps == ()
    engine.calls.clear()
    asked(engine, "2")
    assert {of for _, _, of in engine.calls} == {("a",)}


def test_a_worker_that_came_while_others_were_asked_takes_the_place_of_the_one_that_ended() -> None:
    class Restarting(Made):
        """Its worker "one" has ended at "b", and is at "d"; "c" is new, and "e" hangs."""

        names = {"a": "none", "b": "one", "c": "two", "d": "one", "e": "three"}  # noqa: RUF012 - a table

        def _called(self, addresses: str) -> tuple[Seat, ...]:
            return tuple(Seat(address=each, name=self.names[each]) for each in addresses)

        def seats(self) -> tuple[Seat, ...]:
            return self._called("abe")

        def again(self) -> tuple[Seat, ...]:
            return self._called("acde")

    answers: dict[str, list[Any]] = {each: [told()] for each in "acd"}
    engine = Restarting({**answers, "b": ["it has ended"], "e": ["it hangs"]})
    seen = asked(engine, "1")
    assert [each.address for each in seen.workers] == ["a", "d", "e", "c"]
    assert [each.gap is None for each in seen.workers] == [True, True, False, True]
    ended, _ = seen.gaps
    assert (ended.where, ended.why) == ("b", "it has ended; d is in its place")
    limited = {each for name, _, of in engine.calls if name == "hold" for each in of}
    assert limited == {"a", "c", "d"}


def test_a_worker_whose_own_quota_is_less_gets_no_more() -> None:
    own = told(1, affinity=(0,))
    engine = Made({"a": [own], "b": [told(8, affinity=tuple(range(8)))]})
    asked(engine, "auto")
    holds = {of: words for name, words, of in engine.calls if name == "hold"}
    assert holds["a",].startswith("'1', ")
    assert "1 CPU of its own" in holds["a",]
    assert holds["b",].startswith("'4', ")


def test_each_limit_follows_its_look_and_says_until_when() -> None:
    engine = Made({"a": [told()]})
    asked(engine, "blas=1 openmp=2")
    asked(engine, "off")
    (_, look, _), (hold, words, _), (_, later, _), (release, ending, _) = engine.calls
    assert (hold, release) == ("hold", "release")
    assert words.startswith("'blas=1 openmp=2', ")
    assert look.strip("'") in words
    assert later.strip("'") in ending
    assert look != later
    assert 10 <= float(words.rpartition(", ")[2]) < 60


def test_who_answers_the_look_and_not_the_limit_is_told_with_what_is_known() -> None:
    seen = asked(Made({"a": [told(), "no answer in 10 s: hangs"], "b": [told()]}), "1")
    first = seen.workers[0]
    assert first.gap is None
    assert first.state is not None
    assert [gap.what for gap in first.gaps] == ["limit"]
    assert "not known whether" in first.gaps[0].why
    assert seen.gaps == ()


def test_an_interrupt_leaves_what_came_and_a_second_question_is_not_put() -> None:
    engine = Made({"a": [told()], "b": [KeyboardInterrupt()], "c": [told()]})
    seen = asked(engine, "1")
    assert seen.workers[0].state is not None
    assert [each.gap and each.gap.why for each in seen.workers[1:]] == [
        "not waited for: interrupted"
    ] * 2
    assert len(engine.calls) == 1
    assert seen.workers[0].gaps == ()
    assert [gap.why.partition(":")[0] for gap in seen.gaps] == [
        "not asked of 2 workers without an answer",
        "not asked of 1 worker, interrupted",
    ]
    with pytest.raises(KeyboardInterrupt):
        asked(Made({"a": [KeyboardInterrupt()]}))


def test_an_error_of_the_engine_is_one_line_that_can_be_read() -> None:
    [seen] = asked(Made({"a": ["x\n  y " + "z" * 100_000]})).workers
    assert seen.gap is not None
    assert seen.gap.why.startswith("x y zzz")
    assert len(seen.gap.why) <= 1000


def test_a_cluster_without_workers_is_one() -> None:
    assert asked(Made({}), "auto").workers == ()
