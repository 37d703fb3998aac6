"""What pools leave behind: workers that live, loky's kept executor, the fork server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

_END_S = 5.0


def end_loky() -> None:
    """End the executor that loky, joblib's or its own, keeps for the next call; if it has one."""
    for name in ("joblib.externals.loky", "loky"):
        module = sys.modules.get(f"{name}.reusable_executor")
        if getattr(module, "_executor", None) is not None:
            pool = sys.modules[name].get_reusable_executor(reuse=True)
            processes = tuple((getattr(pool, "_processes", None) or {}).values())
            # joblib's own also clears the folder of what it has mapped for its workers.
            end = getattr(pool, "terminate", pool.shutdown)
            end(kill_workers=True)
            ended(processes)


class ForkServer:
    """The fork server of multiprocessing, which keeps the variables that it was started with.

    One that was not there before is ended, or the children of later would have our variables.
    """

    def __init__(self) -> None:
        self._before = self._pid()

    def end(self) -> None:
        """End it, if it is ours."""
        if self._pid() not in (None, self._before):
            module = sys.modules["multiprocessing.forkserver"]
            stop = getattr(module._forkserver, "_stop", None)  # noqa: SLF001 - no public way (3.8 on)
            if stop is not None:
                stop()

    @staticmethod
    def _pid() -> int | None:
        module = sys.modules.get("multiprocessing.forkserver")
        return getattr(getattr(module, "_forkserver", None), "_forkserver_pid", None)


def ended(processes: Iterable[Any]) -> None:
    """Kill those that live, and wait until they have gone."""
    own = os.getpid()
    for each in processes:
        try:
            if each.pid != own and each.is_alive():
                each.kill()
            each.join(_END_S)
        except (OSError, ValueError, AssertionError):
            continue  # closed by its pool, or never started


def keeps_workers() -> bool:
    """Tell whether a loky has an executor that it keeps for the next call."""
    names = ("joblib.externals.loky.reusable_executor", "loky.reusable_executor")
    return any(getattr(sys.modules.get(name), "_executor", None) is not None for name in names)
