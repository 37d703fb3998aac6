"""Stories of OMP209: a limit that was not held."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {
    "OMP209": Story(
        "A limit sets the count that a runtime takes when nobody names another. A parallel region "
        "that names a number itself (OpenMP's num_threads clause) takes that one, and a library "
        "whose callers pass n_jobs or num_threads names it in every region. LightGBM from 4.2 on "
        "and XGBoost from 2.1 on have a ceiling of their own, which a limit reaches; joblib's and "
        "scikit-learn's n_jobs=-1 is the limit's CPU count.",
        "The clocks of all threads before and after a limited cell or block, and the owners of "
        "those that worked longer than an idle thread spins: 25 ms for libgomp, 100 ms for "
        "OpenBLAS, 300 ms for LLVM's and Intel's runtimes. Threads that have ended are missed, "
        "and nothing is said where other Python threads worked without the limit. What is told "
        "stays until a cell that did as much held the limit, or until the limit has ended.",
        (
            "Pass the number where you call the library, as n_jobs=1 or num_threads=1",
            (
                "No region goes past this, in the first cell after a restart: "
                "import os; os.environ['OMP_THREAD_LIMIT'] = '1'"
            ),
        ),
    ),
}
