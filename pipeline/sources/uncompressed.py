"""One input file as a stream of its uncompressed bytes, for readers that walk through a single large file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.contracts import InputFile
from pipeline.errors import SourceError
from pipeline.sources.streams import DAMAGE, Limits, Meter, counted, decompressed, opened

#: A dump may be large, but not endless; repetitive XML compresses up to about 100 times.
_LIMITS = Limits(members=1, member_bytes=1 << 40, total_bytes=1 << 44, ratio=1000)


@contextmanager
def uncompressed(file: InputFile) -> Iterator[io.BufferedReader]:
    """The file's bytes behind gzip, bzip2, xz or zstd, if any; damage the block meets is a SourceError with its place."""
    meter = Meter(file, _LIMITS)
    with opened(file) as raw:
        stream = counted(raw, meter.take)
        try:
            yield decompressed(stream, meter) or stream
        except DAMAGE as error:
            cause = str(error) or type(error).__name__
            raise SourceError(
                f"{file.name} ({file.path}): {cause}, within the first {meter.taken} bytes of the file"
                f" ({meter.given} uncompressed); fetch it again or leave it out"
            ) from error
