"""The answer of a sweep: the best number, the sentence, and what is said besides."""

from __future__ import annotations

import random

import pytest
from sweeping import Clock, FakeMeter, swept, usl

from omp_magic.facts.sweeps import Run
from omp_magic.sweeps.answer import best_of, notes_of, verdict_of
from omp_magic.sweeps.disturbed import Ground
from omp_magic.sweeps.measured import Measured
from omp_magic.sweeps.scaling import fits_of
from omp_magic.sweeps.statistics import (
    differ,
    drift_of,
    interval_of_median,
    interval_of_ratio,
    outliers_of,
)


def measured(**times: list[float]) -> list[Measured]:
    """Cases by their threads: ``t2=[1.0, 1.1]``."""
    return [
        Measured(
            threads=int(name[1:]),
            runs=[Run(number=n, wall_s=each, cpu_s=2 * each) for n, each in enumerate(values)],
        )
        for name, values in times.items()
    ]


def told(**times: list[float]) -> str:
    cases = measured(**times)
    return verdict_of(cases, best_of(cases))


@pytest.mark.parametrize(
    ("medians", "verdict"),
    [
        ({1: 1.7, 2: 1, 4: 1}, "2 threads: 1.7 times as fast as 1; 4 add nothing"),
        ({1: 1, 2: 1, 4: 1.02}, "1 thread: no gain from more; 2 and 4 take as long"),
        ({1: 1, 2: 1.3}, "1 thread: no gain from more; 2 take 1.3 times as long"),
        (
            {1: 1, 2: 1, 4: 30},
            "1 thread: no gain from more; 2 take as long; 4 take 30 times as long",
        ),
        ({1: 8, 2: 4, 4: 2}, "4 threads: 4 times as fast as 1"),
        ({1: 2, 2: 1, 3: 1.6}, "2 threads: 2 times as fast as 1; 3 take 1.6 times as long"),
        ({2: 2, 4: 1}, "4 threads: 2 times as fast as 2"),
        ({3: 2}, "3 threads: nothing else was run"),
    ],
)
def test_the_answer_is_one_sentence(medians: dict[int, float], verdict: str) -> None:
    assert told(**{f"t{n}": [float(each)] * 5 for n, each in medians.items()}) == verdict


def test_fewer_threads_win_within_five_percent_and_within_noise() -> None:
    assert best_of(measured(t1=[2.0] * 5, t2=[1.04] * 5, t4=[1.0] * 5)) == 1
    assert best_of(measured(t1=[2.0] * 5, t2=[1.06] * 5, t4=[1.0] * 5)) == 2
    noisy = measured(
        t1=[2.0, 2.1, 1.9, 2.0, 2.05], t2=[1.0, 1.3, 1.1, 0.9, 1.4], t4=[1.0, 0.8, 1.2, 1.3, 0.9]
    )
    assert best_of(noisy) == 1


def test_code_that_keeps_no_second_cpu_busy_gains_nothing_whatever_the_clock_says() -> None:
    draw = random.Random(1)

    def lucky(n: int, _: int) -> float:
        return draw.uniform(1.0, 1.02) - (0.2 if n == 2 else 0)

    def alone(clock: Clock) -> FakeMeter:
        return FakeMeter(clock, busy=lambda _: 1.0)

    sweep = swept(lucky, (1, 2), meter=alone)
    assert sweep.best == 1
    assert "no gain" in sweep.verdict
    assert "nothing runs in parallel: 1.00 CPUs are busy, whatever the limit" in sweep.notes


def test_a_single_run_says_that_it_knows_nothing_of_noise() -> None:
    once, twice = swept(usl(0.1, 0), (1, 2), repeats=1), swept(usl(0.1, 0), (1, 2), repeats=2)
    said = "of 2 threads a single run counts: how far noise goes is not known"
    assert any(note.startswith(said) for note in once.notes)
    assert not any("single run" in note for note in twice.notes)


def test_noise_that_hides_a_gain_is_told() -> None:
    draw = random.Random(4)
    sweep = swept(lambda n, _: draw.uniform(0.6, 1.6) / (1.1 if n == 4 else 1), (2, 4), repeats=5)
    assert sweep.best == 2
    assert any("within the noise of these runs" in note for note in sweep.notes)


