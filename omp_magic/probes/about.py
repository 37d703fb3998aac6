"""What a bug report says besides a snapshot, and the names that must not be in it.

Versions are read from metadata: nothing is imported, since importing NumPy loads a BLAS.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from importlib import metadata

from ..facts.about import About, Personal
from ..facts.snapshots import Snapshot
from ..machine import Machine
from ..machine.python.lacking import own_home, versions

_TOOLS = ("IPython", "ipykernel", "ipywidgets", "jupyterlab", "notebook", "voila")
_HOME_VARIABLES = ("HOME", "USERPROFILE")
# Those that getpass.getuser asks, and those that tell whose a session is where everybody is
# "jovyan" or root: JupyterHub's, the Jupyter Docker stacks', sudo's.
_USER_VARIABLES = (
    "LOGNAME",
    "USER",
    "LNAME",
    "USERNAME",
    "JUPYTERHUB_USER",
    "NB_USER",
    "SUDO_USER",
)
_HOST_VARIABLES = ("HOSTNAME", "COMPUTERNAME")
_EVERYWHERE = ("localhost", "localhost.localdomain")


def probe_about(machine: Machine, snapshot: Snapshot, modules: Iterable[str] = ()) -> About:
    """Read the versions and the system.

    Parameters
    ----------
    machine
        Its ``/etc/os-release`` is read.
    snapshot
        Whose libraries are mapped.
    modules
        Folders of packages with mapped native files.
    """
    ours = sys.modules[__name__.partition(".")[0]]
    tools: list[tuple[str, str | None]] = [
        ("omp_magic", str(ours.__version__)),
        ("Python", platform.python_version()),
    ]
    tools += [(name, _version(name)) for name in _TOOLS]
    return About(
        made_at=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        tools=tuple(tools),
        packages=_packages(snapshot, modules),
        system=_system(machine),
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError, OSError):
        return None


def _packages(snapshot: Snapshot, modules: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    found: dict[str, str | None] = {}
    for name in modules:
        version = _version(name)
        if version is not None:
            found[name] = version
    for library in snapshot.libraries:
        for name in filter(None, (library.owner, *library.users)):
            own = library.owner_version if name == library.owner else None
            found[name] = own or found.get(name) or _version(name)
    for owner in snapshot.thread_owners or ():
        if owner.package is not None:
            found[owner.package] = found.get(owner.package) or _version(owner.package)
    return tuple(sorted(found.items(), key=lambda each: each[0].lower()))


def _system(machine: Machine) -> tuple[tuple[str, str], ...]:
    rows = [("distribution", _distribution(machine)), *versions()]
    rows.append(
        ("Python build", f"{platform.python_implementation()} {sys.version}".replace("\n", " "))
    )
    return tuple((name, value) for name, value in rows if value)


def _distribution(machine: Machine) -> str:
    """Give the distribution's own name; see os-release(5)."""
    try:
        text = machine.read("/etc/os-release")
    except OSError:
        return ""
    name = re.search(r"^PRETTY_NAME=(.*)$", text, re.MULTILINE)
    return name[1].strip("\"'") if name else ""


def probe_personal(environ: Mapping[str, str] | None = None) -> Personal:
    """Read by which names a text may tell who and where this is.

    Parameters
    ----------
    environ
        The environment; ``os.environ`` when None.
    """
    env = os.environ if environ is None else environ
    homes = [env.get(name, "") for name in _HOME_VARIABLES]
    homes += [env.get("HOMEDRIVE", "") + env.get("HOMEPATH", ""), os.path.expanduser("~")]
    account, entry = _account()
    homes.append(entry)
    homes += [os.path.realpath(home) for home in homes if os.path.isabs(home)]
    homes = [home for home in homes if os.path.isabs(home) or re.match(r"[A-Za-z]:[/\\]", home)]
    users = [env.get(name, "") for name in _USER_VARIABLES]
    users += [account, *(re.split(r"[/\\]", home.rstrip("/\\"))[-1] for home in homes)]
    hosts = [socket.gethostname(), platform.node(), *(env.get(n, "") for n in _HOST_VARIABLES)]
    hosts += [host.partition(".")[0] for host in hosts]
    return Personal(
        homes=_each(homes),
        users=_each(users),
        hosts=tuple(host for host in _each(hosts) if host not in _EVERYWHERE),
    )


def _account() -> tuple[str, str]:
    """Give the user's name and home as the system has them, whatever variables say."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # no entry in the password database: docker run -u
        name = ""
    return name, own_home()


def _each(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name.strip()))
