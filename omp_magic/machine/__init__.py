"""The one door: root folder, environment, affinity, pid, clock; the process's C library.

Only what differs from system to system, and asks the system, comes in here; it knows no runtime.
"""

from __future__ import annotations

from .machine import Machine

__all__ = ["Machine"]
