"""A bar that waits before it is drawn."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from omp_magic import bars


class Drawn:
    """A bar that a test looks at."""

    def __init__(self) -> None:
        self.drawn = threading.Event()
        self.closed = False
        self.total = self.n = 0
        self.bar_format = ""

    def refresh(self) -> None:
        self.drawn.set()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []

    def make() -> Drawn:
        drawn = Drawn()
        found.append(drawn)
        return drawn

    monkeypatch.setattr(bars, "_made", make)
    monkeypatch.setattr(bars, "_placed", lambda _drawn: None)
    return found


def test_what_is_over_soon_draws_nothing(made: list[Any]) -> None:
    bar = bars.Bar(shown=True, delay_s=600)
    bar.tell(0, 2, "looks", "2 workers")
    waiting = bar._later
    bar.tell(2, 2, "looks", "2 of 2 workers")
    bar.close()
    assert made == []
    assert waiting is not None
    waiting.join(60)
    assert not waiting.is_alive()
    bar._due()  # as a timer that could not be stopped any more
    assert made == []


def test_what_hangs_is_drawn_without_a_further_step(
    made: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = threading.Event()
    make = bars._made

    def told() -> Any:
        drawn = make()
        there.set()
        return drawn

    monkeypatch.setattr(bars, "_made", told)
    bar = bars.Bar(shown=True, delay_s=0.01)
    bar.tell(0, 2, "looks", "2 workers")
    assert there.wait(60)
    assert made[0].drawn.wait(60)
    bar.close()
    assert made[0].closed
