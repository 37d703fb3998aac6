"""The members of a wheel, read where they are: no more of one than is asked for."""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..formats.zips import MOST_MEMBERS, leads_out, suspicion
from ..machine.python.lacking import let_go
from .pins import RequirementsError, printable

_IN_MEMORY_BYTES = 32 << 20
_CHUNK_BYTES = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_WINDOW_BYTES = 16 << 20


class Member(NamedTuple):
    """A member of a wheel.

    Parameters
    ----------
    wheel
        Path of the wheel.
    name
        As the archive has it.
    offset
        Where its local header stands.
    packed_bytes, size_bytes
        As the directory says.
    method
        How it is packed: 0 not at all, 8 deflate.
    crc
        CRC-32 of its bytes.
    """

    wheel: str
    name: str
    offset: int
    packed_bytes: int
    size_bytes: int
    method: int
    crc: int

    def chunks(self) -> Iterator[bytes]:
        """Give its bytes piece by piece, never more than the directory says.

        Raises
        ------
        OSError
            When the archive is broken here, or packed in a way that wheels are not.
        """
        why = suspicion(self.size_bytes, self.packed_bytes)
        if why:
            raise OSError(f"{printable(self.name)} is not read: {why}")
        if self.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise OSError(f"{printable(self.name)} is packed by method {self.method}")
        crc, given = 0, 0
        for piece in self._pieces():
            given += len(piece)
            if given > self.size_bytes:
                raise self._broken()
            crc = zlib.crc32(piece, crc)
            yield piece
        if given != self.size_bytes or crc != self.crc:
            raise self._broken()

    def _pieces(self) -> Iterator[bytes]:
        with open(self.wheel, "rb") as file:
            file.seek(self.offset)
            header = file.read(_LOCAL_HEADER.size)
            if len(header) < _LOCAL_HEADER.size:
                raise self._broken()
            mark, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
            if mark != b"PK\x03\x04":
                raise self._broken()
            file.seek(name_bytes + extra_bytes, os.SEEK_CUR)
            left = self.packed_bytes
            packer = zlib.decompressobj(-zlib.MAX_WBITS) if self.method else None
            while left > 0 and (packed := file.read(min(left, _CHUNK_BYTES))):
                left -= len(packed)
                if packer is None:
                    yield packed
                    continue
                # A piece of zeros may be a thousand times as large as what it is packed in.
                while packed:
                    try:
                        piece = packer.decompress(packed, _CHUNK_BYTES)
                    except zlib.error:
                        raise self._broken() from None
                    packed = packer.unconsumed_tail
                    if piece:
                        yield piece
            if packer is not None:
                yield packer.flush(_CHUNK_BYTES)

    def _broken(self) -> OSError:
        return OSError(f"{printable(self.name)} is broken in {os.path.basename(self.wheel)}")

    def read(self, most_bytes: int) -> bytes:
        """Give its first bytes, at most so many; what lies behind them is not unpacked."""
        found = bytearray()
        for piece in self.chunks():
            found += piece
            if len(found) >= most_bytes:
                break
        return bytes(found[:most_bytes])

    @contextmanager
    def mapped(self, folder: str | None = None) -> Iterator[bytes | mmap.mmap]:
        """Give all its bytes: a large member lies in a file without a name meanwhile.

        Parameters
        ----------
        folder
            Where that file is; a system's own folder for them may lie in memory.
        """
        if self.size_bytes <= _IN_MEMORY_BYTES:
            yield b"".join(self.chunks())
            return
        with tempfile.TemporaryFile(dir=folder) as file:
            for piece in self.chunks():
                file.write(piece)
            file.flush()
            with _Frugal(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data


class _Frugal(mmap.mmap):
    """A memory map that lets go of what it was searched in: 2 GB are not all kept in memory."""

    def find(self, sub: Any, start: int = 0, end: int | None = None, /) -> int:
        """See `bytes.find`."""
        end = len(self) if end is None else end
        begin, stop, _ = slice(start, end).indices(len(self))
        overlap = max(len(sub) - 1, 0)
        while begin < stop:
            window = min(begin + _WINDOW_BYTES, stop)
            found = super().find(sub, begin, min(window + overlap, stop))
            self._let_go(begin, window)
            if found >= 0:
                return found
            begin = window
        return -1

    def _let_go(self, begin: int, end: int) -> None:
        page = begin - begin % mmap.PAGESIZE
        let_go(self, page, end)


def members_of(path: str) -> list[Member]:
    """Give the members of a wheel, folders left out.

    Raises
    ------
    RequirementsError
        When it is no whole archive, or one that means harm.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        found = f"a broken archive ({error})"
        raise RequirementsError(path, found, "a whole wheel", "--wheels FOLDER") from None
    except OSError as error:
        found = error.strerror or str(error)
        raise RequirementsError(path, found, "a wheel", "--wheels FOLDER") from None
    if len(listed) > MOST_MEMBERS:
        raise RequirementsError(
            path, f"{len(listed)} members", f"at most {MOST_MEMBERS}", "--wheels FOLDER"
        )
    members = []
    for each in listed:
        if leads_out(each.filename):
            found = f"a member called {each.filename!a}"
            accepted = "names that stay inside the archive"
            raise RequirementsError(path, found, accepted, "--wheels FOLDER")
        if each.filename and not each.filename.endswith("/"):  # `is_dir` fails on "": Python 3.11
            members.append(
                Member(
                    path,
                    each.filename,
                    each.header_offset,
                    each.compress_size,
                    each.file_size,
                    each.compress_type if not each.flag_bits & 1 else -1,
                    each.CRC,
                )
            )
    return members
