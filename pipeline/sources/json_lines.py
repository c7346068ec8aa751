"""The lines of a file of JSON lines, of which any may be endless."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple

#: What is left of a line that is too long is passed over in pieces of this size.
_SKIPPED = 1 << 20


class Line(NamedTuple):
    """A line that isn't blank: its number from 1, and its bytes; `too_large` when it is longer than was allowed (no bytes then)."""

    number: int
    data: bytes
    too_large: bool = False


def json_lines(stream: IO[bytes], max_bytes: int) -> Iterator[Line]:
    """The lines of a stream, of at most `max_bytes` each."""
    number = 0
    while line := stream.readline(max_bytes + 1):
        number += 1
        if len(line) > max_bytes:
            while line and not line.endswith(b"\n"):
                line = stream.readline(_SKIPPED)
            yield Line(number, b"", too_large=True)
        elif line.strip():
            yield Line(number, line)