def test_code_that_takes_longer_each_time_is_told() -> None:
    sweep = swept(lambda n, before: (1 + before / 5) / n, (1, 2), repeats=5)
    assert any("the code may change what it reads" in note for note in sweep.notes)
    draw = random.Random(2)
    steady = swept(lambda n, _: draw.uniform(0.9, 1.1) / n, (1, 2), repeats=5)
    assert not any("longer and longer" in note for note in steady.notes)


def test_outliers_are_told_and_not_dropped() -> None:
    def times(_: int, before: int) -> float:
        return 40.0 if before == 9 else 1.0 + before / 1000

    sweep = swept(times, (1, 2), repeats=7)
    assert sum(point.outliers for point in sweep.points) == 1
    assert max(run.wall_s for point in sweep.points for run in point.runs) == 40.0
    assert any("count all the same" in note for note in sweep.notes)


def test_points_have_speedup_efficiency_and_an_interval_around_the_median() -> None:
    sweep = swept(usl(0, 0), (1, 2, 4))
    assert [point.speedup for point in sweep.points] == pytest.approx([1, 2, 4])
    assert [point.efficiency for point in sweep.points] == pytest.approx([1, 1, 1])
    for point in sweep.points:
        assert point.low_s <= point.median_s <= point.high_s
    assert sweep.spec == "4"
    assert sweep.best_point.threads == 4


def test_laws_are_fitted_to_points_with_a_cpu_for_each_thread_only() -> None:
    def cliff(n: int, _: int) -> float:
        return (1.0 / n) if n <= 4 else 1.0

    sweep = swept(cliff, (1, 2, 3, 4, 6), cpus=4)
    amdahl = sweep.fits[0]
    assert (amdahl.law, round(amdahl.serial, 6), amdahl.residual < 1e-9) == ("Amdahl", 0.0, True)


class TestStatistics:
    def test_the_interval_of_a_median_holds_it_in_95_of_100_samples(self) -> None:
        draw = random.Random(11)
        held = 0
        for _ in range(200):
            low, high = interval_of_median([draw.gauss(10, 1) for _ in range(15)])
            held += low <= 10 <= high
        assert 178 <= held <= 200

    def test_the_same_runs_give_the_same_answer(self) -> None:
        values = [1.0, 1.2, 0.9, 1.1, 1.05]
        assert interval_of_median(values) == interval_of_median(values)
        assert interval_of_ratio(values, values[::-1]) == interval_of_ratio(values, values[::-1])

    def test_two_samples_of_one_machine_seldom_differ(self) -> None:
        draw = random.Random(5)
        apart = sum(
            differ([draw.gauss(1, 0.1) for _ in range(7)], [draw.gauss(1, 0.1) for _ in range(7)])
            for _ in range(100)
        )
        assert apart <= 20
        assert differ([1.0, 1.1, 0.9, 1.0, 1.05], [1.5, 1.6, 1.4, 1.5, 1.55])

    def test_few_runs_differ_where_their_ranges_do_not_meet(self) -> None:
        assert differ([1.0], [2.0])
        assert not differ([1.0, 2.0], [1.5, 3.0])

    def test_drift_and_outliers(self) -> None:
        assert drift_of([1, 2, 3, 4, 5]) == pytest.approx(1)
        assert drift_of([5, 4, 3, 2, 1]) == pytest.approx(-1)
        assert drift_of([1, 1, 1, 1]) == 0
        assert abs(drift_of([1, 2, 2, 1])) < 0.1
        assert outliers_of([1, 1.1, 0.9, 1, 9]) == 1
        assert outliers_of([1, 9]) == 0


class TestScaling:
    @pytest.mark.parametrize("serial", [0.0, 0.1, 0.5, 1.0])
    def test_amdahl_is_recovered(self, serial: float) -> None:
        times = {n: 3 * (serial + (1 - serial) / n) for n in (1, 2, 3, 4, 8)}
        law = fits_of(times)[0]
        assert (law.serial, law.one_thread_s) == pytest.approx((serial, 3.0))
        assert law.residual < 1e-9

    def test_factors_without_a_meaning_are_zero(self) -> None:
        for fit in fits_of({n: 1 / n**1.2 for n in (1, 2, 4, 8, 16)}):
            assert (fit.serial, fit.crosstalk) == (0, 0)
            assert fit.residual > 0.01

    def test_too_few_points_are_not_fitted(self) -> None:
        assert fits_of({1: 1.0, 2: 0.5}) == ()
        assert [fit.law for fit in fits_of({1: 1.0, 2: 0.5, 4: 0.3})] == ["Amdahl"]
        assert fits_of({1: 0.0, 2: 0.0, 4: 0.0}) == ()


