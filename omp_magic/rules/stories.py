"""The whole story of each code: for %omp_explain, and for the pages in docs/findings."""

from __future__ import annotations

from . import (
    told_changed,
    told_clusters,
    told_cpus,
    told_duplicates,
    told_ending,
    told_neighbours,
    told_processes,
    told_settings,
    told_unheld,
)
from .story import Story

_GROUPS = (
    told_duplicates,
    told_cpus,
    told_processes,
    told_changed,
    told_unheld,
    told_ending,
    told_neighbours,
    told_settings,
    told_clusters,
)

STORIES: dict[str, Story] = dict(
    sorted((code, story) for group in _GROUPS for code, story in group.STORIES.items())
)
"""The story of each code, in the order of the codes."""
