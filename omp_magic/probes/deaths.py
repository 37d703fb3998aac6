"""What is left of kernels that have ended: their records in Jupyter's runtime folder.

A record is of a living kernel as long as that holds its lock. What is another user's, a link, or no
record is passed over; what is broken becomes a `Gap`.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from ..errors import ParseError
from ..facts.libraries import Gap
from ..facts.remains import Remains
from ..formats.records import Record, json_part, parse_record
from ..machine import Machine
from ..machine.python import recordfile as layout
from ..machine.python.recordfile import OWN
from ..machine.python.recordreading import is_held, opened_own
from .kills import THEN
from .remains import as_facts, mark_of

MOST_RECORDS, MOST_AGE_S = 20, 30 * 86400
_MOST_GAPS = 5
_BOOT = "/proc/sys/kernel/random/boot_id"


def probe_boot(machine: Machine) -> str:
    """Give what is another text after each start of the machine (random(4)); "" when not told."""
    try:
        return machine.read(_BOOT).strip()
    except OSError:
        return ""


def probe_began(machine: Machine, pid: int) -> int:
    """Give what tells a process from a later one of its number; 0 when not told."""
    with suppress(OSError, ParseError):
        found = machine.system.relatives().one(pid)
        if found is not None:
            return found[0].started
    return 0


def probe_host() -> str:
    """Give this machine's name: a home, and the runtime folder in it, may be on several."""
    return socket.gethostname()


def probe_remains(
    machine: Machine,
    folder: str,
    gaps: list[Gap],
    *,
    of: Callable[[str], bool] = layout.is_name,
) -> tuple[Remains, ...]:
    """Give what is left of kernels, the newest first.

    Parameters
    ----------
    machine
        The machine.
    folder
        Jupyter's runtime folder.
    gaps
        Receives what cannot be read.
    of
        Which files are asked about, by their names.
    """
    found, unread = [], 0
    for path in _records(folder, gaps, of):
        try:
            remains = _remains(machine, path)
        except FileNotFoundError:
            continue  # It ended cleanly just now.
        except (OSError, ParseError) as error:
            unread += 1
            if unread <= _MOST_GAPS:
                gaps.append(Gap.of("record of a kernel", error, path))
            continue
        if remains is not None:
            found.append(remains)
    if unread > _MOST_GAPS:
        why = f"{unread - _MOST_GAPS} more cannot be read"
        gaps.append(Gap(what="records of kernels", why=why, where=folder))
    return tuple(sorted(found, key=lambda each: each.last_s, reverse=True))


def _records(folder: str, gaps: list[Gap], of: Callable[[str], bool]) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if layout.is_name(name) and of(name))
    except FileNotFoundError:
        return []
    except OSError as error:
        gaps.append(Gap.of("records of kernels", error, folder))
        return []
    paths = (os.path.join(folder, name) for name in names)
    return [path for path in paths if path not in OWN]


def mark_record(remains: Remains, at: int) -> None:
    """Note in a record that it was told of, or asked for; what cannot be written stays as it is.

    What the memory killer had counted by then is kept with it: what it kills later is nothing to
    this kernel. When the file was last written is the kernel's last sign of life, and stays too.
    """
    with suppress(OSError):
        fd = opened_own(remains.record)
        try:
            before = os.fstat(fd)
            _keep_kills(fd, remains)
            os.lseek(fd, at, os.SEEK_SET)
            os.write(fd, b"\1")
            os.utime(remains.record, ns=(before.st_atime_ns, before.st_mtime_ns))
        finally:
            os.close(fd)


def _keep_kills(fd: int, remains: Remains) -> None:
    os.lseek(fd, layout.MEMORY_AT, os.SEEK_SET)
    memory = json_part(os.read(fd, layout.MEMORY_BYTES), 0, layout.MEMORY_BYTES)
    if not memory or THEN in memory:
        return
    memory[THEN] = [each.after for each in remains.kills]
    part = json.dumps(memory).encode()
    if len(part) <= layout.room(layout.MEMORY_BYTES):
        os.lseek(fd, layout.MEMORY_AT, os.SEEK_SET)
        os.write(fd, layout.packed(part))


def remove_old(folder: str) -> None:
    """Remove the records of dead kernels that are too many or too old."""
    now = time.time()
    dead = sorted(_dead(folder), reverse=True)
    for number, (when, path) in enumerate(dead):
        if number >= MOST_RECORDS or now - when > MOST_AGE_S:
            for each in (path, mark_of(path)):
                with suppress(OSError):
                    os.unlink(each)


def _dead(folder: str) -> Iterator[tuple[float, str]]:
    for path in _records(folder, [], layout.is_name):
        with suppress(OSError):
            fd = opened_own(path)
            try:
                if not is_held(fd):
                    yield os.fstat(fd).st_mtime, path
            finally:
                os.close(fd)


def _remains(machine: Machine, path: str) -> Remains | None:
    """Read one; None while its kernel lives."""
    fd = opened_own(path)
    try:
        if is_held(fd):
            return None
        last_s = os.fstat(fd).st_mtime
        os.lseek(fd, 0, os.SEEK_SET)
        parts = [os.read(fd, layout.MOST_BYTES)]
        while parts[-1] and sum(map(len, parts)) < layout.MOST_BYTES:
            parts.append(os.read(fd, layout.MOST_BYTES))
    finally:
        os.close(fd)
    record = parse_record(b"".join(parts))
    if not record.identity and not record.cell_began_s:
        raise ParseError("record", "its head alone", "who the kernel is")
    boot = str(record.identity.get("boot", ""))
    here = probe_boot(machine)
    # A container of another name has the boot id of its machine, and its files' locks.
    same = bool(boot) and boot == here
    same_host = same or record.identity.get("host", probe_host()) == probe_host()
    same_boot = same if boot and here and same_host else None
    if same_boot is not False and same_host and _lives(machine, record):
        return None
    return as_facts(machine, record, path, last_s, same_boot=same_boot, same_host=same_host)


def _lives(machine: Machine, record: Record) -> bool:
    """Tell whether the very process still runs: its lock may have been lost, or none was had."""
    pid, began = record.identity.get("pid"), record.identity.get("process")
    return isinstance(pid, int) and bool(began) and probe_began(machine, pid) == began
