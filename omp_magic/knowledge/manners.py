"""What the loader and the packages of a system do otherwise than those of others: a row a system.

Who asks for a difference asks for it by its name here, not for the system that has it.
"""

from __future__ import annotations

from typing import NamedTuple


class Manners(NamedTuple):
    """How files of machine code are found, bound and opened on a system.

    Parameters
    ----------
    has_global_scope
        Whether a library that is loaded with RTLD_GLOBAL answers for the names that others ask
        for later, so that one runtime can serve all.
    knows_by_soname
        Whether a need is met by what is loaded already and has that SONAME in its file, also where
        it is another library with a runtime linked into it.
    has_install_names
        Whether a library's own name is an install name: a path that requests are compared with.
    coalesces_weak_definitions
        Whether a function that several libraries export weakly is the first one's for all.
    copies_by_folder
        Whether each folder that a runtime is opened from gives a copy of its own: then sources are
        followed to the very file. Else packages share theirs by name, and which one they open
        does not matter.
    opens_unlinked
        Whether packages open libraries of their own that no file links.
    in_images
        Whether environments lie in unpacked images and on mounted disks, whose full paths begin
        at the image's root.
    tells_inodes
        Whether the system tells device and inode of what is mapped, so that they tell two copies
        apart.
    not_found_fails
        Whether, on the machine itself, a runtime that is in no folder of the rules is missing. Else
        it may come from folders that the rules do not have.
    own_blas
        Key of the family of a BLAS that is a part of the system; "" where there is none.
    written_for
        The shell that lines are written for where none is named, a word of `views.envfiles`.
    smallest_host_bytes
        Smaller files are not searched for a runtime that is linked into them: it adds more.
    source
        Where that is written, or was seen.
    """

    has_global_scope: bool
    knows_by_soname: bool
    has_install_names: bool
    coalesces_weak_definitions: bool
    copies_by_folder: bool
    opens_unlinked: bool
    in_images: bool
    tells_inodes: bool
    not_found_fails: bool
    own_blas: str
    written_for: str
    smallest_host_bytes: int
    source: str


_MANNERS = {
    "linux": Manners(
        has_global_scope=True,
        knows_by_soname=True,
        has_install_names=False,
        coalesces_weak_definitions=False,
        copies_by_folder=False,
        opens_unlinked=False,
        in_images=True,
        tells_inodes=True,
        not_found_fails=False,
        own_blas="",
        written_for="bash",
        smallest_host_bytes=100_000,
        source=(
            "dlopen(3), RTLD_GLOBAL; glibc, elf/dl-load.c, _dl_map_object; "
            "proc_pid_maps(5); a distribution's loader may have folders of its own"
        ),
    ),
    "macos": Manners(
        has_global_scope=False,
        knows_by_soname=False,
        has_install_names=True,
        coalesces_weak_definitions=True,
        copies_by_folder=True,
        opens_unlinked=False,
        in_images=False,
        tells_inodes=False,
        not_found_fails=True,
        own_blas="accelerate",
        written_for="bash",
        smallest_host_bytes=0,
        source=(
            "ld(1), -twolevel_namespace and -install_name; apple-oss-distributions/dyld, "
            "dyld-1378, Loader.cpp:797 and BIND_SPECIAL_DYLIB_WEAK_LOOKUP; DyldAPIs.cpp, "
            "dlopen_from"
        ),
    ),
    "windows": Manners(
        has_global_scope=False,
        knows_by_soname=False,
        has_install_names=False,
        coalesces_weak_definitions=False,
        copies_by_folder=True,
        opens_unlinked=True,
        in_images=False,
        tells_inodes=False,
        not_found_fails=True,
        own_blas="",
        written_for="powershell",
        smallest_host_bytes=0,
        source=(
            "learn.microsoft.com, PE Format, Import Directory Table (names are a DLL's own), and "
            "LoadLibraryExW (a full path searches nothing); torch/__init__.py, _load_dll_libraries"
        ),
    ),
}


def manners_of(system: str) -> Manners:
    """Give how a system does it.

    Parameters
    ----------
    system
        As `omp_magic.facts.targets.SYSTEMS` has it.
    """
    return _MANNERS[system]
