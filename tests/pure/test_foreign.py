"""Imports on systems that are not here: what comes, what is only supposed, and which cures help.

Packages are the ways of real wheels in few files: PyTorch 2.2 to 2.13, lightgbm 4.7, scikit-learn,
faiss-cpu 1.7 to 1.15, glum and conda-forge's Intel runtime.
"""

from __future__ import annotations

import pytest
from facts_for_tests import snapshot
from memoryfiles import MemoryFiles

from omp_magic.checks import Check
from omp_magic.facts.targets import Target, parse_target
from omp_magic.foreseen.checking import foresee
from omp_magic.formats.binaries import Binary
from omp_magic.installed.cures import cures
from omp_magic.installed.foreign import Site
from omp_magic.installed.supposed import Supposed

PREFIX = "/v/lib/python3.12"
SITE = f"{PREFIX}/site-packages"
BREW = "/opt/homebrew/opt/libomp/lib"
MAC = parse_target("macos-arm64")
ENV = ("__KMP_REGISTERED_LIB_",)
SHM = (*ENV, "shm_open")
FILE = (*SHM, "/dev/shm")


class Wheels:
    """Packages in one folder, as a test puts them there."""

    def __init__(self, target: Target = MAC, site: str = SITE) -> None:
        self.target, self.site = target, site
        self.files: dict[str, bytes | Binary | tuple[Binary, ...]] = {}
        self.texts: dict[str, tuple[str, ...]] = {}

    def add(
        self,
        name: str,
        *,
        source: str = "",
        texts: tuple[str, ...] = FILE,
        **files: Binary,
    ) -> Wheels:
        """Put a package there: files by their names, ``__`` for a folder and ``_`` for a dot.

        What is called ``c`` is its extension module, which it imports; every file that is named
        libomp or libiomp5, and the extension where `texts` says so, holds the texts.
        """
        suffix = self.target.extension_suffixes[0]
        record = []
        source = source or ("from . import _c" if "c" in files else "")
        self.files[f"{self.site}/{name}/__init__.py"] = source.encode()
        for key, binary in files.items():
            path = f"{name}/{key.replace('__', '/').replace('_', '.')}"
            path = f"{name}/_c{suffix}" if key == "c" else path.replace("/dylibs/", "/.dylibs/")
            self.files[f"{self.site}/{path}"] = binary
            record.append(path)
            if "omp" in key.rpartition("__")[2]:
                self.texts[f"{self.site}/{path}"] = texts
        info = f"{self.site}/{name}-1.0.dist-info"
        self.files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\n".encode()
        lines = "".join(f"{each},,\n" for each in (f"{name}/__init__.py", *record))
        self.files[f"{info}/RECORD"] = lines.encode()
        return self

    def inside(self, name: str, texts: tuple[str, ...] = ENV) -> Wheels:
        """Say that a package's extension has a runtime linked into it."""
        self.texts[f"{self.site}/{name}/_c{self.target.extension_suffixes[0]}"] = texts
        return self

    @property
    def tree(self) -> MemoryFiles:
        windows = self.target.system == "windows"
        return MemoryFiles(self.files, texts=self.texts, any_case=windows)

    def environment(self) -> Site:
        return Site([self.site], self.target, self.tree)


def code(
    *needed: str, name: str | None = None, rpaths: tuple[str, ...] = (), target: Target = MAC
) -> Binary:
    facts = {"name": name, "needed": needed, "rpaths": rpaths, "size_bytes": 900_000}
    return Binary(system=target.system, cpu=target.cpu, **facts)  # type: ignore[arg-type]  # a row


def with_torch(wheels: Wheels, name: str = "/opt/llvm-openmp/lib/libomp.dylib") -> Wheels:
    """PyTorch asks for @rpath/libomp.dylib, and its copy has some install name."""
    return wheels.add(
        "torch",
        c=code("@rpath/libomp.dylib", rpaths=("@loader_path/lib",)),
        lib__libomp_dylib=code(name=name),
    )


def with_lightgbm(wheels: Wheels) -> Wheels:
    """Lightgbm brings no copy and looks where Homebrew and MacPorts have theirs."""
    return wheels.add(
        "lightgbm", c=code("@rpath/libomp.dylib", rpaths=(BREW, "/opt/local/lib/libomp"))
    )


