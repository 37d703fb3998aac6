"""The code blocks of README and docs, run for real.

A page is one story. Its blocks are taken in their order, and what they do depends on the language:

``python``
    A cell of one fresh kernel, which lasts for the page; magics and ``await`` may be used.
``console``
    Lines that begin with ``$`` are commands, and what follows each is its output; in a block
    without such lines each line is a command. They run in bash, in an empty folder, with this
    Python's programs first in PATH, and must end with 0; ``omp-magic`` may end with 1, since what
    it finds is the machine's. ``pip``, ``conda``, ``make``, ``git clone`` and ``cd`` are not run:
    packages, extras, targets and the address they name are looked up in the project.
``text``
    Right after a block that was run it is that block's output, and compared with it: see `missing`.
``toml``
    Is parsed.

A comment on the line before says what else is to be known; any block in another language needs one:

``<!-- not run: REASON -->``
    The block is neither run nor compared, and neither is the output after it.
``<!-- only on: MACHINE -->``
    The block is run where ``platform.machine()`` says so.
``<!-- fails: NAME -->``
    The cell must end with the error of that name; ``KernelDied`` when it must end the kernel.
``<!-- fresh kernel -->``
    The story begins anew, in another kernel.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live import Kernel, Reply, run_program
from places import ROOT

# pytest itself brings tomli where Python has no tomllib.
TOML: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
ADDRESS = "https://github.com/omp-magic/omp_magic"

_FENCE = re.compile(r"(?P<indent> *)(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)$")
_COMMENT = re.compile(r"<!-- (not run|only on|fails|fresh kernel)(?:: *(.*?))? *-->$")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Parameters
    ----------
    page, line
        Where it stands; the line is that of its fence.
    language
        The first word after the fence; ``"{note}"`` and the like are MyST's directives.
    text
        What is in it, without the fence's own indentation.
    follows
        Whether nothing but text stands between it and the block before: no heading.
    notes
        The comments on the lines before it: their kind and their text.
    """

    page: Path
    line: int
    language: str
    text: str
    follows: bool
    notes: dict[str, str]

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"

    @property
    def unrun(self) -> str | None:
        """Why it is not run, or None."""
        machine = self.notes.get("only on", platform.machine())
        only = None if machine == platform.machine() else f"for {machine} only"
        return self.notes.get("not run", only)


def name_of(path: Path) -> str:
    """Give a file's path as seen from the project's folder."""
    return path.relative_to(ROOT).as_posix()


def pages() -> list[Path]:
    """Give the pages whose blocks are run."""
    docs = (page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)
    told = (page for page in docs if "findings" not in page.parts)
    return sorted([*ROOT.glob("README*.md"), *told])


def blocks_of(page: Path) -> list[Block]:
    """Give the fenced blocks of a page; a directive's own content is not looked into."""
    found: list[Block] = []
    notes: dict[str, str] = {}
    follows = False
    lines = iter(enumerate(page.read_text("utf-8").split("\n"), 1))
    for number, line in lines:
        comment = _COMMENT.match(line.strip())
        fence = _FENCE.match(line)
        if comment:
            notes[comment[1]] = comment[2] or ""
        elif fence:
            info = fence["info"].split()
            inside = list(_inside(lines, fence["marks"]))
            text = textwrap.dedent("\n".join(inside))
            found.append(Block(page, number, info[0] if info else "", text, follows, notes))
            notes, follows = {}, True
        else:
            assert not notes, f"{name_of(page)}:{number}: a comment must stand right before a block"
            follows = follows and not line.startswith("#")
    return found


def _inside(lines: Iterator[tuple[int, str]], marks: str) -> Iterator[str]:
    for _, line in lines:
        if line.strip().startswith(marks) and not line.strip().strip(marks[0]):
            return
        yield line


def missing(expected: str, said: str) -> list[str]:
    """Give the lines of an output on a page that are not in what was really said.

    A line is there when its words come one after another, wherever lines were wrapped. Numbers,
    versions, paths, units and plurals are those of the machine, and so are how many findings there
    are, the verdict (a line that begins with ``!`` or a check mark), which bound decides, how busy
    it lets a cell be, and whether a quota did; ``…`` stands for anything.
    """
    stream = " ".join(_words(said))
    absent = []
    for line in expected.split("\n"):
        parts = [" ".join(_words(part)) for part in line.split("…")]
        pattern = ".*".join(rf"(?<!\S){re.escape(part)}(?!\S)" for part in parts if part)
        if not re.search(pattern, stream):
            absent.append(line.strip())
    return absent


_UNITS = {"ms", "s", "min", "KB", "MB", "GB"}


# How busy a machine lets a cell be: the first line of what `%%omp_limit -v` says.
_BUSY = re.compile(
    r"^(\d+ threads? (did|was|kept|shared|ran)|Mostly waiting|[\d.]+ of|Too short)\b.*$",
    re.MULTILINE,
)


