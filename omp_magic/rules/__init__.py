"""Facts in, findings out: a rule is data and a pure function, a file is a group of codes."""

from __future__ import annotations

from .judgement import judge

__all__ = ["judge"]
