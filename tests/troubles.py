"""Every code's row: a real way into its finding, for `tests/kernel/test_remedies.py`.

A new code is a new row, which makes its troubles from what the tests build. One that no system of
the tests can have stands in `RECORDED`.
"""

from __future__ import annotations

import troubles_of_changes as changes
import troubles_of_cpus as cpus
import troubles_of_limits as limits
import troubles_of_processes as processes
import troubles_of_runtimes as runtimes
import troubles_of_settings as settings
from trouble import Row

ROWS: dict[str, Row] = {
    "OMP101": runtimes.two_llvm,
    "OMP102": runtimes.two_llvm_masked,
    "OMP103": runtimes.hanging,
    "OMP104": runtimes.mkl_exits,
    "OMP105": runtimes.two_teams,
    "OMP106": runtimes.two_blas,
    "OMP110": runtimes.replaced,
    "OMP111": runtimes.misreported,
    "OMP201": cpus.too_many,
    "OMP202": processes.crowded,
    "OMP203": cpus.throttled,
    "OMP204": processes.hanging_child,
    "OMP205": cpus.over_quota,
    "OMP206": cpus.starved,
    "OMP207": changes.narrowed,
    "OMP208": changes.small,
    "OMP209": limits.unheld,
    "OMP210": limits.no_room,
    "OMP211": limits.neighbours,
    "OMP212": limits.one_at_a_time,
    "OMP213": processes.unsendable,
    "OMP214": limits.callers,
    "OMP301": settings.too_late,
    "OMP302": settings.overruled,
    "OMP303": settings.unchecked,
    "OMP304": settings.unreadable,
    "OMP305": settings.two_environments,
}

RECORDED: dict[str, str] = {
    "OMP107": (
        "macOS alone: on Linux and on Windows all shared copies register in one place. Judged in "
        "tests/pure/test_rules.py (`UNSEEN`) from the copies that wheels of scikit-learn 1.9.1, "
        "faiss-cpu 1.8.0 to 1.15.1, PyTorch 2.2 to 2.14 and Homebrew bring; its crash is reported "
        "in pytorch#121101 and pytorch#149201"
    ),
}
"""Codes without a way into them on the systems of these tests: why, and what is judged instead."""

MEASURED = ("OMP203", "OMP206", "OMP209", "OMP211")
"""Codes of what threads got: they need a machine on which nothing else runs."""
THOROUGH = (
    *("OMP101", "OMP102", "OMP103", "OMP104", "OMP202", "OMP203", "OMP204", "OMP207", "OMP208"),
    *("OMP209", "OMP210", "OMP213", "OMP301", "OMP302", "OMP304"),
)
"""Codes that have troubles for `make test-thorough`."""
