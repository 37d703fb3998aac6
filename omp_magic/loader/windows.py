"""What the loader of Windows would map, told from files; nothing is loaded.

The rules are Microsoft's (learn.microsoft.com, "Dynamic-link library search order" and
LoadLibraryExW) and, where these are silent, those of Wine's dlls/ntdll/loader.c, for loads as
CPython makes them: extension modules (Python/dynload_win.c) and ctypes (Lib/ctypes/__init__.py)
search the default folders and that of what is loaded (LOAD_LIBRARY_SEARCH_DEFAULT_DIRS and
_DLL_LOAD_DIR), never PATH.

* A full path searches nothing: the module of that path is taken again, in whatever case, and that
  of the same file under another path; else the file is loaded, whatever has its name already.
* A bare name, each need is one, takes the first module that has this base name; ``.dll`` is added
  to a name without an ending. Else it is searched in the folder of the file that this load began
  with, the program's, those that were added, System32 (Wine's get_dll_load_path_search_flags has
  this order). A file for another processor is passed over there.
* Delay imports are loaded at the first call, so not now. A DLL that only forwards has another do
  its work, which is found as a need is.
* API sets are names for functions of the system, no files.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Mapping, Sequence

from .files import Files
from .images import Image
from .simulated import Mapped, Matters

SYSTEM32 = "C:/Windows/System32"
_API_SET = re.compile(r"(?:api|ext)-ms-", re.IGNORECASE)
_SYSTEM = re.compile(
    r"(?:api|ext)-ms-|(?:kernel32|kernelbase|ntdll|user32|gdi32|advapi32|shell32|ole32|oleaut32|rpcrt4"
    r"|ws2_32|msvcrt|ucrtbase|bcrypt(?:primitives)?|crypt32|secur32|shlwapi|version|winmm|psapi|dbghelp"
    r"|iphlpapi|setupapi|cfgmgr32|userenv|imm32|comdlg32|comctl32|opengl32|d3d\d+\w*|dxgi|dnsapi|wsock32"
    r"|mswsock|netapi32|powrprof|pdh|wintrust|winhttp|wininet|propsys|normaliz|ncrypt|synchronization"
    r"|vcruntime140(?:_1)?|msvcp140\w*|concrt140|vccorlib140|python3\d*)(?:\.dll|\.drv)?$",
    re.IGNORECASE,
)
"""API sets, DLLs that every Windows has, and those that Python's folder has."""


def is_of_the_system(name: str) -> bool:
    """Tell whether a DLL of this name is Windows' own, or Python's."""
    return _SYSTEM.match(name) is not None


