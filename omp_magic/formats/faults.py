"""What faulthandler writes when a process dies -> the error and the Python stack.

The form is of CPython's Modules/faulthandler.c and Python/traceback.c, 3.10 to 3.14: a line
``Fatal Python error: Segmentation fault`` (``Windows fatal exception: access violation``), then
``Current thread 0x… (most recent call first):`` and lines ``  File "…", line 3 in name``. 3.14
has a thread's name in brackets behind its number, and a part ``Current thread's C stack trace``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ERROR = re.compile(
    r"^(?:Fatal Python error|Windows fatal exception): ([^\n]{1,200})$", re.MULTILINE
)
_CURRENT = re.compile(
    r"^(?:Current thread 0x[0-9a-f]+(?: \[[^\n]*\])?|Stack) \(most recent call first\):$"
)
"""Python without a GIL has "Stack" in its place, and a thread without Python none of them."""
_FRAME = re.compile(r'^  File "([^\n]*)", line (\d{1,9}|\?\?\?) in ([^\n]*)$')
_C_STACK = re.compile(r"^Current thread's C stack trace")
_C_FRAME = re.compile(r'^  Binary file "([^"\n]*)"(?:, at ([^\n]*))?')
_MOST_FRAMES = 100


class StackFrame(NamedTuple):
    """A line of the stack; its line is 0 where it is not known."""

    file: str
    line: int
    function: str


class Fault(NamedTuple):
    """What faulthandler said of one death.

    Parameters
    ----------
    error
        Its words: ``"Segmentation fault"``, ``"Aborted"``.
    stack
        The Python stack of the thread that died, the innermost first; () when it ran no Python.
    c_stack
        (file, place in it) of C's stack, the innermost first; () before Python 3.14.
    """

    error: str
    stack: tuple[StackFrame, ...] = ()
    c_stack: tuple[tuple[str, str], ...] = ()


def parse_faults(text: str) -> Fault | None:
    r"""Give the last fault of a text; None when there is none. A text that breaks off is read.

    Examples
    --------
    >>> parse_faults('Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n'
    ...              '  File "a.py", line 3 in f\n').stack
    (StackFrame(file='a.py', line=3, function='f'),)
    """
    errors = list(_ERROR.finditer(text))
    if not errors:
        return None
    last = errors[-1]
    stack: list[StackFrame] = []
    c_stack: list[tuple[str, str]] = []
    part = ""
    for line in text[last.end() :].split("\n"):
        if _CURRENT.match(line):
            part = "python"
        elif _C_STACK.match(line):
            part = "c"
        elif not line.startswith("  "):
            part = "" if line.strip() else part
        elif part == "python" and (frame := _FRAME.match(line)) and len(stack) < _MOST_FRAMES:
            number = 0 if frame[2] == "???" else int(frame[2])
            stack.append(StackFrame(frame[1], number, frame[3]))
        elif part == "c" and (found := _C_FRAME.match(line)) and len(c_stack) < _MOST_FRAMES:
            c_stack.append((found[1], found[2] or ""))
    return Fault(last[1].strip(), tuple(stack), tuple(c_stack))
