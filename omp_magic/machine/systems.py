"""Which system tells of a process: chosen here, once, and asked nowhere above."""

from __future__ import annotations

from .python.names import system_name

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from .port.cpusystem import CpuSystem
    from .port.door import Door
    from .port.system import System


def system_of(door: Door) -> System:
    """Give the running system's answers; under another root those of Linux' files."""
    name = system_name() if door.root == "/" else "linux"
    if name == "windows":
        from .windows.system import WindowsSystem  # noqa: PLC0415 - one system is loaded, not three

        return WindowsSystem(door)
    if name == "macos":
        from .macos.system import MacSystem  # noqa: PLC0415 - as above

        return MacSystem(door)
    from .linux.system import LinuxSystem  # noqa: PLC0415 - as above

    return LinuxSystem(door)


def cpus_of(door: Door) -> CpuSystem | None:
    """Give what tells of the CPUs alone; None where that is a part of all the rest."""
    if door.root == "/" and system_name() != "linux":
        return None
    from .linux.cpus import LinuxCpus  # noqa: PLC0415 - as above

    return LinuxCpus(door)
