"""The bytes behind a file's compression, told by its first bytes rather than its name, and metered while they are read.

Nothing is trusted: a stream that gives too much, or too much for what it took, stops with a SourceError.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, NoReturn, Protocol

import fsspec
import pyarrow as pa

from pipeline.contracts import InputFile
from pipeline.errors import SourceError

#: Bytes read at a time.
CHUNK = 1 << 20

#: Output below this is never called a bomb: small files of one repeated byte are harmless.
RATIO_GRACE = 64 << 20

#: What a damaged or truncated file raises, whichever library reads it.
DAMAGE = (EOFError, OSError, lzma.LZMAError, zlib.error, tarfile.TarError, zipfile.BadZipFile, pa.ArrowException)


class Readable(Protocol):
    """All that is asked of a stream."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Limits:
    """What one input file may hold: members, bytes of one member and of all, and bytes given per byte read."""

    members: int
    member_bytes: int
    total_bytes: int
    ratio: int


class Meter:
    """Counts what is read of a file and what comes out of it, and refuses what is beyond its limits."""

    def __init__(self, file: InputFile, limits: Limits) -> None:
        self.file = file
        self.limits = limits
        self.taken = 0
        self.given = 0
        self.members = 0
        self.member = ""

    def take(self, number: int) -> None:
        """Count bytes read of the file itself."""
        self.taken += number

    def give(self, number: int) -> None:
        """Count bytes of content: what came out of a decompressor, or stood there without one."""
        self.given += number
        if self.given > self.limits.total_bytes:
            self.refuse(f"the file holds more than max_total_bytes={self.limits.total_bytes}")
        if self.given > RATIO_GRACE and self.given > self.limits.ratio * self.taken:
            self.refuse(f"{self.taken} bytes have grown to {self.given}, more than max_ratio={self.limits.ratio} times")

    def enter(self, member: str) -> None:
        """Note that the next bytes belong to `member`."""
        self.member = member
        self.members += 1
        if self.members > self.limits.members:
            self.refuse(f"the file holds more than max_members={self.limits.members}")

    def check_size(self, size: int) -> None:
        """Refuse a member of `size` bytes or more that is too large to be held in memory."""
        if size > self.limits.member_bytes:
            self.refuse(f"it holds {size} bytes or more, above max_member_bytes={self.limits.member_bytes}")

    def refuse(self, why: str) -> NoReturn:
        """Raise a SourceError that names the file and the member."""
        where = f"member {self.member!r}: " if self.member else ""
        raise SourceError(f"{self.file.name} ({self.file.path}): {where}{why}")


class _Counted(io.RawIOBase):
    """A raw stream over anything with `read`: full reads until the end, each reported to `count`."""

    def __init__(self, inner: Readable, count: Callable[[int], None] | None, left: int | None) -> None:
        super().__init__()
        self._inner = inner
        self._count = count
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        room = len(view) if self._left is None else min(len(view), self._left)
        filled = 0
        while filled < room and (piece := self._inner.read(room - filled)):
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
            if self._count:
                self._count(len(piece))
        if self._left is not None:
            self._left -= filled
            if filled < room:
                raise EOFError(f"{self._left} bytes are missing at its end")
        return filled


def counted(inner: Readable, count: Callable[[int], None] | None = None, left: int | None = None) -> io.BufferedReader:
    """`inner` as a buffered stream that can be peeked; with `left`, exactly that many bytes of it (EOFError if fewer)."""
    return io.BufferedReader(_Counted(inner, count, left), CHUNK)


def decompressed(stream: io.BufferedReader, meter: Meter) -> io.BufferedReader | None:
    """The metered content of a compressed stream (gzip, dictzip, bzip2, xz, zstd), or None when it isn't compressed."""
    head = stream.peek(10)
    for magic, opener in _MAGIC:
        if magic.match(head):
            return counted(opener(stream), meter.give)
    return None


def _gzip(stream: IO[bytes]) -> Readable:
    return gzip.GzipFile(fileobj=stream)


def _zstd(stream: IO[bytes]) -> Readable:
    return pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd")  # type: ignore[no-any-return]


_MAGIC: tuple[tuple[re.Pattern[bytes], Callable[[IO[bytes]], Readable]], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), _gzip),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), bz2.BZ2File),
    (re.compile(rb"\xfd7zXZ\x00"), lzma.LZMAFile),
    (re.compile(rb"\x28\xb5\x2f\xfd"), _zstd),
)


@contextmanager
def opened(file: InputFile) -> Iterator[IO[bytes]]:
    """The file's bytes; whatever damage shows while the block reads them is a SourceError that names the file."""
    try:
        with fsspec.open(file.path, "rb") as raw:
            yield raw
    except DAMAGE as error:
        cause = str(error) or type(error).__name__
        raise SourceError(f"{file.name} ({file.path}) can't be read to its end: {cause}; fetch it again or leave it out") from error
