"""OMP301-OMP305: environment variables that do not do what they seem to."""

from __future__ import annotations

from collections.abc import Iterator

from ..envvars import is_true, parse_thread_list
from ..errors import ParseError
from ..facts import Library
from ..settings import EnvSetting
from ..snapshots import Snapshot
from .rule import Case, Rule

_DUPLICATE = "KMP_DUPLICATE_LIB_OK"


def _duplicate_ok(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    setting = next((each for each in snapshot.environment if each.name == _DUPLICATE), None)
    if setting is None or not is_true(setting.native):
        return
    if setting.at_exec is not None:
        who = "it was set before this kernel started"
    else:
        who = "it was set in this kernel; importing threadpoolctl or scikit-learn does that"
    yield Case(
        title=f"{_DUPLICATE} is set: a second LLVM-family runtime would start unchecked",
        why=(
            f"With it, Error #15 does not end the process, and {who}. The runtime's own message "
            "calls it unsafe, unsupported and undocumented. Child processes inherit it."
        ),
        evidence=(
            f"os.environ {setting.python!r}",
            f"C getenv {setting.native!r}",
            f"at start {setting.at_exec!r}",
        ),
        remedies=(
            f"To have the check back for libraries still to come: del os.environ[{_DUPLICATE!r}]",
        ),
    )


def _unreadable(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    for setting in snapshot.environment:
        if not setting.readers or setting.native is None:
            continue
        try:
            parse_thread_list(setting.name, setting.native)
        except ParseError as error:
            yield Case(
                title=f"{setting.name} is set to a value that is not a number of threads",
                why=f"{error}. Libraries that cannot read a value ignore it.",
                evidence=(f"C getenv {setting.native!r}",),
                remedies=(f"Before the kernel starts: {setting.name}={snapshot.budget.threads}",),
            )


def _differs(setting: EnvSetting) -> bool:
    return setting.python != setting.native


def _two_environments(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    different = [setting for setting in snapshot.environment if _differs(setting)]
    if not different:
        return
    names = ", ".join(setting.name for setting in different)
    yield Case(
        title=f"{names}: C sees another value than os.environ shows",
        why=(
            "A library set or changed the variable in C. Libraries and child processes follow "
            "the C value, and os.environ does not show it."
        ),
        evidence=tuple(
            f"{setting.name}: os.environ {setting.python!r}, C getenv {setting.native!r}"
            for setting in different
        ),
        remedies=(
            "To start a child with what os.environ shows: subprocess.run(…, env=dict(os.environ))",
        ),
    )


RULES = (
    Rule(
        code="OMP303",
        severity="warning",
        summary="KMP_DUPLICATE_LIB_OK is set",
        source="https://github.com/joblib/threadpoolctl/blob/master/threadpoolctl.py",
        look=_duplicate_ok,
    ),
    Rule(
        code="OMP304",
        severity="warning",
        summary="a variable's value is not one the library understands",
        source="https://www.openmp.org/spec-html/5.2/openmpse59.html",
        look=_unreadable,
    ),
    Rule(
        code="OMP305",
        severity="warning",
        summary="the C environment differs from os.environ",
        source="https://docs.python.org/3/library/os.html#os.environ",
        look=_two_environments,
    ),
)
