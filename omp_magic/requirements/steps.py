"""How far fetching is: a frozen value for who wants to know, and one way to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far fetching is; the first comes before anything is fetched.

    Parameters
    ----------
    done, of
        Wheels.
    done_bytes, of_bytes
        Sizes, as far as they are known.
    unsized
        Wheels whose size is not known before.
    free_bytes
        Free on the disk that they come to.
    folder
        Where they come to.
    name
        What came last; "" at first.
    """

    done: int
    of: int
    done_bytes: int
    of_bytes: int
    unsized: int
    free_bytes: int
    folder: str
    name: str = ""

    @property
    def line(self) -> str:
        """It as a sentence."""
        if self.name:
            return f"{self.done} of {self.of}: {self.name}"
        size = amount(self.of_bytes) if self.unsized < self.of else "sizes not told by the file"
        if 0 < self.unsized < self.of:
            size += f" and {self.unsized} whose size the file does not tell"
        return (
            f"{wheels(self.of)} to fetch: {size}; {amount(self.free_bytes)} free in {self.folder}"
        )


def wheels(count: int) -> str:
    """Give so many wheels in words."""
    return "1 wheel" if count == 1 else f"{count} wheels"


def amount(size_bytes: int) -> str:
    """Give a size as people write it.

    Examples
    --------
    >>> amount(1_530_000_000), amount(12_300_000), amount(900)
    ('1.5 GB', '12 MB', '1 kB')
    """
    if size_bytes >= 1_000_000_000:
        return f"{size_bytes / 1_000_000_000:.1f} GB"
    if size_bytes >= 1_000_000:
        return f"{size_bytes / 1_000_000:.0f} MB"
    return f"{-(-size_bytes // 1000)} kB"


def told_on(stream: TextIO) -> Callable[[Step], None]:
    """Give what shows steps: a bar on a terminal where tqdm is installed, else a line each.

    Parameters
    ----------
    stream
        Such as ``sys.stderr``.
    """
    bar: Any = None

    def tell(step: Step) -> None:
        nonlocal bar
        if not step.name:
            print(step.line, file=stream, flush=True)
            bar = _bar(step, stream)
        elif bar is None:
            print(step.line, file=stream, flush=True)
        else:
            bar.set_postfix_str(step.name, refresh=False)
            bar.update(step.done - bar.n)
            if step.done >= step.of:
                bar.close()

    return tell


def _bar(step: Step, stream: TextIO) -> Any:
    if not stream.isatty():
        return None
    try:
        from tqdm import tqdm  # noqa: PLC0415 - who fetches nothing pays nothing
    except ImportError:
        return None
    return tqdm(total=step.of, file=stream, unit="wheel", leave=False)
