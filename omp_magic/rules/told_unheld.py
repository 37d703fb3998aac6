"""Stories of OMP209: a limit that was not held."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {}
