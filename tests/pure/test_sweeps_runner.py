"""Which runs a sweep makes, in which order, and which it repeats: with a clock of its own."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from sweeping import Clock, FakeCase, FakeMeter, on_machine, swept, usl

from omp_magic.sweeps.result import ground_of, sweep_of
from omp_magic.sweeps.running import Progress, Runner


def runner_of(clock: Clock, *numbers: int, times: object = usl(0, 0), **more: object) -> Runner:
    cases = [FakeCase(each, times, clock) for each in numbers]  # type: ignore[arg-type]  # times
    return Runner(cases, FakeMeter(clock), ground_of(on_machine(8)), **more)  # type: ignore[arg-type]  # more


def test_each_case_is_warmed_up_once_and_then_measured_as_often_as_asked() -> None:
    clock = Clock()
    course = runner_of(clock, 1, 2, 4, repeats=3).run()
    assert Counter(clock.called) == {1: 4, 2: 4, 4: 4}
    assert clock.called[:3] == [1, 2, 4]
    assert {place: len(runs) for place, runs in course.runs.items()} == {0: 3, 1: 3, 2: 3}
    assert (course.planned, course.repeated, course.interrupted) == (9, 0, False)


def test_rounds_are_interleaved_in_an_order_that_changes() -> None:
    clock = Clock()
    runner_of(clock, 1, 2, 4, repeats=6).run()
    rounds = [tuple(clock.called[at : at + 3]) for at in range(3, len(clock.called), 3)]
    assert all(sorted(each) == [1, 2, 4] for each in rounds)
    assert len(set(rounds)) > 1


def test_the_climb_ends_where_a_point_takes_twice_the_best() -> None:
    clock = Clock()
    times = {1: 1.0, 2: 0.6, 3: 0.5, 4: 1.1, 6: 9.0, 8: 9.0}
    course = runner_of(clock, *times, times=lambda n, _: times[n], repeats=2).run()
    assert 6 not in clock.called
    assert clock.called.count(4) == 2  # its warm-up, and one run that makes sure
    assert [label for label, _ in course.left_out] == ["6 threads", "8 threads"]
    assert course.left_out[0][1] == "4 threads took 2.2 times the best"
    assert [len(course.runs[place]) for place in range(4)] == [2, 2, 2, 1]


def test_a_slow_first_run_alone_ends_nothing() -> None:
    def cold(n: int, before: int) -> float:
        return 9.0 if (n, before) == (2, 1) else 1.0 / n

    sweep = swept(cold, (1, 2, 4), repeats=3)
    assert sweep.best == 4
    assert not sweep.left_out


def test_a_neighbour_at_the_wrong_moment_does_not_end_the_climb() -> None:
    # It takes a CPU while 2 threads are warmed up and run again: OpenBLAS takes 40 times as long.
    def beside(n: int, before: int) -> float:
        return 40.0 if before in {1, 2} else 1.0 / n

    def neighbour(clock: Clock) -> FakeMeter:
        return FakeMeter(clock, others=lambda number: 1.0 if number in {2, 3} else 0.02)

    sweep = swept(beside, (1, 2, 4), cpus=4, repeats=3, meter=neighbour)
    assert sweep.best == 4
    assert not sweep.left_out


def test_what_only_disturbed_runs_say_is_said_with_a_warning() -> None:
    def beside(n: int, _: int) -> float:
        return 40.0 if n == 2 else 1.0 / n

    def neighbour(clock: Clock) -> FakeMeter:
        return FakeMeter(clock, others=lambda _: 1.0 if clock.called[-1] == 2 else 0.02)

    sweep = swept(beside, (1, 2), cpus=2, repeats=3, meter=neighbour)
    assert len(sweep.points[1].runs) == 3
    assert sweep.tone == "warning"
    assert sweep.verdict.endswith("; not reliable, every run of 2 threads was disturbed")


def test_disturbed_runs_are_flagged_exactly_and_repeated() -> None:
    # A neighbour takes one of two CPUs in every second run, as the issue has it.
    clock = Clock()
    meter = FakeMeter(clock, others=lambda number: 1.0 if number % 2 else 0.02)
    cases = [FakeCase(each, usl(0.1, 0), clock) for each in (1, 2)]
    course = Runner(cases, meter, ground_of(on_machine(2)), repeats=4).run()
    runs = [run for each in course.runs.values() for run in each]
    assert all(bool(run.disturbed) == bool(run.number % 2) for run in runs)
    assert course.repeated
    for each in course.runs.values():
        undisturbed = sum(not run.disturbed for run in each)
        assert undisturbed >= 4 or len(each) == 8  # repeated at most as often as asked for


def test_a_machine_that_is_always_as_busy_disturbs_no_run() -> None:
    sweep = swept(
        usl(0.1, 0), cpus=2, threads=(1, 2), meter=lambda c: FakeMeter(c, others=lambda _: 1.0)
    )
    assert not any(point.disturbed for point in sweep.points)
    assert "others on this machine used 1.0 CPUs most of the time" in sweep.notes


def test_threads_that_wait_for_one_another_are_no_disturbance() -> None:
    def waiting(clock: Clock) -> FakeMeter:
        return FakeMeter(clock, waited=lambda _: 0.5)

    crowded = swept(usl(0.5, 0), threads=(4, 8), cpus=2, meter=waiting)
    assert not any(point.disturbed for point in crowded.points)
    alone = swept(usl(0.5, 0), threads=(1, 2), cpus=2, meter=waiting)
    assert all(point.disturbed == len(point.runs) for point in alone.points)
    assert alone.verdict.endswith("not reliable, every run of 1 thread and 2 threads was disturbed")


def test_throttling_counts_as_a_disturbance_only_where_others_used_the_quota_up() -> None:
    from omp_magic.facts.sweeps import Run
    from omp_magic.sweeps.disturbed import Ground, judged

    ground = Ground(cpus=1.0, machine_cpus=2, quota_cpus=1.0, is_rationed=True)
    own = Run(number=1, wall_s=1.0, cpu_s=0.98, throttled_s=0.5)
    theirs = Run(number=2, wall_s=1.0, cpu_s=0.4, throttled_s=0.5)
    found = judged({0: [own, theirs]}, ground, {0: 2})[0]
    assert [bool(run.disturbed) for run in found] == [False, True]
    assert found[1].disturbed == "its cgroup was stopped for 0.50 s while it used 0.40 CPUs"


def test_short_code_is_called_until_a_run_lasts_a_tenth_of_a_second() -> None:
    sweep = swept(lambda n, _: 0.001 / n, (1, 2), repeats=2)
    assert [run.calls for point in sweep.points for run in point.runs] == [100, 100, 200, 200]
    assert sweep.points[0].median_s == pytest.approx(0.001)


def test_below_a_quota_runs_are_longer_and_begin_with_the_quota_used_up() -> None:
    clock = Clock()
    cases = [FakeCase(1, lambda _, __: 0.01, clock)]
    course = Runner(cases, FakeMeter(clock), ground_of(on_machine(2, 1.0)), repeats=1).run()
    assert course.runs[0][0].calls == 50
    assert len(clock.called) == 1 + 15 + 50


def test_what_is_set_up_before_each_call_does_not_make_runs_endless() -> None:
    clock, done = Clock(), []
    case = FakeCase(1, lambda _, __: 0.01, clock, before=lambda: done.append(1))
    Runner([case], FakeMeter(clock), ground_of(on_machine(2)), repeats=2).run()
    assert len(done) == len(clock.called) == 1 + 2 * 10


def test_an_interrupt_keeps_what_is_done() -> None:
    clock = Clock()

    def times(n: int, before: int) -> float:
        if before == 7:
            raise KeyboardInterrupt
        return 1.0 / n

    cases = [FakeCase(each, times, clock) for each in (1, 2, 4)]
    course = Runner(cases, FakeMeter(clock), ground_of(on_machine(8)), repeats=5).run()
    assert course.interrupted
    sweep = sweep_of(course, cases, on_machine(8))
    assert sweep.interrupted
    assert sweep.notes[0] == "interrupted after 4 of 15 runs"
    assert not any(case.entered for case in cases)


def test_an_interrupt_before_anything_was_measured_is_the_users() -> None:
    def times(_: int, __: int) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner_of(Clock(), 1, 2, times=times).run()


@pytest.mark.parametrize("kind", [ZeroDivisionError, StopIteration])
def test_an_error_of_the_code_passes_through_and_takes_the_limit_back(
    kind: type[Exception],
) -> None:
    def times(_: int, __: int) -> float:
        raise kind

    clock = Clock()
    case = FakeCase(1, times, clock)
    with pytest.raises(kind):
        Runner([case], FakeMeter(clock), ground_of(on_machine(8))).run()
    assert case.entered == 0


def test_long_code_is_run_less_often_unless_somebody_says_how_often() -> None:
    assert [len(p.runs) for p in swept(lambda n, _: 60.0 / n, (1, 2)).points] == [3, 3]
    assert [len(p.runs) for p in swept(lambda n, _: 6.0 / n, (1, 2)).points] == [5, 5]
    assert [len(p.runs) for p in swept(lambda n, _: 60.0 / n, (1, 2), repeats=4).points] == [4, 4]


def test_progress_counts_up_and_knows_the_time_left() -> None:
    seen: list[Progress] = []
    clock = Clock()
    runner_of(clock, 1, 2, repeats=2, told=seen.append).run()
    assert [each.done for each in seen] == list(range(6))
    assert {each.total for each in seen[-4:]} == {6}
    assert seen[0].left_s is None
    left = [each.left_s for each in seen[3:]]
    assert left == sorted(left, reverse=True)  # type: ignore[type-var]  # none is None


def test_the_universal_scalability_law_is_recovered_with_a_fake_clock() -> None:
    draw = random.Random(7)
    exact = usl(0.06, 0.004)

    def noisy(n: int, before: int) -> float:
        return exact(n, before) * draw.uniform(0.97, 1.03)

    numbers = (1, 2, 3, 4, 6, 8, 12, 16)
    for times, off in ((exact, 1e-9), (noisy, 0.03)):
        sweep = swept(times, numbers, repeats=7)
        law = next(fit for fit in sweep.fits if fit.law == "USL")
        assert law.serial == pytest.approx(0.06, abs=off)
        assert law.crosstalk == pytest.approx(0.004, abs=off / 10)
        assert law.peak_threads == pytest.approx(15.3, rel=0.2)
        assert law.residual <= off
        assert law.seconds_at(8) == pytest.approx(exact(8, 0), rel=0.05)
