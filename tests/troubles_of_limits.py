"""Ways into OMP209 to OMP212 and OMP214: what goes past a limit, or comes to one."""

from __future__ import annotations

from environments import POOLS, environment
from places import TESTS
from trouble import BUSY, Places, Trouble


def unheld(_at: Places) -> tuple[Trouble, ...]:
    """A region that names a number of its own, as LightGBM's did before 4.2."""
    start = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        "import ctypes; gomp = ctypes.CDLL('libgomp.so.1')\n"
        "from passing import counted, region\n"
        "%omp_limit 1"
    )
    return (
        Trouble(
            cells=(start, "region(2, gomp)"),
            harm="assert counted(lambda: region(2, gomp)) == 1",
            alone=(f"{start}\nassert counted(lambda: region(1, gomp)) == 1",),
            repeatable=True,
            dear="Pass",
        ),
    )


FILL = """
import os, time
def write(name, what):
    with open(f"{{group}}/{{name}}", "w") as file: file.write(str(what))
def count():
    with open(f"{{group}}/pids.current") as file: return int(file.read())
def fill():
    "Enter the group, and let it have what it has: the kernel's own threads have all started."
    write("pids.max", "max"); write("cgroup.procs", os.getpid())
    used = -1
    while used != (used := count()): time.sleep(0.3)
    write("pids.max", used)
group = {!r}
"""


def no_room(at: Places) -> tuple[Trouble, ...]:
    """A team that cannot start, and an OpenBLAS that has none of its workers."""
    (group,) = at.plain("pids")
    code = FILL.format(group)
    failed = (
        "fill()\ntry: import numpy\nexcept KeyboardInterrupt: pass\n"
        "import numpy  # it works when it is tried again\n"
        "write('pids.max', 'max')  # room comes too late"
    )
    return (
        Trouble(
            answers="blas=1|when there is room",
            cells=(code, failed),
            again=("import numpy",),
            harm="a = numpy.ones((600, 600)); assert (a @ a)[0, 0] == 600",
            thorough=True,
        ),
        Trouble(
            cells=(f"import sklearn.cluster, numpy as np\n{code}", "fill()"),
            harm="sklearn.cluster.KMeans(3, n_init=1).fit(np.ones((5000, 3)) * np.arange(3))",
            dear="Before the kernel starts",
        ),
    )


SPIN = "import time; end = time.monotonic() + 120\nwhile time.monotonic() < end: pass\n"


def neighbours(at: Places) -> tuple[Trouble, ...]:
    """A process that computes, in the cgroup of the kernel."""
    folders = at.plain("cpu", "cpuacct")
    # Its parent ends at once: a child of the kernel's is no neighbour.
    start = (
        "import os, subprocess, sys, time, omp_magic\n"
        f"for folder in {folders!r}:\n"
        "    with open(f'{folder}/cgroup.procs', 'w') as file: file.write(str(os.getpid()))\n"
        f"spin = [sys.executable, '-c', {SPIN!r}]\n"
        "start = 'import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)'\n"
        "done = subprocess.run([sys.executable, '-c', start, *spin], check=True)\n"
    )
    look = "time.sleep(1.2); omp_magic.snapshot()"  # a rate is one of a second or more
    return (
        Trouble(
            cells=(f"import numpy\n{BUSY}", start, look, look, "time.sleep(1.2)"),
            harm=f"assert busy(product) == 1\n{look}; time.sleep(1.2)",
            repeatable=True,
            looks=5,
        ),
    )


NUMBA = """
import numpy as np, numba, threading
@numba.njit(parallel=True, nogil=True)
def total(a):
    t = 0.
    for _ in range(200):
        for i in numba.prange(a.size): t += a[i]
    return t
a = np.ones(1000000); total(a)
"""
BOTH = """
threads = [threading.Thread(target=total, args=(a,)) for _ in range(2)]
for each in threads: each.start()
for each in threads: each.join()
"""


def one_at_a_time(_at: Places) -> tuple[Trouble, ...]:
    return (
        Trouble(
            cells=(NUMBA,),
            harm=BOTH,
            env={"NUMBA_THREADING_LAYER": "workqueue"},
            python=environment("pools", POOLS),
        ),
    )


CALLERS = """
import numpy as np, os, tempfile, threading
from concurrent.futures import ThreadPoolExecutor
a = np.ones((400, 400))
def together(work):
    number = executor._max_workers
    gate = threading.Barrier(number)
    def part(_): gate.wait(); return work()
    return len(list(executor.map(part, range(number))))
executor = ThreadPoolExecutor(140)
together(int)
"""
WARNED = """
said = tempfile.TemporaryFile(); kept = os.dup(2); os.dup2(said.fileno(), 2)
try: together(lambda: (a @ a)[0, 0])
finally: os.dup2(kept, 2); os.close(kept)
said.seek(0); said = said.read(); assert b'NUM_THREADS exceeded' not in said, said
"""


def callers(_at: Places) -> tuple[Trouble, ...]:
    """More callers at once than NumPy's OpenBLAS has buffers for: 128."""
    return (Trouble(cells=(CALLERS,), harm=WARNED),)
