"""The real wheels say what was recorded of them: `make test-foreign`, 7 GB of them.

They are kept below tests/.cache/wheels/foreign; another folder is told by FOREIGN_WHEELS. A row
whose wheels cannot be had is skipped and says which; what is skipped is counted at the end.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from recorded import Row, rows, site_of

import omp_magic
from foreign.fetching import NotHadError, wheel
from omp_magic.checks import Check
from omp_magic.foreseen.checking import foresee
from omp_magic.installed.foreign import Site
from omp_magic.requirements.wheelfiles import WheelFiles

pytestmark = pytest.mark.skipif(
    not os.environ.get("FOREIGN_TESTS"), reason="make test-foreign fetches 7 GB of wheels"
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_the_wheels_say_what_is_recorded(row: Row, tmp_path: Path) -> None:
    try:
        wheels = [str(wheel(name, row)) for name in row.wheels]
    except NotHadError as error:
        pytest.skip(str(error))
    files = WheelFiles(wheels, row.target)
    assert not files.unknown
    site = Site((files.site,), row.target, files, on_disk=False)
    real = foresee(row.imports, site, omp_magic.snapshot())
    recorded = omp_magic.check(*row.imports, target=row.target, site=site_of(row, tmp_path))
    assert _answer(recorded) == _answer(real)


def _answer(check: Check) -> Any:
    """Give what must be the same: paths from site-packages on, no time and no identity."""
    return {
        "runtimes": [
            (each.family, _below(each.path), each.soname, each.static, each.owner_version)
            for each in check.runtimes
        ],
        "brought by": [each.brought_by for each in check.coming],
        "findings": [(each.code, each.severity, each.title) for each in check.findings],
        "notes": check.notes,
        "failing": check.failing,
        "unknown": [each.what for each in check.unknown],
    }


def _below(path: str) -> str:
    return path.rpartition("site-packages/")[2]
