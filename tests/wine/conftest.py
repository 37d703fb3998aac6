"""The Windows Python, for all tests of this folder; without WINE_TESTS each is skipped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wine.prefix import NotHadError
from wine.windows import session

_HERE = Path(__file__).parent
_FIRST_S = 1800
"""The first test of a session waits for the prefix."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    without = pytest.mark.skipif(
        not os.environ.get("WINE_TESTS"), reason="make test-wine runs a Windows Python under Wine"
    )
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(without)
            item.add_marker(pytest.mark.timeout(_FIRST_S))


@pytest.fixture(scope="session", autouse=True)
def windows() -> Iterator[None]:
    """The prefix with its server, for the session."""
    with contextlib.ExitStack() as stack:
        if os.environ.get("WINE_TESTS"):
            try:
                stack.enter_context(session())
            except NotHadError as error:
                pytest.skip(str(error))
        yield
