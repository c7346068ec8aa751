"""One input file as a stream of its uncompressed bytes, for readers that walk through a single large file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.sources import sevenzip
from pipeline.sources.streams import DAMAGE, Limits, Meter, counted, decompressed, opened

#: A dump may be large, but not endless; repetitive XML compresses up to about 100 times.
_LIMITS = Limits(members=1, member_bytes=1 << 40, total_bytes=1 << 44, ratio=1000)


@contextmanager
def uncompressed(file: InputFile, member: str = "") -> Iterator[io.BufferedReader]:
    """The file's bytes behind gzip, bzip2, xz or zstd, if any; of a 7z archive those of its file `member`.

    Damage that the block meets is a SourceError with its place.
    """
    meter = Meter(file, _LIMITS)
    with opened(file) as raw:
        stream = counted(raw, meter.take)
        try:
            if member and stream.peek(6).startswith(sevenzip.MAGIC):
                yield counted(_Pieces(sevenzip.member(_Metered(raw, meter), member)), meter.give)
            else:
                yield decompressed(stream, meter) or stream
        except DAMAGE as error:
            cause = str(error) or type(error).__name__
            raise SourceError(
                f"{file.name} ({file.path}): {cause}, within the first {meter.taken} bytes of the file"
                f" ({meter.given} uncompressed); fetch it again or leave it out"
            ) from error


class _Pieces:
    """Pieces of bytes, one after the other, to be read as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int, /) -> bytes:
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return b""
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


class _Metered:
    """A file that is read here and there, and tells the meter of what is taken."""

    def __init__(self, raw: IO[bytes], meter: Meter) -> None:
        self._raw, self._meter = raw, meter

    def seek(self, offset: int, /) -> int:
        return self._raw.seek(offset)

    def read(self, size: int, /) -> bytes:
        data = self._raw.read(size)
        self._meter.take(len(data))
        return data
