"""Where things lie: the project, its tests, what they keep between runs, and recorded data."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
CACHE = TESTS / ".cache"
DATA = TESTS / "data"
