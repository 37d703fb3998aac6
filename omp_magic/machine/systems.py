"""Which system tells of a process: chosen here, once, and asked nowhere above."""

from __future__ import annotations

from .python.names import system_name

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Callable

    from .port.cpusystem import CpuSystem
    from .port.door import Door
    from .port.others import Others, Users
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


def paths_of(pid: int) -> Callable[[str], str]:
    """Give what turns a path of another process into one that leads to it from here."""
    if system_name() == "linux":
        from .linux.elsewhere import Elsewhere  # noqa: PLC0415 - as above

        return Elsewhere(pid).path
    return str  # what a process names is one file for all


def others_of(door: Door) -> Others:
    """Give what the running system tells of another process beside the rest."""
    name = system_name()
    if name == "windows":
        from .windows.others import WindowsOthers  # noqa: PLC0415 - as above

        return WindowsOthers(door)
    if name == "macos":
        from .macos.others import MacOthers  # noqa: PLC0415 - as above

        return MacOthers(door)
    from .linux.others import LinuxOthers  # noqa: PLC0415 - as above

    return LinuxOthers(door)


def users_here() -> Users:
    """Give what the running system tells of all processes of the user."""
    name = system_name()
    if name == "windows":
        from .windows.others import WindowsUsers  # noqa: PLC0415 - as above

        return WindowsUsers()
    if name == "macos":
        from .macos.others import MacUsers  # noqa: PLC0415 - as above

        return MacUsers()
    from .linux.others import LinuxUsers  # noqa: PLC0415 - as above

    return LinuxUsers()
