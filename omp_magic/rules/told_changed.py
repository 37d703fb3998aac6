"""Stories of OMP207 and OMP208: what an import changed in this process."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {}