class Windows:
    """A process of Windows in which files are loaded one after the other; see `SimulatedLoader`.

    Parameters
    ----------
    files
        What is seen with; paths have ``/`` between their parts.
    cpu
        ``"x86_64"`` or ``"arm64"``.
    environ
        Not asked: loads as CPython makes them do not search PATH.
    present
        What the process has already.
    program_folder
        Folder of python.exe; "" when it is not known.
    folders
        Those that os.add_dll_directory opened before.
    matters
        Whether a missing DLL of this file name makes a load fail. All others are taken to be the
        system's, which has hundreds that no list names; they stand in `missing` all the same.
    """

    def __init__(  # noqa: PLR0913 - what a process begins with
        self,
        files: Files,
        cpu: str,
        environ: Mapping[str, str],  # noqa: ARG002 - all loaders are made with it
        present: Sequence[Image] = (),
        *,
        program_folder: str = "",
        folders: Sequence[str] = (),
        matters: Matters = lambda _: False,
    ) -> None:
        self._mapped = Mapped(files, "windows", cpu, present)
        self.loaded = self._mapped.loaded
        self.missing = self._mapped.missing
        self._files = files
        self._matters = matters
        self._program_folder = program_folder
        self._folders = list(folders)
        self._names: dict[str, dict[str, str]] = {}
        self._paths: dict[str, Image] = {}
        self._modules: dict[str, list[Image]] = {}
        for image in present:
            self._know(image)

    def open_folders(self, folders: Sequence[str]) -> None:
        """See `SimulatedLoader.open_folders`."""
        self._folders += [each for each in folders if each not in self._folders]

    def load(self, path: str, by: Image | None = None) -> Image | None:
        """See `SimulatedLoader.load`."""
        before = len(self.loaded)
        path = path.replace("\\", "/")
        full = "/" in path
        self._mapped.why = ""
        found = self._at(path, by) if full else self._named(path, self._search_path(""), by)
        if found is None:
            fatal = full or self._matters(_base(path))
            if fatal or not _SYSTEM.match(path):
                self._mapped.note(path, by, fatal=fatal, why=self._mapped.why)
            return None
        if len(self.loaded) > before and not self._follow(found, posixpath.dirname(found.path)):
            for image in self._mapped.cut_back(before):
                self._forget(image)
            return None
        return found

    def _follow(self, first: Image, load_folder: str) -> bool:
        """Map what an image needs, level by level; False when something that matters is missing."""
        folders = self._search_path(load_folder)
        waiting = deque((first,))
        while waiting:
            image = waiting.popleft()
            binary = image.binary
            for name in binary.needed + (binary.forwards if binary.forwarder else ()):
                before = len(self.loaded)
                self._mapped.why = ""
                found = self._named(name, folders, image)
                if found is not None:
                    image.needed.append(found)
                    waiting.extend(self.loaded[before:])
                    continue
                fatal = bool(self._mapped.why) or self._matters(_base(name))
                if fatal or not _SYSTEM.match(name):
                    self._mapped.note(name, image, fatal=fatal, why=self._mapped.why)
                if fatal:
                    return False
        return True

    def _named(self, name: str, folders: Sequence[str], by: Image | None) -> Image | None:
        base = _base(name)
        if _API_SET.match(base):
            return None
        if base in self._modules:
            return self._modules[base][0]
        for folder in folders:
            actual = self._in(folder).get(base)
            if actual is not None and (found := self._open(f"{folder}/{actual}", by)) is not None:
                return found
        return None

    def _at(self, path: str, by: Image | None) -> Image | None:
        """Give the module of a full path."""
        path = posixpath.normpath(path)
        if "." not in posixpath.basename(path):
            path += ".dll"
        if path.lower() in self._paths:
            return self._paths[path.lower()]
        folder, name = posixpath.split(path)
        if not self._files.is_file(path):
            actual = self._in(folder).get(name.lower())
            if actual is None:
                return None
            path = posixpath.join(folder, actual)
        return self._open(path, by)

    def _open(self, path: str, by: Image | None) -> Image | None:
        known = self._paths.get(path.lower()) or self._mapped.same_file(path)
        if known is not None:
            return known
        image = self._mapped.opened(path, by)
        if image is None or not self._mapped.map(image):
            return None
        self._know(image)
        return image

    def _search_path(self, load_folder: str) -> list[str]:
        every = (load_folder, self._program_folder, *self._folders, SYSTEM32)
        return list(dict.fromkeys(each.rstrip("/") for each in every if each))

    def _in(self, folder: str) -> dict[str, str]:
        """Give the names in a folder by what they are in lower case."""
        names = self._names.get(folder)
        if names is None:
            names = self._names[folder] = {}
            for each in self._files.names(folder):
                names.setdefault(each.lower(), each)
        return names

    def _know(self, image: Image) -> None:
        self._paths.setdefault(image.path.lower(), image)
        self._modules.setdefault(_base(image.path), []).append(image)

    def _forget(self, image: Image) -> None:
        image.needed.clear()
        if self._paths.get(image.path.lower()) is image:
            del self._paths[image.path.lower()]
        base = _base(image.path)
        self._modules[base].remove(image)
        if not self._modules[base]:
            del self._modules[base]


def _base(path: str) -> str:
    """Give the name by which modules are told apart."""
    name = path.replace("\\", "/").rpartition("/")[2].lower()
    return name if "." in name else f"{name}.dll"
