"""Which distribution shipped a file of another process, told by the folders that it lies in.

`importlib.metadata` asks the running interpreter's ``sys.path``. Another process may run in another
environment or container, with another Python or none: so the folder of packages that the file lies
in, or beside, is read as "Recording installed projects" of the Python Packaging User Guide has it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from ...machine import Machine

_SITE = re.compile(r"^(.*[/\\](?:site|dist)-packages)[/\\]")
_PREFIX = re.compile(r"^(.*)[/\\](?:lib|lib64|bin|Library)[/\\]")
_INFO = re.compile(r"(.+)-([^-]+)\.dist-info$")
_PYTHON = re.compile(r"python3\.\d+t?$")
_FIELD = re.compile(r"^(Name|Version): *(.+?) *$", re.MULTILINE)

Shipped = tuple[str, "str | None"]
"""(name, version) of a distribution."""


class Shelves:
    """The folders of packages of one process; each is listed once.

    Parameters
    ----------
    machine
        The process.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._infos: dict[str, dict[str, str]] = {}

    def shippers(
        self, paths: Iterable[str], likely: Iterable[str | None]
    ) -> Iterator[tuple[str, Shipped]]:
        """Give (path, distribution) of the files that one of them lists.

        Parameters
        ----------
        paths
            The files.
        likely
            For each the name, in its normal form, of who probably shipped it; or None.
        """
        for path, name in zip(paths, likely, strict=True):
            for site in self._sites(path):
                infos = self._listed(site)
                first = [infos[name]] if name in infos else []
                found = self._asked(site, first, path) or self._asked(
                    site, [each for each in infos.values() if each not in first], path
                )
                if found is None and first and path.startswith(f"{site}/"):
                    # An upgrade took the file out of the record; its folder is called as before.
                    found = self._named(site, first[0])[0], None
                if found is not None:
                    yield path, found
                    break

    def prefix_of(self, path: str) -> str:
        """Give the environment that a file lies in, where it is one of conda's; "" where not."""
        folder = path
        for _ in range(6):
            folder = os.path.dirname(folder)
            if len(folder) > 1 and self._machine.inode_and_time_of(f"{folder}/conda-meta"):
                return folder
        return ""

    def _sites(self, path: str) -> Iterator[str]:
        within = _SITE.match(path)
        if within is not None:
            yield within[1]
            return
        prefix = _PREFIX.match(path)
        if prefix is not None and prefix[1] not in ("", "/usr"):
            for name in self._machine.folders(f"{prefix[1]}/lib"):
                if _PYTHON.match(name):
                    yield f"{prefix[1]}/lib/{name}/site-packages"

    def _listed(self, site: str) -> dict[str, str]:
        """Give the folder of each distribution's metadata, by its normal name."""
        if site not in self._infos:
            found = {}
            for name in self._machine.folders(site):
                match = _INFO.match(name)
                if match is not None:
                    found[normal(match[1])] = name
            self._infos[site] = found
        return self._infos[site]

    def _asked(self, site: str, infos: Iterable[str], path: str) -> Shipped | None:
        file_name = path.rpartition("/")[2]
        for info in infos:
            record = self._text(f"{site}/{info}/RECORD")
            if file_name in record:
                for line in record.split("\n"):
                    relative = line.split(",", 1)[0].strip('"')
                    if relative.endswith(file_name) and (
                        os.path.normpath(f"{site}/{relative}") == path
                    ):
                        return self._named(site, info)
        return None

    def _named(self, site: str, info: str) -> Shipped:
        head = self._text(f"{site}/{info}/METADATA").partition("\n\n")[0]
        told: dict[str, str] = dict(_FIELD.findall(head))
        name, _, version = info.removesuffix(".dist-info").rpartition("-")
        return told.get("Name", name), told.get("Version", version)

    def _text(self, name: str) -> str:
        try:
            return self._machine.read(name)
        except OSError:
            return ""


def normal(name: str) -> str:
    """Give a distribution's name in its normal form (PyPA specifications, "Names")."""
    return re.sub(r"[-_.]+", "-", name).lower()
