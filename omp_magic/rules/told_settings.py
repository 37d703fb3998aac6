"""Stories of OMP301 to OMP305: environment variables."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {
    "OMP301": Story(
        "Libraries read their variables once: libgomp and OpenBLAS when they are loaded, LLVM's "
        "and Intel's OpenMP and MKL at their first call. Set later, a variable changes nothing "
        "here, but child processes inherit it.",
        "The value when the process started, the value now, and the count the library has: it "
        "must be the one that the former value gives, and not the one of the value now. Where a "
        "library tells what it took, as libgomp does of OMP_DYNAMIC, that decides.",
        (
            "For this session: %omp_limit openblas=2",
            (
                "Before the kernel starts, or before the import in a fresh kernel: "
                "import os; os.environ['OPENBLAS_NUM_THREADS'] = '2'"
            ),
        ),
    ),
    "OMP302": Story(
        "Several variables speak about one pool and only one is heard: OPENBLAS_NUM_THREADS "
        "before OMP_NUM_THREADS, MKL_NUM_THREADS before OMP_NUM_THREADS, and so on. "
        "%omp_status --env says for each variable which library follows it.",
        "Both variables as C sees them, for the libraries that are loaded.",
        (
            "Before the kernel starts: unset OPENBLAS_NUM_THREADS",
            (
                "Or give both the same value, before the kernel starts: "
                "OPENBLAS_NUM_THREADS=2 OMP_NUM_THREADS=2"
            ),
        ),
    ),
    "OMP303": Story(
        "KMP_DUPLICATE_LIB_OK keeps a second runtime of the LLVM family from ending the process, "
        "and from saying that there are two. The runtime's own message calls it unsafe, "
        "unsupported and undocumented. Children inherit it.",
        "The variable as C sees it. That scikit-learn or threadpoolctl has set it is told only "
        "where a runtime of the family is loaded: without one it means nothing.",
        (
            (
                "To have the check back for libraries still to come: "
                "import os; os.environ.update(KMP_DUPLICATE_LIB_OK='FALSE')"
            ),
        ),
    ),
    "OMP304": Story(
        "A library that cannot read a value ignores it, some with a line on stderr that a "
        "notebook does not show. What is accepted differs: libgomp wants true or false where "
        "LLVM's runtime also takes 1 and yes. NumExpr refuses more threads than "
        "NUMEXPR_MAX_THREADS allows, 64 without it, and stays with one.",
        "Each variable is parsed as its readers parse it.",
        (
            "Before the kernel starts: unset OMP_DYNAMIC",
            "Or a value that all accept, before the kernel starts: OMP_DYNAMIC=true",
        ),
    ),
    "OMP305": Story(
        "os.environ is a copy that Python makes when it starts. A library that sets a variable "
        "in C does not change it. Libraries, and children started by subprocess without env=, "
        "see the C value.",
        "os.environ beside getenv.",
        (
            (
                "To have C and children see what os.environ shows: "
                "import os; os.unsetenv('MKL_THREADING_LAYER')"
            ),
            (
                "Or give one child what os.environ shows, here one that prints it: "
                "import os, subprocess, sys; subprocess.check_output([sys.executable, '-c', "
                "\"import os; print(os.getenv('MKL_THREADING_LAYER'))\"], env=dict(os.environ))"
            ),
        ),
    ),
}
