"""The words for threads that may still start, beside those for the CPUs."""

from __future__ import annotations

from ..facts.snapshots import Snapshot
from ..facts.tasks import TaskBound
from ..rules.ending import few_tasks_left, room_words
from .words import DASH, counted


def tasks_of(snapshot: Snapshot) -> str:
    """Give how many threads may still start, where that is little; else ""."""
    tasks = snapshot.tasks
    if tasks is None or tasks.binding is None:
        return ""
    if not few_tasks_left(snapshot) and (tasks.free or 0) > 1:
        return ""
    return f"{room_words(tasks.binding)} used, {counted(tasks.free or 0, 'thread')} may still start"


def task_limit(bound: TaskBound) -> str:
    """Give the tasks that a bound allows."""
    return "no limit" if bound.limit is None else str(bound.limit)


def task_used(bound: TaskBound) -> str:
    """Give the tasks that count against a bound, a dash where they were not counted."""
    return DASH if bound.used is None or bound.reason else str(bound.used)


def task_role(bound: TaskBound, snapshot: Snapshot) -> str:
    """Give whether a bound on the tasks leaves least room, and why one does not hold."""
    if bound.reason:
        return bound.reason
    tasks = snapshot.tasks
    return "leaves least room" if tasks is not None and bound == tasks.binding else ""
