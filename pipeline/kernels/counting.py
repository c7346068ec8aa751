"""How often each piece occurs in some texts: what a byte-level BPE is trained on, and all that its training sees of them."""

from __future__ import annotations

from pipeline.kernels.arrow import Bytes, Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.pieces import next_piece
from pipeline.kernels.strings import NO_ROOM, Strings, add


@kernel
def count_pieces(data: Bytes, starts: Ints, ends: Ints, classes: Bytes, digits: int, pieces: Strings, counts: Ints, place: Ints) -> int:
    """Add the pieces of the texts data[starts[i]:ends[i]] to `counts` int64[at least as many as `pieces` has room for].

    `place` int64[2] is where to go on: a text, and the bytes of it that are done. Returns the length of a piece for which
    there was no room, and is to be called again with more; 0 when all is counted.
    """
    while place[0] < len(starts):
        start, end = starts[place[0]] + place[1], ends[place[0]]
        while start < end:
            stop = next_piece(data, start, end, classes, digits)
            number = add(pieces, data, start, stop)
            if number == NO_ROOM:
                place[1] = start - starts[place[0]]
                return stop - start  # type: ignore[no-any-return]
            counts[number] += 1
            start = stop
        place[0], place[1] = place[0] + 1, 0
    return 0


@kernel
def add_counts(offsets: Ints, data: Bytes, more: Ints, pieces: Strings, counts: Ints, place: Ints) -> int:
    """Add rows of a table, piece data[offsets[i]:offsets[i + 1]] more[i] times, from row `place[0]` on; returns as `count_pieces` does."""
    while place[0] < len(more):
        start, end = offsets[place[0]], offsets[place[0] + 1]
        number = add(pieces, data, start, end)
        if number == NO_ROOM:
            return end - start  # type: ignore[no-any-return]
        counts[number] += more[place[0]]
        place[0] += 1
    return 0
