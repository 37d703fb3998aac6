"""A search for an order of imports that works, proved by running it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from ..facts.trials import OrderSearch, Trial
from .trial import checked_modules, run_trial

GLOBAL = ("mkl", "torch")
"""Modules that put their OpenMP runtime into the global scope, where it serves what comes later:
mkl/_mklinitmodule.c, _preload_threading_layer, and torch/__init__.py, _load_global_deps."""

Progress = Callable[[int, "tuple[str, ...]", "Trial | None"], None]
"""Called with (number, order, None) before a trial and (number, order, trial) after it."""


def find_order(  # noqa: PLR0913 - the first is what it is about, the others have defaults
    modules: Iterable[str],
    *,
    timeout_s: float = 120.0,
    total_s: float = 900.0,
    most_trials: int = 24,
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
    progress: Progress | None = None,
) -> OrderSearch:
    """Run orders of imports in child processes until one works.

    The given order comes first; then each module in front of the others, those that failed behind
    others first, then those that serve OpenMP to what comes later; then all other orders. An
    order that begins like one that failed at an import is not run: it would fail there too. One
    in which two LLVM runtimes run side by side, silenced by a variable (`Trial.masked`), is
    taken only when no other works.

    Parameters
    ----------
    modules
        Names as ``import`` takes them.
    timeout_s, env, python
        As in `run_trial`.
    total_s
        Seconds after which no further trial is started.
    most_trials
        How many orders are run at most.
    progress
        Told of each trial; what it raises ends the search.

    Returns
    -------
    OrderSearch
        Its `order`, or None when none of those that were run works.

    Raises
    ------
    TrialError
        When the names are no module names.
    """
    names = checked_modules(modules)
    started = time.monotonic()
    plan = _Plan(names)
    trials: list[Trial] = []
    best: Trial | None = None
    stopped = ""
    for order in plan:
        if len(trials) >= most_trials:
            stopped = f"stopped after {most_trials} trial{'s' * (most_trials != 1)}"
            break
        if time.monotonic() - started >= total_s:
            stopped = f"stopped after {total_s:g} s"
            break
        if progress is not None:
            progress(len(trials) + 1, order, None)
        trial = run_trial(order, timeout_s=timeout_s, env=env, python=python)
        trials.append(trial)
        if progress is not None:
            progress(len(trials), order, trial)
        if trial.works and (best is None or not trial.masked):
            best = trial
        if trial.works and not trial.masked:
            break
        hopeless = _hopeless(trial)
        if hopeless:
            stopped = hopeless
            break
        plan.learn(trial)
    return OrderSearch(
        modules=names,
        trials=tuple(trials),
        best=best,
        stopped=stopped,
        wall_s=time.monotonic() - started,
    )


def _hopeless(trial: Trial) -> str:
    """Give the reason for which no order can work, or ""."""
    step = trial.failed
    if step is None:
        return ""
    if step.kind == "start":
        return "the interpreter does not start"
    if step.error == "ModuleNotFoundError" and step.name in trial.modules:
        parts = step.name.split(".")
        own = {".".join(parts[: number + 1]) for number in range(len(parts))}
        if any(f"named {name!r}" in step.message for name in own):
            return f"{step.name} is not installed"
    return ""


class _Plan:
    """The orders to run, one after another, as the trials so far make them sensible."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._given: set[tuple[str, ...]] = set()
        self._dead: set[tuple[str, ...]] = set()
        self._failed: list[str] = []
        self._serving = [name for name in names if name.split(".")[0] in GLOBAL]

    def learn(self, trial: Trial) -> None:
        """Take in how an order went."""
        for step in trial.steps:
            serves = any(each.serves for each in step.libraries)
            if step.kind == "import" and serves and step.name not in self._serving:
                self._serving.append(step.name)
        failed = trial.failed
        if failed is not None and failed.kind == "import":
            position = trial.modules.index(failed.name)
            self._dead.add(trial.modules[: position + 1])
            if position and failed.name not in self._failed:
                self._failed.append(failed.name)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        yield from self._new(self._names)
        led: set[str] = set()
        while True:
            # Asked anew each time: a trial may have told more.
            ranked = dict.fromkeys((*self._failed, *self._serving, *self._names))
            leader = next((name for name in ranked if name not in led), None)
            if leader is None:
                break
            led.add(leader)
            yield from self._new((leader, *(name for name in self._names if name != leader)))
        yield from self._rest(())

    def _new(self, order: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        dead = any(order[:length] in self._dead for length in range(1, len(order) + 1))
        if order not in self._given and not dead:
            self._given.add(order)
            yield order

    def _rest(self, begun: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Give all other orders; a beginning that is known to fail is left at once."""
        if begun in self._dead:
            return
        if len(begun) == len(self._names):
            yield from self._new(begun)
        for name in self._names:
            if name not in begun:
                yield from self._rest((*begun, name))
