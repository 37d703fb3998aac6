"""Where packages are in an environment of any system, and for which Python."""

from __future__ import annotations

import posixpath
import re

from ..loader.files import Files

_SITES = ("site-packages", "dist-packages")
_PYTHON = re.compile(r"python3\.(\d{1,2})$")
_TAGGED = re.compile(r"\.(?:cpython-|cp)3(\d{1,2})[-.]")
_MOST_NAMES = 4_000


def prefix_of(site: str) -> str:
    """Give ``sys.prefix`` for a folder of packages: site-packages lies 2 or 3 folders below it."""
    if posixpath.basename(site) not in _SITES:
        return site
    above = posixpath.dirname(site)
    if _PYTHON.match(posixpath.basename(above)):
        above = posixpath.dirname(above)
    low = posixpath.basename(above).lower()
    return posixpath.dirname(above) if low in ("lib", "lib64") else above


def sites_in(folder: str, files: Files) -> tuple[str, ...]:
    """Give the folders of packages in an environment, an unpacked image, or that folder itself.

    Parameters
    ----------
    folder
        A site-packages, ``sys.prefix`` of an environment, or the root of an image.
    files
        Where it is.
    """
    folder = folder.rstrip("/") or "/"
    if any(each.endswith((".dist-info", ".egg-info")) for each in files.names(folder)):
        return (folder,)
    found = []
    for prefix in (folder, f"{folder}/usr/local", f"{folder}/usr", f"{folder}/opt/conda"):
        for lib in ("lib", "lib64", "Lib"):
            inside = f"{prefix}/{lib}"
            if "site-packages" in files.names(inside):
                found.append(f"{inside}/site-packages")
            for name in sorted(files.names(inside)):
                if _PYTHON.match(name) or name == "python3":
                    found += [f"{inside}/{name}/{site}" for site in _SITES]
    seen: dict[object, str] = {}
    for site in found:
        if files.is_folder(site):
            seen.setdefault(files.identity(site) or files.real(site), site)
    return tuple(seen.values()) or (folder,)


def python_of(site: str, files: Files) -> tuple[int, int] | None:
    """Give the version of Python that a folder of packages is for; None when nothing tells it."""
    found = _PYTHON.match(posixpath.basename(posixpath.dirname(site)))
    if found is not None:
        return 3, int(found[1])
    versions: dict[int, int] = {}
    for folder in list(files.names(site))[:_MOST_NAMES]:
        if "." in folder and not folder.endswith((".so", ".pyd")):
            continue
        inside = files.names(f"{site}/{folder}") if "." not in folder else (folder,)
        for name in inside:
            if match := _TAGGED.search(name):
                versions[int(match[1])] = versions.get(int(match[1]), 0) + 1
    return (3, max(versions, key=lambda each: versions[each])) if versions else None


def image_root_of(site: str, files: Files) -> str:
    """Give the root of the unpacked image that a folder of packages is in; "" for none."""
    folder = posixpath.dirname(site)
    while folder not in ("/", ""):
        if files.is_folder(f"{folder}/etc") and files.is_folder(f"{folder}/usr/lib"):
            return folder
        above = posixpath.dirname(folder)
        if above == folder:
            break
        folder = above
    return ""
