"""Files of requirements as text: bounded, in UTF-8 or what says so, or one clear line."""

from __future__ import annotations

import codecs
import os
import sys
from typing import Any

from .pins import RequirementsError

_MOST_BYTES = 16 << 20
"""The largest lock files of projects that are known have 5 MB."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: str, most_bytes: int = _MOST_BYTES) -> str:
    """Give a file's text.

    Raises
    ------
    RequirementsError
        When it cannot be read, is too large, or no text.
    """
    # A device or a pipe would be read for ever, or be waited for.
    if os.path.exists(path) and not os.path.isfile(path):
        raise RequirementsError(path, "a folder" if os.path.isdir(path) else "no regular file")
    try:
        with open(path, "rb") as file:
            data = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or str(error)
        if isinstance(error, FileNotFoundError):
            found = "no such file"
        raise RequirementsError(path, found) from None
    if len(data) > most_bytes:
        found = f"more than {most_bytes >> 20} MiB"
        raise RequirementsError(path, found, f"a file of at most {most_bytes >> 20} MiB")
    # As pip does: a byte order mark tells the encoding (PowerShell writes UTF-16).
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        found = f"bytes at {error.start} that are no {encoding.upper()}"
        raise RequirementsError(path, found, "a text in UTF-8") from None
    return text.removeprefix("\ufeff")


def parse_toml(path: str, text: str) -> dict[str, Any]:
    """Give what a text of TOML holds.

    Raises
    ------
    RequirementsError
        When it is none.
    """
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - Python 3.10 has none
    else:
        import tomli as tomllib  # noqa: PLC0415 - see there
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except RecursionError:
        raise RequirementsError(path, "values inside values, too deep", "a lock file") from None
    except ValueError as error:
        raise RequirementsError(path, f"no TOML ({error})", "a lock file in TOML") from None
    return found


def parse_yaml(path: str, text: str) -> Any:
    """Give what a text of YAML holds: plain values, and no merged keys.

    Raises
    ------
    RequirementsError
        When it is none, or no library reads it.
    """
    try:
        import yaml  # noqa: PLC0415 - few files are YAML
    except ImportError:
        raise RequirementsError(
            path, "YAML, and no library for it", "pyyaml installed", "pip install pyyaml"
        ) from None
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]  # a class of either kind
        """A safe loader that merges no mappings: merged keys grow without end (YAML bombs)."""

        def flatten_mapping(self, node: Any) -> None:
            """Merge nothing."""

    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - it is a safe one
    except RecursionError:
        raise RequirementsError(path, "values inside values, too deep", "a plain file") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise RequirementsError(path, f"no plain YAML ({error})", "a file in YAML") from None
