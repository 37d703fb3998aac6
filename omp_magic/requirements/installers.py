"""The user's own pip and uv, as they are set up: wheels fetched, versions resolved, nothing run."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..facts.targets import Target
from .lines import parse_lines
from .markers import python_of
from .pins import Pin, RequirementsError, canonical, shown
from .tags import MACOS, platforms_of

_LONGEST_SECONDS = 3600
_UNREACHABLE = re.compile(
    r"Retrying \(Retry\(|NewConnectionError|Max retries exceeded|ProxyError|error sending request"
    r"|[Nn]ame or service not known|[Nn]ame resolution|Connection refused|ConnectTimeout"
)
_NOT_HANDED_ON = re.compile(
    r"--(?:no-binary|only-binary|prefer-binary|require-hashes|use-feature)\b"
)
_UV_PLATFORMS = {
    "linux-x86_64": "x86_64-manylinux_2_39",
    "linux-aarch64": "aarch64-manylinux_2_39",
    "macos-arm64": "aarch64-apple-darwin",
    "macos-x86_64": "x86_64-apple-darwin",
    "windows-x86_64": "x86_64-pc-windows-msvc",
}


_VERSIONS = r"(?:===?|[<>!~]=|[<>]) ?[\w.*+!-]+"
_SAFE = re.compile(
    r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?(?:\[[\w.,-]*\])?"
    rf"(?: @ https?://\S+|{_VERSIONS}(?:, ?{_VERSIONS})*)?"
    r"(?: --hash=\w+:[0-9A-Fa-f]+)*",
    re.ASCII,
)
"""A name, its versions or the address of a wheel, hashes; nothing that pip would clone or build."""


def is_safe(line: str) -> bool:
    """Tell whether a line is no more than a distribution that may be fetched.

    A lock file's texts may hold line breaks, options or ``git+https://``: pip would clone and run
    what ``-e`` or such an address names, whatever it is told of binaries.
    """
    return _SAFE.fullmatch(line) is not None


class Asked(NamedTuple):
    """One distribution to be fetched.

    Parameters
    ----------
    pin
        What is wanted.
    line
        As a file of requirements has it: ``numpy==2.1.0 --hash=sha256:…``.
    size_bytes
        Its size, when it is known before.
    other
        Another line to try when the first gives nothing, or None.
    """

    pin: Pin
    line: str
    size_bytes: int | None = None
    other: str | None = None


class Answer(NamedTuple):
    """What a tool did.

    Parameters
    ----------
    done
        Whether all went well.
    why
        What it said if not, as one line without passwords.
    unreachable
        Whether no index answered.
    """

    done: bool
    why: str = ""
    unreachable: bool = False


def pip_command() -> list[str]:
    """Give how pip is called: that of this Python, of the PATH, or one that uv runs.

    Raises
    ------
    RequirementsError
        When there is none.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (found := shutil.which("pip")) is not None:
        return [found]
    if (found := shutil.which("uv")) is not None:
        return [found, "tool", "run", "pip"]
    raise RequirementsError(
        sys.executable, "neither pip nor uv", "pip, or wheels in a folder", "--wheels FOLDER"
    )


def download(asked: Sequence[Asked], target: Target, options: Iterable[str], folder: str) -> Answer:
    """Fetch wheels for a target into a folder; no source distribution, no dependencies."""
    short = f"cp{target.python[0]}{target.python[1]}"
    command = [*pip_command(), "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-color", "--progress-bar=off"]
    command += ["--only-binary=:all:", "--python-version", python_of(target)]
    command += ["--implementation=cp", f"--abi={short}", "--abi=abi3", "--abi=none"]
    command += [f"--platform={each}" for each in platforms_of(target)]
    # Addresses may hold a password, and a command line is seen by every user of the machine.
    file = _written(folder, options, (each.line for each in asked))
    return _run([*command, "--dest", folder, "-r", file], os.environ)[0]


