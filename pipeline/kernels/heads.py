"""What stands at the beginning of a text: phrases in its first lines, and where phrases of plain words stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.phrases import Phrases, found_phrases, lower, phrases, starts_with
from pipeline.kernels.unicode import byte_at, classes, line_stop, next_line

Places = npt.NDArray[np.int32]


def found_in_lines(column: Texts, lines: int, wanted: Phrases) -> Ints:
    """int64[rows]: the groups, or-ed together, of the phrases that occur in the first `lines` lines of each text."""
    found = np.zeros(column.rows, np.int64)
    _found_in_lines(column.offsets, column.data, classes(), lines, wanted, found)
    return found


@kernel
def _found_in_lines(offsets: Ints, data: Bytes, table: Bytes, lines: int, wanted: Phrases, found: Ints) -> None:
    for row in range(len(found)):
        start, end = offsets[row], offsets[row + 1]
        stop, left = start, lines
        while left > 0 and stop < end:
            stop = next_line(data, line_stop(table, data, stop, end), end)
            left -= 1
        found[row] = found_phrases(data, start, stop, wanted)


def word_phrases(wanted: Sequence[str]) -> Phrases:
    """Phrases for `first_places`, which names them by their places in this list: words of a-z and 0-9, single spaces between."""
    return phrases({f" {phrase} ": number for number, phrase in enumerate(wanted)})


def first_places(column: Texts, wanted: Phrases) -> Places:
    """int32[rows, phrases]: where each phrase first stands in a text (the beginning of one), -1 where it doesn't.

    Only letters and digits of ASCII count, in any case; all between them is one space. So a phrase is found though it goes
    over several lines, each with its mark of a comment. The places order the phrases, they aren't offsets into the text.
    """
    places = np.full((column.rows, len(wanted.anchors)), -1, np.int32)
    words = np.empty(int(np.diff(column.offsets).max(initial=0)) + 2, np.uint8)
    _first_places(column.offsets, column.data, wanted, words, places)
    return places


@kernel
def _first_places(offsets: Ints, data: Bytes, wanted: Phrases, words: Bytes, places: Places) -> None:
    for row in range(len(places)):
        size = _plain_words(data, offsets[row], offsets[row + 1], words)
        for i in range(size):
            if wanted.is_rare[words[i]]:
                _note_phrases(words, i, size, wanted, places[row])


@kernel
def _note_phrases(words: Bytes, i: int, size: int, wanted: Phrases, places: Places) -> None:
    """Note the places of phrases whose rarest byte stands at `i`, where none is noted yet."""
    rare = byte_at(words, i)
    for phrase in range(byte_at(wanted.buckets, rare), byte_at(wanted.buckets, rare + 1)):
        at, number = i - wanted.anchors[phrase], wanted.groups[phrase]
        if places[number] < 0 <= at and starts_with(words, at, size, wanted.data, wanted.offsets[phrase], wanted.offsets[phrase + 1]):
            places[number] = at


@kernel
def _plain_words(data: Bytes, start: int, end: int, words: Bytes) -> int:
    """Write the words of data[start:end] in lower case, a space before and after each; return how many bytes that makes."""
    words[0] = 32
    size = 1
    for i in range(start, end):
        byte = lower(byte_at(data, i))
        if 97 <= byte <= 122 or 48 <= byte <= 57:
            words[size] = byte
            size += 1
        elif words[size - 1] != 32:
            words[size] = 32
            size += 1
    if words[size - 1] != 32:
        words[size] = 32
        size += 1
    return size
