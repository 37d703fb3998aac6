"""Every code that there is: those of a process, and those of the workers of a cluster."""

from __future__ import annotations

from . import clustered
from .judgement import RULES
from .rule import ClusterRule, Rule

CODES: tuple[Rule | ClusterRule, ...] = (*RULES, *clustered.RULES)
"""In the order of the codes."""
