"""Parts of the reference that are made from the code: the magics' help and the command's."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial

from omp_magic.cli.main import whole_parser
from omp_magic.jupyter.magics import OmpMagics
from omp_magic.jupyter.standin import NAMES

_OPTIONS = re.compile(r"^(?:positional arguments|options|optional arguments):$", re.MULTILINE)


def magics() -> str:
    """Give each magic's help as Markdown."""
    return "\n\n".join(f"## `%{name}`\n\n{_help(name)}" for name in NAMES["line"])


def _help(name: str) -> str:
    """Turn a help text, in which indented code follows ``::``, into Markdown."""
    text = inspect.cleandoc(getattr(OmpMagics, name).__doc__ or "")
    options = _OPTIONS.search(text)
    told = text[: options.start()] if options else text
    parts = ["\n".join(_marked(told.split("\n"))).strip()]
    if options:
        parts.append(f"```text\n{text[options.start() :].strip()}\n```")
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(parts))


def _marked(lines: list[str]) -> Iterator[str]:
    coded = False
    for line in (*lines, " "):
        if coded and line and not line.startswith("  "):
            yield "```\n"
            coded = False
        if line.endswith("::"):
            yield f"{line.removesuffix('::')}:\n\n```python".removeprefix(":")
            coded = True
        elif not coded:
            yield line
        elif line:
            yield re.sub(r"^ {2,4}", "", line)


def command() -> str:
    """Give the command's help, and each subcommand's, as Markdown."""
    parser = whole_parser("")
    parts = ["## `omp-magic`", _usage(parser)]
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to its subcommands
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for name, sub in action.choices.items():
                parts += [f"## `omp-magic {name}`", _usage(sub)]
    return "\n\n".join(parts)


def _usage(parser: argparse.ArgumentParser) -> str:
    # argparse fills the terminal, and a page is none.
    parser.formatter_class = partial(argparse.RawDescriptionHelpFormatter, width=88)
    # Python 3.14 colours what it prints into a terminal.
    plain = re.sub(r"\x1b\[[0-9;]*m", "", parser.format_help())
    return f"```text\n{plain.strip()}\n```"


MADE: dict[str, Callable[[], str]] = {"magics": magics, "command": command}
