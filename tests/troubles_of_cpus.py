"""Ways into OMP201, OMP203, OMP205 and OMP206: more threads than CPUs."""

from __future__ import annotations

from trouble import BUSY, CPUS, Places, Trouble


def too_many(at: Places) -> tuple[Trouble, ...]:
    return (
        Trouble(
            cells=(
                f"import os, sys; sys.path.insert(0, {at.pair()!r})",
                "import with_intel; with_intel.par()",
            ),
            # Each thread of a team counts itself.
            harm="assert with_intel.par() <= len(os.sched_getaffinity(0))",
            env={"OMP_NUM_THREADS": str(4 * CPUS)},
            repeatable=True,
        ),
    )


def over_quota(at: Places) -> tuple[Trouble, ...]:
    path = f"{at.quota(1.0)}/cgroup.procs"
    enter = f"import os; entered = open({path!r}, 'w').write(str(os.getpid()))"
    return (
        Trouble(
            cells=(enter, f"import numpy\n{BUSY}"),
            harm="assert busy(product) == 1",
            env={"OPENBLAS_NUM_THREADS": "2"},
            repeatable=True,
        ),
    )


LOAD = """
import numpy, time
a = numpy.ones((600, 600))
def load():
    end = time.monotonic() + 1.1
    while time.monotonic() < end: a @ a
"""


def throttled(at: Places) -> tuple[Trouble, ...]:
    def within(cpus: float, answers: str = "") -> Trouble:
        path = f"{at.quota(cpus)}/cgroup.procs"
        return Trouble(
            cells=(
                f"import os; entered = open({path!r}, 'w').write(str(os.getpid()))",
                f"{LOAD}\nimport omp_magic; first = omp_magic.snapshot()",
                "load(); second = omp_magic.snapshot()",  # of this group from now on
                "load()",
            ),
            # Rates are those since a look that is a second old. A kernel has other threads too, so
            # that it is stopped for a moment now and then.
            harm=(
                "load(); omp_magic.snapshot(); load(); now = omp_magic.snapshot().load\n"
                # One thread that takes its whole CPU may wait for a moment in every period.
                "short = now.throttled_s < 0.05 * now.interval_s\n"
                "assert now.throttled_share < 0.3 or short, now\n"
                "time.sleep(0.2)  # a look right after another has no rate\n"
            ),
            env={"OPENBLAS_NUM_THREADS": "2"},
            repeatable=True,
            looks=5,
            answers=answers,
            dear="Before the kernel starts",
            thorough=bool(answers),
        )

    return within(1.0), within(1.5, "Never to be stopped|is no whole number")


HIDDEN = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def done(result): assert result == 0, os.strerror(ctypes.get_errno())
done(libc.unshare(0x20000))  # CLONE_NEWNS: mounts of this thread's own
done(libc.mount(b'none', b'/', None, 0x44000, None))  # MS_REC | MS_PRIVATE
done(libc.mount(b'none', b'/sys/fs/cgroup', b'tmpfs', 0, None))
"""
"""The main thread sees no cgroup any more, as in a container below a pod."""


def starved(at: Places) -> tuple[Trouble, ...]:
    """A quota that no file shows."""
    path = f"{at.quota(0.5)}/cgroup.procs"
    return (
        Trouble(
            cells=(
                f"import os; entered = open({path!r}, 'w').write(str(os.getpid()))\n{HIDDEN}",
                f"{LOAD}\nimport omp_magic; first = omp_magic.snapshot()",
                "load()",
            ),
            harm="load(); now = omp_magic.snapshot().load; assert now.starved_share < 0.2, now",
            instead="assert 'measured' in str(_)",
            repeatable=True,
        ),
    )