@pytest.mark.parametrize(("runs", "sweeps"), [(1, 400), (2, 400), (3, 400), (5, 200)])
def test_noise_of_five_percent_makes_few_gains_and_hides_few(runs: int, sweeps: int) -> None:
    draw = random.Random(7)

    def best(one_s: float) -> int:
        times = {n: one_s if n == 1 else 1.0 for n in (1, 2, 3, 4, 6, 8, 12, 16)}
        noisy = {
            f"t{n}": [each * draw.gauss(1, 0.05) for _ in range(runs)] for n, each in times.items()
        }
        return best_of(measured(**noisy))

    assert sum(best(1.0) > 0 for _ in range(sweeps)) <= 0.07 * sweeps
    assert sum(best(1.3) == 0 for _ in range(sweeps)) <= 0.07 * sweeps


def test_a_gain_of_one_or_two_runs_is_said_with_a_doubt() -> None:
    doubt = "so few runs do not tell noise from a gain: more of them (-r) would"
    for repeats in (1, 2, 3):
        found = swept(usl(0, 0), (1, 2), repeats=repeats)
        assert found.best == 2
        assert (doubt in found.notes) == (repeats < 3)
    assert doubt not in swept(lambda *_: 1.0, (1, 2), repeats=1).notes


def test_threads_that_waited_for_a_cpu_are_not_called_serial() -> None:
    def starved(clock: Clock) -> FakeMeter:
        return FakeMeter(clock, busy=lambda _: 0.5, waited=lambda _: 0.5)

    found = swept(usl(0, 0), (1, 2), meter=starved)
    assert found.best == 2
    assert not any("nothing runs in parallel" in note for note in found.notes)


@pytest.mark.parametrize("spoiled", [1, 2, 3])
def test_an_answer_with_a_point_of_spoiled_runs_alone_is_not_relied_on(spoiled: int) -> None:
    def meter(clock: Clock) -> FakeMeter:
        return FakeMeter(clock, waited=lambda _: 0.5 if clock.called[-1] == spoiled else 0.0)

    found = swept(lambda n, _: {1: 2.0, 2: 1.0, 3: 1.5}[n], (1, 2, 3), meter=meter)
    assert (found.best, found.tone, found.reliable) == (2, "warning", False)
    s = "" if spoiled == 1 else "s"
    assert found.verdict.endswith(f"; not reliable, every run of {spoiled} thread{s} was disturbed")


def test_the_sentence_stays_short_where_most_is_spoiled() -> None:
    def meter(clock: Clock) -> FakeMeter:
        return FakeMeter(clock, waited=lambda _: 0.5)

    found = swept(usl(0, 0), (1, 2, 3, 4), meter=meter)
    assert found.verdict.endswith("; not reliable, too many runs were disturbed")


def test_a_gain_within_noise_is_told_as_a_share_of_the_longer_time() -> None:
    noisy = measured(t1=[1.0, 3.0, 2.0, 1.5, 2.5], t2=[0.5, 2.5, 1.0, 0.6, 2.4])
    (note,) = (n for n in notes_of(noisy, 0, Ground(2, 2), None) if "noise" in n)
    assert note.startswith("2 threads took 50% less than 1, ")


def test_perfect_scaling_has_factors_of_nothing() -> None:
    for fit in fits_of({1: 1, 2: 0.5, 3: 1 / 3, 4: 0.25}):
        assert (str(fit.serial), str(fit.crosstalk)) == ("0.0", "0.0")


def test_one_run_is_in_the_singular() -> None:
    spoiled = [Measured(threads=1, runs=[Run(number=1, wall_s=1, disturbed="it waited")])]
    notes = notes_of(spoiled, 0, Ground(2, 2), None)
    assert notes[0].startswith("1 of 1 run was disturbed: ")
