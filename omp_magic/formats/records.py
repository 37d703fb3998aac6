"""Bytes of a kernel's record -> its parts; see `recordfile`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..errors import ParseError
from ..machine.python import recordfile as layout
from .faults import Fault, parse_faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a kernel has written of itself; times are seconds since 1970.

    Parameters
    ----------
    identity
        Who it was: JSON, {} where that is not whole.
    number, cell_began_s, cell_ended_s
        The last cell; its number is 0 when none is known, and 0.0 stands for "it ran".
    text
        The cell's text; "" unless it was asked for.
    shutdown_s, restarting
        When it was asked to end, 0.0 for never, and whether to start again.
    earlier_s, earlier_cpu_s, looked_s, cpu_s, rss_bytes, threads
        Two looks at its figures; all 0 where there was none.
    lines
        The end of what was written to C's stderr since that cell began.
    seen
        What was loaded and found: JSON, {} where there is none.
    memory
        The counters of the memory killer: JSON.
    fault
        What faulthandler wrote since the last cell began, or None.
    told, asked
        Whether the next kernel has told of it, and whether somebody has asked.
    """

    identity: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    cell_began_s: float = 0.0
    cell_ended_s: float = 0.0
    text: str = ""
    shutdown_s: float = 0.0
    restarting: bool = False
    earlier_s: float = 0.0
    earlier_cpu_s: float = 0.0
    looked_s: float = 0.0
    cpu_s: float = 0.0
    rss_bytes: int = 0
    threads: int = 0
    lines: str = ""
    seen: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    fault: Fault | None = None
    told: bool = False
    asked: bool = False


def parse_record(data: bytes) -> Record:
    """Read a record.

    Raises
    ------
    ParseError
        When it is none, or of a layout that is not known.
    """
    if not data.startswith(layout.MAGIC):
        found = repr(data[: len(layout.MAGIC)])
        raise ParseError("record", found, repr(layout.MAGIC))
    data = data.ljust(layout.FAULT_AT, b"\0")
    number, began_s, ended_s, fault_at, lines_at = layout.CELL.unpack_from(data, layout.CELL_AT)
    shutdown_s, restarting = layout.SHUTDOWN.unpack_from(data, layout.SHUTDOWN_AT)
    looks = layout.FIGURES.unpack_from(data, layout.FIGURES_AT)
    fault_at = max(layout.FAULT_AT, min(fault_at, len(data)))
    return Record(
        identity=json_part(data, layout.IDENTITY_AT, layout.IDENTITY_BYTES),
        number=number,
        cell_began_s=began_s,
        cell_ended_s=ended_s,
        text=_text(data),
        shutdown_s=shutdown_s,
        restarting=bool(restarting),
        earlier_s=looks[0],
        earlier_cpu_s=looks[1],
        looked_s=looks[2],
        cpu_s=looks[3],
        rss_bytes=looks[4],
        threads=looks[5],
        lines=_lines(data, lines_at),
        seen=_seen(data),
        memory=json_part(data, layout.MEMORY_AT, layout.MEMORY_BYTES),
        fault=parse_faults(_decoded(data[fault_at:])),
        told=bool(data[layout.TOLD_AT]),
        asked=bool(data[layout.ASKED_AT]),
    )


def json_part(data: bytes, at: int, size_bytes: int) -> dict[str, Any]:
    """Give a part of JSON of a record; {} when it is not whole, or not there."""
    part = layout.unpacked(data[at : at + size_bytes])
    return {} if part is None else _object(part[1])


def _object(part: bytes) -> dict[str, Any]:
    try:
        found = json.loads(part)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _seen(data: bytes) -> dict[str, Any]:
    """Give the newer of two parts that is whole."""
    parts = (layout.unpacked(data[at : at + layout.SEEN_BYTES]) for at in layout.SEEN_AT)
    whole = sorted(part for part in parts if part is not None)
    return _object(whole[-1][1]) if whole else {}


def _text(data: bytes) -> str:
    part = layout.unpacked(data[layout.TEXT_AT : layout.TEXT_AT + layout.TEXT_BYTES])
    return _decoded(part[1]) if part is not None else ""


def _lines(data: bytes, begin: int) -> str:
    """Unroll the ring, from what came first since the cell began to what was just coming."""
    (count,) = layout.LINES.unpack_from(data, layout.LINES_AT)
    end = max(0, count) + layout.READ_BYTES
    first = max(min(begin, end), end - layout.RING_BYTES, 0)
    ring = data[layout.RING_AT : layout.RING_AT + layout.RING_BYTES]
    at = first % layout.RING_BYTES
    return _decoded((ring[at:] + ring[:at])[: end - first])


def _decoded(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "replace")
