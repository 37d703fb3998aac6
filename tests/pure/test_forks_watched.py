"""What the hook before a fork does with a Ctrl-C."""

from __future__ import annotations

import os
import time

import pytest

from omp_magic.hooks.forks import Forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_an_interrupt_while_a_fork_is_looked_at_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omp_magic.hooks.forks.at_fork", lambda _: True)

    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    forks = Forks()
    forks.add(interrupted)
    forks._before()  # CPython drops what it raises
    with pytest.raises(KeyboardInterrupt):
        time.sleep(20)