def with_delocated(wheels: Wheels, name: str, texts: tuple[str, ...]) -> Wheels:
    """A package whose copy delocate has put below .dylibs."""
    return wheels.add(
        name,
        texts=texts,
        c=code("@loader_path/.dylibs/libomp.dylib"),
        dylibs__libomp_dylib=code(name=f"/DLC/{name}/.dylibs/libomp.dylib"),
    )


def told(wheels: Wheels, *modules: str) -> Check:
    return foresee(modules, wheels.environment(), snapshot())


def kinds(check: Check) -> list[str]:
    return [each.kind for each in check.cures]


def both() -> Wheels:
    return with_torch(with_lightgbm(Wheels()))


def test_what_is_only_supposed_to_be_there_is_a_branch() -> None:
    check = told(both(), "lightgbm", "torch")
    assert check.copies == 2
    (branch,) = check.branches
    assert (branch.key, branch.copies, branch.copies_without) == ("homebrew-libomp", 2, 1)
    assert branch.failing == ("lightgbm",)
    assert branch.remedy == "brew install libomp"
    assert check.whole


def test_without_it_the_import_fails_and_what_is_missing_is_named() -> None:
    wheels = both()
    wheels.target = Target(system="macos", cpu="arm64", lacks=frozenset(("homebrew-libomp",)))
    check = told(wheels, "lightgbm", "torch")
    (gap,) = check.failing
    assert gap.what == "lightgbm"
    assert "@rpath/libomp.dylib is not found" in gap.why
    assert "lightgbm/_c" in gap.why
    assert check.copies == 1
    assert not check.branches
    assert not check.whole


def test_an_assumption_that_nothing_uses_makes_no_branch() -> None:
    check = told(both(), "torch")
    assert check.copies == 1
    assert check.branches == ()


def test_what_the_system_surely_has_makes_no_branch() -> None:
    wheels = both()
    wheels.target = Target(system="macos", cpu="arm64", has=frozenset(("homebrew-libomp",)))
    check = told(wheels, "lightgbm", "torch")
    assert (check.copies, check.branches) == (2, ())


def test_macports_is_there_only_where_somebody_says_so() -> None:
    keys = frozenset(("homebrew-libomp",)), frozenset(("macports-libomp",))
    wheels = both()
    wheels.target = Target(system="macos", cpu="arm64", lacks=keys[0], has=keys[1])
    check = told(wheels, "lightgbm")
    assert [each.path for each in check.runtimes] == ["/opt/local/lib/libomp/libomp.dylib"]
    assert not check.failing


def test_this_machines_own_system_is_not_supposed() -> None:
    local = Target(system="macos", cpu="arm64", local=True)
    assert Supposed(Wheels().tree, local, [SITE]).supposed == {}
    wheels = both()
    wheels.target = local
    check = told(wheels, "lightgbm", "torch")
    assert [gap.what for gap in check.failing] == ["lightgbm"]  # this Mac has no Homebrew
    assert check.branches == ()


def test_a_module_that_is_missing_is_named_and_the_walk_is_not_whole() -> None:
    wheels = both().add("mine", source="import absent\nimport torch")
    check = told(wheels, "mine")
    assert [(gap.what, gap.why) for gap in check.failing] == [("mine", "absent is not installed")]
    assert check.runtimes == ()
    assert not check.whole
    check = told(wheels, "absent")
    assert [gap.what for gap in check.unknown] == ["absent"]


def test_an_order_is_told_when_one_copy_serves_all_in_it() -> None:
    # torch 2.10.0: its copy has Homebrew's path as install name, which lightgbm's rpath leads to.
    wheels = with_torch(with_lightgbm(Wheels()), f"{BREW}/libomp.dylib")
    assert told(wheels, "torch", "lightgbm").copies == 1
    check = told(wheels, "lightgbm", "torch")
    assert check.copies == 2
    assert check.cures[0].kind == "order"
    assert check.cures[0].code == "import torch, lightgbm"
    assert any("import torch, lightgbm" in each for each in check.findings[0].remedies)


def test_an_order_that_does_not_help_is_not_told() -> None:
    assert "order" not in kinds(told(both(), "torch", "lightgbm"))


def test_an_order_in_which_an_import_fails_is_no_cure() -> None:
    wheels = both()
    wheels.add("mine", source="import sys\nimport torch\nimport absent", c=code())
    site = wheels.environment()
    found = site.may_load(["lightgbm", "torch"])
    assert {each.kind for each in cures(site, ["lightgbm", "torch"], found)} == {"variable", "link"}


def test_one_copy_needs_no_cure() -> None:
    assert told(both(), "torch").cures == ()


