"""Stories of OMP201, OMP203, OMP205 and OMP206: more threads than CPUs."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {
    "OMP201": Story(
        "Threads of one team wait for each other at every barrier. With more threads than CPUs "
        "some of them have no CPU while the others spin: 3 threads on 2 CPUs were measured to be "
        "22 times slower than 2. Runtimes count the CPUs of the affinity mask or of the machine, "
        "none of them the cgroup's quota.",
        "Each pool's size against the smallest of affinity, every visible cgroup quota, and what "
        "a batch system declares; %omp_status --cpus shows them all.",
        (
            "For this session: %omp_limit auto",
            (
                "Where one CPU is allowed, before the kernel starts: "
                "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1"
            ),
        ),
    ),
    "OMP203": Story(
        "A cgroup with a quota may use so much CPU time in each period, 100 ms as a rule. When "
        "that is used up, all of its threads are stopped until the next period: cells take long "
        "although no CPU is busy.",
        "nr_throttled of cpu.stat, since the last look, or since the cgroup was made.",
        (
            "For this session: %omp_limit auto",
            "Where the quota is no whole number, as with 1.5 CPUs: %omp_limit 1",
            "Ask for more CPUs; one busy thread alone uses up less than one",
        ),
    ),
    "OMP205": Story(
        "The pool fits the CPUs that are visible and not the quota. All threads run at once, use "
        "the quota up early in each period and stop together. Up to twice the quota that costs "
        "little; a multiple costs as much as OMP201.",
        "As for OMP201; up to twice the budget it is a note.",
        ("For this session: %omp_limit auto",),
    ),
    "OMP206": Story(
        "Threads are ready and wait for a CPU although the visible limit is not used up. Either "
        "a limit is set where this process cannot see it, on a pod around the container for "
        "example, or other processes keep the machine busy.",
        "Waiting time of /proc/self/task/*/schedstat between two looks.",
        ("Measure what one really gets: %omp_status --probe",),
    ),
}
