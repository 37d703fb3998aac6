"""Stories of OMP211: other processes of the group."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {}