def test_a_variable_is_told_where_all_ask_for_one_name() -> None:
    check = told(both(), "lightgbm", "torch")
    cure = next(each for each in check.cures if each.kind == "variable")
    assert cure.code == f"export DYLD_LIBRARY_PATH={SITE}/torch/lib"
    assert cure.copies == 1
    site = both().environment()
    answer = site.run(["lightgbm", "torch"], environ={"DYLD_LIBRARY_PATH": f"{SITE}/torch/lib"})
    assert [each.path for each in answer.answer.libraries] == [f"{SITE}/torch/lib/libomp.dylib"]


def test_the_targets_own_variables_are_heard() -> None:
    environ = {"DYLD_LIBRARY_PATH": f"{SITE}/torch/lib"}
    wheels = both()
    wheels.target = Target(system="macos", cpu="arm64", environ=environ)
    assert told(wheels, "lightgbm", "torch").copies == 1


def test_files_of_two_names_are_not_cured_by_a_variable() -> None:
    wheels = with_delocated(Wheels(), "faiss", FILE).add(
        "glum",
        c=code("@loader_path/.dylibs/libomp-1.dylib"),
        dylibs__libomp_dylib=code(),
    )
    path = f"{SITE}/glum/.dylibs/libomp"
    wheels.files[f"{path}-1.dylib"] = code(name="/DLC/glum/libomp-1.dylib")
    wheels.texts[f"{path}-1.dylib"] = FILE
    check = told(wheels, "faiss", "glum")
    assert check.copies == 2
    assert kinds(check) == ["link"]


@pytest.mark.parametrize("modules", [("sklearn", "faiss"), ("faiss", "sklearn")])
def test_the_newer_copy_is_kept(modules: tuple[str, ...]) -> None:
    wheels = with_delocated(with_delocated(Wheels(), "sklearn", ENV), "faiss", FILE)
    check = told(wheels, *modules)
    assert [each.code for each in check.findings if each.severity == "error"] == ["OMP107"]
    variable, link = check.cures
    assert variable.code == f"export DYLD_LIBRARY_PATH={SITE}/faiss/.dylibs"
    kept, replaced = f"{SITE}/faiss/.dylibs/libomp.dylib", f"{SITE}/sklearn/.dylibs/libomp.dylib"
    assert link.code == f"ln -sf {kept} {replaced}"


def test_an_older_copy_does_not_stand_in_for_the_systems() -> None:
    """What Homebrew has is new: users of it may call what a copy of torch 2.4 lacks."""
    wheels = with_lightgbm(Wheels()).add(
        "torch",
        texts=SHM,
        c=code("@rpath/libomp.dylib", rpaths=("@loader_path/lib",)),
        lib__libomp_dylib=code(name="/DLC/torch/libomp.dylib"),
    )
    check = told(wheels, "lightgbm", "torch")
    assert check.copies == 2
    assert kinds(check) == ["link"]
    link = f"ln -sf {BREW}/libomp.dylib {SITE}/torch/lib/libomp.dylib"
    assert check.cures[0].code == link


def test_what_is_linked_in_cannot_be_linked() -> None:
    wheels = with_delocated(Wheels(), "sklearn", ENV).add("faiss", c=code()).inside("faiss")
    check = told(wheels, "sklearn", "faiss")
    assert check.copies == 2
    assert check.cures == ()
    assert [each.static for each in check.runtimes] == [False, True]


def test_intels_and_llvms_are_not_made_one_file() -> None:
    wheels = with_delocated(Wheels(), "sklearn", ENV).add(
        "mkl",
        texts=ENV,
        c=code("@loader_path/libiomp5.dylib"),
        libiomp5_dylib=code(name="/DLC/mkl/libiomp5.dylib"),
    )
    check = told(wheels, "sklearn", "mkl")
    assert (check.copies, check.cures) == (2, ())


def test_a_variable_that_swaps_other_files_too_is_no_cure() -> None:
    """DYLD_LIBRARY_PATH is asked for every file name, that of libgfortran too."""
    wheels = with_delocated(with_delocated(Wheels(), "sklearn", ENV), "faiss", FILE)
    wheels.add("scipy", c=code("@loader_path/x.dylib"), x_dylib=code(name="/DLC/scipy/x.dylib"))
    assert "variable" in kinds(told(wheels, "scipy", "sklearn", "faiss"))
    wheels.files[f"{SITE}/faiss/.dylibs/x.dylib"] = code(name="/DLC/faiss/x.dylib")
    omp = f"{SITE}/faiss/.dylibs/libomp.dylib"
    wheels.files[omp] = code("@loader_path/x.dylib", name="/DLC/faiss/libomp.dylib")
    assert kinds(told(wheels, "scipy", "sklearn", "faiss")) == ["link"]


