"""The block that loads the extension: bytes of a configuration file in, bytes out."""

from __future__ import annotations

from ..errors import ProfileError

_BEGIN, _END = b"# omp_magic: begin", b"# omp_magic: end"
_MADE, _OPEN = b" (the file is made for it)", b" (behind a last line without its end)"
# A profile serves every environment of its user; in those without this package, a line that names
# it would print a traceback at each start.
_LINES = (
    b"from importlib.util import find_spec",
    b"c = get_config()",
    b'if find_spec("omp_magic"):  # a profile also serves environments without it',
    b'    c.InteractiveShellApp.extensions.append("omp_magic")',
)


def with_block(data: bytes | None) -> bytes:
    """Give a file's bytes with the block behind all else; None where there is no file."""
    text = data or b""
    end = b"\r\n" if b"\r\n" in text else b"\n"
    note = b""
    if data is None:
        note = _MADE
    elif text and not text.endswith((b"\n", b"\r")):
        note = _OPEN
        text += end
    return text + b"".join(line + end for line in (_BEGIN + note, *_LINES, _END))


def without_block(data: bytes | None, path: str) -> bytes | None:
    """Give a file's bytes as they were before the block; None where it was made for the block.

    Parameters
    ----------
    data
        The file's bytes, None where there is none.
    path
        The file's, for the error.

    Raises
    ------
    ProfileError
        When a begin has no end.
    """
    lines = (data or b"").splitlines(keepends=True)
    kept: list[bytes] = []
    made = data is None
    while lines:
        line = lines.pop(0)
        if not line.startswith(_BEGIN):
            kept.append(line)
            continue
        length = next((at for at, each in enumerate(lines) if each.startswith(_END)), None)
        if length is None or any(each.startswith(_BEGIN) for each in lines[:length]):
            mark, end = _BEGIN.decode(), _END.decode()
            raise ProfileError(f"found {mark!r} without {end!r}: take that block out by hand", path)
        del lines[: length + 1]
        made = made or _MADE in line
        if _OPEN in line and kept and not lines:
            kept[-1] = kept[-1].rstrip(b"\r\n")
    return b"".join(kept) if kept or not made else None


def has_block(data: bytes | None) -> bool:
    """Tell whether a file has the block, or a part of it."""
    return any(line.startswith(_BEGIN) for line in (data or b"").splitlines())


def mentions(data: bytes | None) -> tuple[int, ...]:
    """Give the numbers of the lines outside the block that name the extension."""
    if data is None:
        return ()
    inside, found = False, []
    for number, line in enumerate(data.splitlines(), 1):
        inside = inside or line.startswith(_BEGIN)
        if not inside and b"omp_magic" in line and not line.lstrip().startswith(b"#"):
            found.append(number)
        inside = inside and not line.startswith(_END)
    return tuple(found)
