"""OMP209: a limit that was not held."""

from __future__ import annotations

from .rule import Rule

RULES: tuple[Rule, ...] = ()
