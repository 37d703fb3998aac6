"""The system that this runs on, as a target."""

from __future__ import annotations

import os
import sys

from ..facts.targets import Target
from ..machine.python.names import cpu_name, system_name

_CPUS = {"amd64": "x86_64", "x64": "x86_64"}


def this_target() -> Target:
    """Give the running interpreter's system, processor, Python and variables."""
    cpu = cpu_name()
    cpu = _CPUS.get(cpu, cpu)
    system = system_name()
    return Target(
        system=system,
        cpu="arm64" if system != "linux" and cpu == "aarch64" else cpu,
        python=sys.version_info[:2],
        environ=os.environ,
        local=True,
        python_known=True,
        here=True,
    )
