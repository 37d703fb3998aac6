"""Stories of OMP210, OMP212 and OMP214: what ends a process and is no duplicate."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {}
