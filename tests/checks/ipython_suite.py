"""IPython's own tests, with omp_magic loaded and without: `make test-ipython`.

For each series of IPython that this Python can have, its source distribution is unpacked into
tests/.cache, and its tests are run twice in one environment: as they are, and with omp_magic loaded
into the shell of the tests and into the IPython processes that the tests start. The outcomes are
compared test by test. Where some differ, the whole is run again both ways, at most twice: a test
with the same outcome then is called unsteady.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

from fresh import (
    CACHE,
    ROOT,
    call,
    clean_environment,
    find_python,
    install,
    make_environment,
    removed_afterwards,
)

AGAIN = 2
LIMIT_S = 1800
EXPECTED = {"IPython.core.magics.config.ConfigMagics.config": "+    OmpMagics"}
"""By a test's name: the one line of its difference that must be there.

`%config` lists the classes that can be configured, and OmpMagics is one.
"""


@dataclass(frozen=True)
class Outcome:
    """What became of a test; what it said is not compared, since it has times and addresses."""

    word: str
    said: str = field(default="", compare=False)


Key = tuple[str, str, int]
Outcomes = dict[Key, Outcome]
ABSENT = Outcome("absent")


@dataclass(frozen=True)
class Series:
    """One series of IPython, the Pythons that have it, and what its tests were written for."""

    name: str
    wanted: str
    pythons: tuple[str, ...]
    needs: tuple[str, ...]
    arguments: tuple[str, ...] = ()


_OPTIONAL = ("matplotlib", "nbformat", "nbclient", "ipykernel")
"""Of IPython's extra test_extra, what its tests are skipped without."""
ALL = (
    Series("9", "ipython==9.*", ("3.11", "3.12", "3.13"), (*_OPTIONAL, "trio")),
    # pytest 9.2 has no _pytest.python_api, which the doctest plugin of IPython 8 imports.
    Series("8", "ipython==8.*", ("3.10", "3.11", "3.12", "3.13"), (*_OPTIONAL, "trio", "pytest<9")),
    # Written for nose: five of its files have tests with yield, which pytest 8 refuses to collect.
    Series("7.34", "ipython==7.34.0", ("3.10",), (*_OPTIONAL, "pytest<8")),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("series", nargs="*", help="of 9, 8 and 7.34; all when none is named")
    names = parser.parse_args().series
    # A job in the background ignores Ctrl-C, and so would all that it starts; IPython tests it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    same = differ = must = 0
    broken = False
    for series in ALL:
        if names and series.name not in names:
            continue
        python = python_for(series)
        if python is None:
            have = " or ".join(series.pythons)
            print(f"IPython {series.name}: skipped, there is no Python {have} here", flush=True)
            continue
        try:
            counts = check(series, python)
        except UnfinishedError as error:
            print(f"IPython {series.name}: {error}", file=sys.stderr)
            broken = True
            continue
        same, differ, must = same + counts[0], differ + counts[1], must + counts[2]
    print(f"{same} the same, {differ} differ, {must} differ as they must")
    return int(broken or differ > 0 or same == 0)


class UnfinishedError(Exception):
    """A run that gave no outcomes to compare."""


def python_for(series: Series) -> str | None:
    """Give an interpreter: this one where it will do."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    first = [here] if here in series.pythons else []
    found = (find_python(each) for each in (*first, *series.pythons))
    return next((each for each in found if each is not None), None)


def check(series: Series, python: str) -> tuple[int, int, int]:
    """Run the tests of a series both ways; give how many are the same, differ, and must differ."""
    home, source = prepared(series, python)
    rounds = [both_ways(series, home, source)]
    differing = differences(rounds[0])
    while differing and len(rounds) <= AGAIN:
        print(f"  {len(differing)} differ; all once more, both ways", flush=True)
        rounds.append(both_ways(series, home, source))
        differing &= differences(rounds[-1])
    for key in sorted(set().union(*map(differences, rounds))):
        word = "differs" if key in differing else "unsteady"
        said = "; ".join(
            f"{without.get(key, ABSENT).word}, {loaded.get(key, ABSENT).word}"
            for without, loaded in rounds
        )
        print(f"  {word}: {key[0]} {key[1]}: without, with: {said}")
    must = {key for key in rounds[0][0] if is_expected(key, rounds[0])}
    for key in sorted(must):
        print(f"  differs as it must: {key[1]}: {EXPECTED[key[1]].strip()}")
    same = len({*rounds[0][0], *rounds[0][1]} - differing - must)
    print(f"  {same} the same, {len(differing)} differ, {len(must)} as they must", flush=True)
    return same, len(differing), len(must)


def differences(pair: tuple[Outcomes, Outcomes]) -> set[Key]:
    without, loaded = pair
    return {
        key
        for key in {*without, *loaded}
        if without.get(key) != loaded.get(key) and not is_expected(key, pair)
    }


def is_expected(key: Key, pair: tuple[Outcomes, Outcomes]) -> bool:
    """Tell whether a test differs by the one line that it must differ by, and by nothing else."""
    without, loaded = (each.get(key, ABSENT) for each in pair)
    if key[1] not in EXPECTED or (without.word, loaded.word) != ("passed", "failure"):
        return False
    _, _, compared = loaded.said.partition("@@\n")
    changed = [line.strip() for line in compared.split("\n") if line.lstrip()[:1] in ("+", "-")]
    return changed == [EXPECTED[key[1]]]


def prepared(series: Series, python: str) -> tuple[Path, Path]:
    """Give the environment and the unpacked source of a series; kept until what they need changes.

    omp_magic is installed editable, so that the one that is tested is the one of this tree.
    """
    asked = call([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()
    home = CACHE / f"ipython-suite-{series.name}-{asked}"
    ready = home / "ready"
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    wanted = json.dumps([series.wanted, series.needs, project])
    if not ready.exists() or ready.read_text("utf-8") != wanted:
        print(f"IPython {series.name}: making its environment ...", flush=True)
        own = make_environment(home, python)
        download = [str(own), "-m", "pip", "download", "--quiet", "--no-deps"]
        # IPython 7 is built by the setuptools of the environment; newer ones take another.
        install(own, "--upgrade", "pip", "setuptools<80", "wheel")
        call([*download, "--no-binary", "ipython", "--dest", str(home), series.wanted])
        (archive,) = home.glob("ipython-*.tar.gz")
        with tarfile.open(archive) as opened:
            # Python before 3.10.12 has no filters ("Supporting older Python versions", tarfile).
            opened.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
            opened.extractall(home)
        (source,) = (path for path in home.glob("ipython-*") if path.is_dir())
        install(own, f"{source}[test]", *series.needs)
        install(own, "--editable", str(ROOT), *series.needs)
        ready.write_text(wanted, "utf-8")
    (source,) = (path for path in home.glob("ipython-*") if path.is_dir())
    ask = "print(IPython.__version__, 'on Python', sys.version.split()[0])"
    versions = call([str(home / "bin/python"), "-c", f"import IPython, sys; {ask}"])
    print(f"IPython {versions.strip()}", flush=True)
    return home, source


def both_ways(series: Series, home: Path, source: Path) -> tuple[Outcomes, Outcomes]:
    return run(series, home, source, loaded=False), run(series, home, source, loaded=True)


def run(series: Series, home: Path, source: Path, *, loaded: bool) -> Outcomes:
    """Run the tests once, in a copy of the source with a home folder of its own.

    Raises
    ------
    UnfinishedError
        When pytest did not come to its end, or omp_magic was not loaded at the end.
    """
    way = "with" if loaded else "without"
    config = home / "etc" / "ipython" / "ipython_config.py"
    config.unlink(missing_ok=True)
    with removed_afterwards(home / "work") as work:
        here = work / "source"
        shutil.copytree(source, here)
        for name in ("home", "tmp", "plugin"):
            (work / name).mkdir()
        shutil.copy(ROOT / "tests" / "ipython_plugin.py", work / "plugin")
        variables = clean_environment(
            home,
            HOME=str(work / "home"),
            TMPDIR=str(work / "tmp"),
            PYTHONPATH=str(work / "plugin"),
            OMP_MAGIC_SUITE_NOTES=str(work / "notes"),
            OMP_MAGIC_SUITE_CHILDREN=str(work / "children"),
        )
        command = [str(home / "bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [f"--junitxml={work / 'junit.xml'}", *series.arguments]
        if loaded:
            config.parent.mkdir(parents=True, exist_ok=True)
            listed = 'get_config().InteractiveShellApp.extensions = ["omp_magic", "ipython_plugin"]'
            config.write_text(f"{listed}\n", "utf-8")
            command += ["-p", "ipython_plugin"]
        began = time.monotonic()
        log = home / f"{way}.log"
        code = finished(command, here, variables, log)
        config.unlink(missing_ok=True)
        took = time.monotonic() - began
        if code not in (0, 1) or not (work / "junit.xml").exists():
            raise UnfinishedError(f"the run {way} omp_magic ended with {code}, see {log}")
        outcomes = read_junit(work / "junit.xml")
        counts = collections.Counter(each.word for each in outcomes.values())
        listed = ", ".join(f"{number} {name}" for name, number in counts.most_common())
        print(f"  {way} omp_magic: {listed} in {took:.0f} s", flush=True)
        if loaded:
            check_loaded(work, log)
    return outcomes


def check_loaded(work: Path, log: Path) -> None:
    """Say in how many tests it was loaded, and refuse a run that it was not loaded in."""
    notes = json.loads((work / "notes").read_text("utf-8"))
    children = work / "children"
    started = len(children.read_text("utf-8").split()) if children.exists() else 0
    print(
        f"    loaded before and after {notes['loaded before and after']} tests, "
        f"not loaded in {notes['not loaded']}, and in {started} IPython processes of tests"
    )
    if notes["lost in"] or not notes["at the end"] or not notes["loaded before and after"]:
        raise UnfinishedError(f"omp_magic did not stay loaded: {notes}, see {log}")


def finished(command: list[str], folder: Path, variables: dict[str, str], log: Path) -> int | None:
    """Run pytest, its words into a file; None when it took too long and was ended."""
    with log.open("wb") as words:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.wait()


def read_junit(path: Path) -> Outcomes:
    """Give each test's outcome; tests with one name are told apart by their order."""
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    outcomes: Outcomes = {}
    for case in ET.parse(path).iter("testcase"):
        group, name = case.get("classname", ""), case.get("name", "")
        ends = [child for child in case if child.tag in ("failure", "error", "skipped")]
        word = "+".join(sorted({child.tag for child in ends})) or "passed"
        said = "\n".join(child.text or "" for child in ends)
        outcomes[group, name, seen[group, name]] = Outcome(word, said)
        seen[group, name] += 1
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