def test_paths_of_wheels_that_are_nowhere_yet_are_asked_of_their_python() -> None:
    wheels = both()
    site = Site([SITE], MAC, wheels.tree, on_disk=False)
    found = site.may_load(["lightgbm", "torch"])
    told_lines = [each.code for each in cures(site, ["lightgbm", "torch"], found)]
    assert told_lines
    for line in told_lines:
        assert "sysconfig.get_path('platlib')" in line
        assert SITE not in line


FAISS = (
    "try:\n    from ._avx512 import *\nexcept ImportError:\n"
    "    try:\n        from ._avx2 import *\n    except ImportError:\n        from ._c import *\n"
)


@pytest.mark.parametrize("name", ["macos-arm64", "windows-x86_64"])
def test_forms_of_one_file_for_several_processors_count_once(name: str) -> None:
    target = parse_target(name)
    wheels = Wheels(target).add("faiss", source=FAISS, c=code(target=target)).inside("faiss")
    for kind in ("_swig_avx512", "_swig_avx2", "_swig"):
        path = f"{SITE}/faiss/{kind}{target.extension_suffixes[0]}"
        wheels.files[path], wheels.texts[path] = code(target=target), ENV
    source = FAISS.replace("._avx", "._swig_avx").replace("._c", "._swig")
    wheels.files[f"{SITE}/faiss/__init__.py"] = source.encode()
    assert told(wheels, "faiss").copies == 1


def test_a_dll_that_only_forwards_is_no_copy() -> None:
    """conda-forge's libiomp5md.dll hands every call on to libomp.dll: threadpoolctl#203."""
    target = parse_target("windows")
    site = "/v/Lib/site-packages"
    wheels = Wheels(target, site).add("mine", c=code("libiomp5md.dll", target=target))
    bin_folder = "/v/Library/bin"
    wheels.files[f"{bin_folder}/libiomp5md.dll"] = Binary(
        system="windows", cpu="x86_64", forwards=("libomp.dll",), forwarder=True
    )
    wheels.files[f"{bin_folder}/libomp.dll"] = code(target=target)
    wheels.texts[f"{bin_folder}/libomp.dll"] = ENV
    wheels.files[f"{site}/mine/__init__.py"] = (
        f"import os\nos.add_dll_directory({bin_folder!r})\nfrom . import _c\n".encode()
    )
    check = told(wheels, "mine")
    assert [each.path for each in check.runtimes] == [f"{bin_folder}/libomp.dll"]


@pytest.mark.parametrize("name", ["macos-arm64", "linux-x86_64"])
def test_a_variable_that_an_import_sets_masks(name: str) -> None:
    target = parse_target(name)
    wheels = Wheels(target)
    for package in ("one", "two"):
        if target.system == "macos":
            with_delocated(wheels, package, FILE)
        else:
            needs = code(f"libomp-{package}.so", target=target)
            wheels.add(package, c=needs._replace(runpath="$ORIGIN"))
            path = f"{SITE}/{package}/libomp-{package}.so"
            wheels.files[path] = code(name=f"libomp-{package}.so", target=target)
    wheels.add("setter", source="import os\nos.environ.setdefault('KMP_DUPLICATE_LIB_OK', 'True')")
    assert {each.code for each in told(wheels, "one", "two").findings} == {"OMP101"}
    (masked,) = told(wheels, "setter", "one", "two").findings
    assert masked.code == "OMP102"
    assert "importing setter sets it" in masked.why


def test_the_targets_mask_is_told_too() -> None:
    wheels = with_delocated(with_delocated(Wheels(), "one", FILE), "two", FILE)
    wheels.target = Target(
        system="macos", cpu="arm64", environ={"KMP_DUPLICATE_LIB_OK": "TRUE", "PATH": "/bin"}
    )
    assert [each.code for each in told(wheels, "one", "two").findings] == ["OMP102"]


def test_an_environment_is_asked_again_and_gives_the_same() -> None:
    site = both().environment()
    first = site.may_load(["lightgbm", "torch"])
    site.may_load(["torch"])
    assert site.may_load(["lightgbm", "torch"]) == first
