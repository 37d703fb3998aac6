"""Ways into OMP207 and OMP208: what an import changed."""

from __future__ import annotations

from trouble import BUSY, Places, Trouble

CPUS_BACK = "import os; assert len(os.sched_getaffinity(0)) > 1"


def narrowed(_at: Places) -> tuple[Trouble, ...]:
    """The runtime of GNU's family that scikit-learn brings binds the thread that loads it."""
    return (
        Trouble(
            answers="^Or in a fresh kernel",
            cells=("import os; os.environ['OMP_PROC_BIND'] = 'true'", "import sklearn.cluster"),
            again=("import sklearn.cluster",),
            harm=CPUS_BACK,
            repeatable=True,
            thorough=True,
        ),
        Trouble(
            cells=("import sklearn.cluster",),
            harm=CPUS_BACK,
            env={"OMP_PROC_BIND": "true"},
            repeatable=True,
        ),
    )


def small(at: Places) -> tuple[Trouble, ...]:
    """A package that sets a variable as paddle does, where there is none."""
    code = "import os\nos.environ.setdefault('OMP_NUM_THREADS', '1')\n"
    first = f"import sys; sys.path.insert(0, {at.module('sets_one', code)!r}); import sets_one"
    cells = (first, f"import numpy\n{BUSY}")
    harm = "assert busy(product) > 1"
    child = "[sys.executable, '-c', 'import os; print(os.environ.get(\"OMP_NUM_THREADS\"))']"
    return (
        Trouble(
            answers="^For child processes",
            cells=cells,
            harm=(
                "import subprocess, sys\n"
                f"ended = subprocess.run({child}, capture_output=True, text=True)\n"
                "assert ended.stdout != '1\\n', ended"
            ),
            repeatable=True,
            thorough=True,
        ),
        Trouble(
            answers="right after",
            cells=cells,
            first=(first,),
            again=cells[1:],
            harm=harm,
            repeatable=True,
            thorough=True,
        ),
        Trouble(cells=cells, harm=harm, repeatable=True),
    )
