"""How much of a page of HTML is to be seen: what is left of it without tags, comments, scripts and styles."""

from __future__ import annotations

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.phrases import lower, starts_with
from pipeline.kernels.unicode import SPACE, byte_at, class_at, classes, continues

_NAMES = np.frombuffer(b"<script<style", np.uint8)
_CLOSED = np.frombuffer(b"</script</style", np.uint8)


def visible_chars(column: Texts, pages: Bytes) -> Ints:
    """int64[rows]: the characters to be seen of the texts that are `pages` (uint8[rows]: 1), 0 for others.

    A tag is "<", a letter or one of / ! ?, and all up to the next ">", in quotes or not; a comment ends at "-->", a script
    or style at its end tag. White space counts as one character for a run of it between others. Entities count as written.
    """
    counts = np.zeros(column.rows, np.int64)
    _visible_chars(column.offsets, column.data, pages, classes(), counts)
    return counts


@kernel
def _visible_chars(offsets: Ints, data: Bytes, pages: Bytes, table: Bytes, counts: Ints) -> None:
    for row in range(len(counts)):
        i, end = offsets[row], offsets[row + 1]
        chars, gap = 0, 0
        while pages[row] and i < end:
            if data[i] == 60 and _opens_tag(data, i, end):
                i = _after_tag(data, i, end)
                continue
            if not continues(data, i):
                if class_at(table, data, i, end) & SPACE:
                    gap = 1
                else:
                    chars += 1 + (gap if chars else 0)
                    gap = 0
            i += 1
        counts[row] = chars


@kernel
def _opens_tag(data: Bytes, i: int, end: int) -> bool:
    if i + 1 >= end:
        return False
    byte = byte_at(data, i + 1)
    return byte == 47 or byte == 33 or byte == 63 or 97 <= lower(byte) <= 122


@kernel
def _after_tag(data: Bytes, i: int, end: int) -> int:
    """Where the tag, comment, script or style ends that begins at `i`: a script or style before its end tag."""
    if i + 3 < end and data[i + 1] == 33 and data[i + 2] == 45 and data[i + 3] == 45:
        i += 4
        while i < end and not (data[i] == 62 and data[i - 1] == 45 and data[i - 2] == 45):
            i += 1
        return min(i + 1, end)
    script, style = _is_named(data, i, end, 0, 7), _is_named(data, i, end, 7, 13)
    while i < end and data[i] != 62:
        i += 1
    i = min(i + 1, end)
    if script or style:
        first, last = (0, 8) if script else (8, 15)
        while i < end and not (data[i] == 60 and starts_with(data, i, end, _CLOSED, first, last)):
            i += 1
    return i


@kernel
def _is_named(data: Bytes, i: int, end: int, first: int, last: int) -> bool:
    """Whether the tag at `i` has the name _NAMES[first:last], and not one that begins so."""
    after = i + last - first
    if not starts_with(data, i, end, _NAMES, first, last):
        return False
    if after == end:
        return True
    byte = lower(byte_at(data, after))
    return not (97 <= byte <= 122 or 48 <= byte <= 57 or byte == 45 or byte == 58)