def offered_versions(
    name: str, target: Target, options: Iterable[str], folder: str
) -> tuple[str, ...]:
    """Give the versions of a distribution that have a wheel for a target, the newest first.

    () where pip does not tell: ``pip index`` is called experimental by itself.
    """
    if not is_safe(name):
        return ()
    short = f"cp{target.python[0]}{target.python[1]}"
    command = [*pip_command(), "index", "versions", name, "--no-input", "--no-color"]
    command += ["--disable-pip-version-check", "--only-binary=:all:"]
    command += ["--python-version", python_of(target), "--implementation=cp"]
    command += [f"--abi={short}", "--abi=abi3", "--abi=none"]
    command += [f"--platform={each}" for each in platforms_of(target)]
    # An index's address may hold a password: it goes into a file, as in `download`.
    lines = [each for each in options if each.startswith(("--index-url", "--extra-index-url"))]
    variables = {**os.environ, **({"PIP_CONFIG_FILE": _settings(folder, lines)} if lines else {})}
    answer, said = _run(command, variables)
    told = re.search(r"^Available versions: (.+)$", said if answer.done else "", re.MULTILINE)
    return tuple(each.strip() for each in told[1].split(",")) if told is not None else ()


def _settings(folder: str, lines: Iterable[str]) -> str:
    """Give the path of settings for pip with the indexes that a file of requirements names."""
    path = os.path.join(folder, "pip.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write("[global]\n")
        for line in lines:
            name, _, value = line.lstrip("-").replace("=", " ", 1).partition(" ")
            file.write(f"{name} = {value.strip()}\n")
    return path


def resolve(
    lines: Iterable[str], target: Target, options: Iterable[str], folder: str
) -> tuple[Answer, tuple[Pin, ...]]:
    """Give all that is needed for what is asked for, by uv; nothing is fetched but metadata."""
    uv = shutil.which("uv")
    if uv is None:
        return Answer(done=False, why="uv is not there"), ()
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-build"]
    command += ["--python-platform", _UV_PLATFORMS[target.name]]
    command += ["--python-version", python_of(target)]
    # It would download a whole Python of the target's version otherwise (measured with uv 0.13.9).
    command += ["--python", sys.executable, "--no-python-downloads"]
    variables = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": f"{MACOS[0]}.0", **_as_pip_is_set_up()}
    answer, said = _run([*command, _written(folder, options, lines)], variables)
    pins: list[Pin] = []
    for line in parse_lines(said if answer.done else ""):
        found = re.match(r"([\w.-]+)==(\S+)", line.text)
        if found is not None:
            name = canonical(found[1])
            pins.append(Pin(name=name, version=found[2], where="resolved today, not locked"))
    return answer, tuple(pins)


def _written(folder: str, options: Iterable[str], lines: Iterable[str]) -> str:
    """Give the path of a file of requirements, in a folder that the user alone can enter."""
    path = os.path.join(folder, "asked.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{each}\n" for each in options if not _NOT_HANDED_ON.search(each))
        file.writelines(f"{each}\n" for each in lines if is_safe(each))
    return path


_AS_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
}
"""pip's settings -> uv's variables."""


def _as_pip_is_set_up() -> dict[str, str]:
    """Give variables by which uv asks the indexes that pip asks, where uv is told of none.

    uv reads neither pip's files nor its variables (docs.astral.sh/uv/pip/compatibility).
    """
    if any(each in os.environ for each in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")):
        return {}
    try:
        answer, said = _run([*pip_command(), "config", "list"], os.environ)
    except RequirementsError:
        return {}
    # pip takes the best of all indexes, and uv what the first has, where it is not told this.
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    settings = said if answer.done else ""
    for key, value in re.findall(r"^[\w:]+\.([\w-]+)='(.*)'$", settings, re.MULTILINE):
        if key in _AS_PIP:
            parts = value.replace("\\n", " ").split()
            found[_AS_PIP[key]] = ("," if key == "find-links" else " ").join(parts)
    return {name: value for name, value in found.items() if name not in os.environ}


def _run(command: Sequence[str], environ: Mapping[str, str]) -> tuple[Answer, str]:
    try:
        ended = subprocess.run(  # noqa: S603 - pip or uv, whose words are made here
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_LONGEST_SECONDS,
            env=dict(environ),
        )
    except subprocess.TimeoutExpired:
        return Answer(done=False, why=f"it took more than {_LONGEST_SECONDS} s"), ""
    except OSError as error:
        return Answer(done=False, why=error.strerror or str(error)), ""
    if ended.returncode == 0:
        return Answer(done=True), ended.stdout
    said = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    # pip's last error says it; uv's reasons stand in the lines below its error.
    begins = [place for place, line in enumerate(said) if line.lower().startswith("error")]
    why = shown(" ".join(said[begins[-1] :] if begins else said[-1:]) or "it said nothing")
    unreachable = _UNREACHABLE.search(ended.stderr) is not None
    return Answer(done=False, why=why, unreachable=unreachable), ""
