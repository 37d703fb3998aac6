"""OMP211: other processes of the group use its CPUs."""

from __future__ import annotations

from .rule import Rule

RULES: tuple[Rule, ...] = ()