def _words(text: str) -> Iterator[str]:
    text = re.sub(r"^[!✓] .*$", "", text, flags=re.MULTILINE)
    text = _BUSY.sub("how busy", text)
    text = re.sub(r"CPUs? .* decides", "CPUs decides", text)
    text = re.sub(r"no quota, never (?=throttled)| in \d+ periods?\b", "", text)
    text = re.sub(r"\b\d+ (error|warning|note)s?\b", "", text)
    for token in text.split():
        word = token.strip("()[]{},.:;'\"|")
        code = re.fullmatch(r"OMP\d+", word)
        strange = re.search(r"\d|/|\\", word) and not code
        if not strange and word not in _UNITS and re.search(r"\w", word):
            yield re.sub(r"(?<=\w{3})s$", "", word)


class Story:
    """What the blocks of a page share: a kernel, and a folder of their own.

    Parameters
    ----------
    folder
        An empty one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kernel: Kernel | None = None

    def tell(self, page: Path) -> Iterator[str]:
        """Run a page; give what is not as it says."""
        said: str | None = None
        runners: dict[str, Callable[[Block], tuple[str | None, list[str]]]] = {
            "python": self._cell,
            "console": self._console,
            "toml": _toml,
        }
        for block in blocks_of(page):
            if "fresh kernel" in block.notes:
                self.close()
            if block.language.startswith("{"):
                continue
            if block.unrun is not None:
                said = None
            elif block.language == "text":
                yield from _compared(block, said)
            elif block.language in runners:
                said, wrong = runners[block.language](block)
                yield from (f"{block}: {each}" for each in wrong)
            else:
                yield f"{block}: {block.language or 'no language'}: say why it is not run"

    def close(self) -> None:
        """End the kernel."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None

    def _cell(self, block: Block) -> tuple[str, list[str]]:
        if self._kernel is None:
            self._kernel = Kernel()
            self._kernel.run(f"%cd -q {self._folder}")
        reply = self._kernel.run(block.text, timeout=120)
        ename = "KernelDied" if reply.status == "dead" else reply.ename
        wrong = []
        if ename != block.notes.get("fails", "") or bool(ename) != (reply.status != "ok"):
            wrong.append(f"{reply.status} {ename}: {reply.evalue or reply.stderr}"[-800:])
        if reply.status == "dead":
            self.close()
        return _output(reply), wrong

    def _console(self, block: Block) -> tuple[str, list[str]]:
        said, wrong = "", []
        for command, output in commands_of(block.text):
            told = unsound(command)
            if told is None:
                path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
                inside = f"cd {self._folder} && {command}"
                ended = run_program(["bash", "-c", inside], 120, {"PATH": path})
                fine = (0, 1) if "omp-magic" in command or "omp_magic" in command else (0,)
                said = ended.out + ended.err
                if ended.code not in fine:
                    wrong.append(f"{command}: exit code {ended.code}: {said[-800:]}")
                absent = missing(output, said) if output else []
                wrong.extend(f"{command}: did not print {line!r}" for line in absent)
            elif told:
                wrong.append(f"{command}: {told}")
        return said, wrong


def _compared(block: Block, said: str | None) -> Iterator[str]:
    """Compare an output; what follows no block is a claim that nobody has run."""
    if said is not None and block.follows:
        yield from (f"{block}: was not printed: {line!r}" for line in missing(block.text, said))
    elif not block.follows:
        yield f"{block}: the output of nothing: say why it is not run"


def _toml(block: Block) -> tuple[None, list[str]]:
    TOML.loads(block.text)
    return None, []


def _output(reply: Reply) -> str:
    shown = (str(display.get("text/plain", "")) for display in reply.displays)
    error = f"{reply.ename}: {reply.evalue}" if reply.ename else ""
    return "\n".join((reply.stdout, reply.stderr, *shown, reply.text, error))


def commands_of(text: str) -> list[tuple[str, str]]:
    """Give the commands of a console block, each with its output."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not any(line.startswith("$ ") for line in lines):
        return [(line, "") for line in lines]
    found: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            command, output = found.pop()
            found.append((command, f"{output}\n{line}".strip("\n")))
    return found


def unsound(command: str) -> str | None:
    """Say what is wrong with a command that is not run; "" for nothing, None when it is to run."""
    words = command.partition(" # ")[0].split()
    if words[:2] in (["python", "-m"], ["python3", "-m"]) and words[2] == "pip":
        words = words[2:]
    if words[0] == "pip":
        wrong = [word for word in words[1:] if _our_own(word) is False]
        return f"not this project's name or extra: {wrong[0]}" if wrong else ""
    if words[0] in ("conda", "mamba"):
        return "omp-magic is on PyPI only" if re.search("omp.magic", command) else ""
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        wanted = [word for word in words[1:] if "=" not in word]
        return "".join(f"no target {word}" for word in wanted if word not in targets)
    if words[:2] == ["git", "clone"]:
        return "" if words[2].removesuffix(".git") == ADDRESS else f"not {ADDRESS}"
    return "" if words[0] == "cd" else None


def _our_own(word: str) -> bool | None:
    """Say whether a requirement names this project rightly; None when it names another."""
    found = re.fullmatch(r"['\"]?(omp[-_]magic|\.)(?:\[([\w,-]+)\])?['\"]?", word)
    if found is None:
        return False if word.lower().startswith(("omp", "'omp")) else None
    project: dict[str, Any] = TOML.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = found[2].split(",") if found[2] else []
    right = found[1] in (project["name"], ".")
    return right and set(extras) <= set(project["optional-dependencies"])
