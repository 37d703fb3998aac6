"""OMP207 and OMP208: what an import changed in this process."""

from __future__ import annotations

from .rule import Rule

RULES: tuple[Rule, ...] = ()
