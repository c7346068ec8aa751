"""About how many tokens a text takes, before there is a tokenizer: pieces as a byte-level vocabulary has them, counted by bytes.

A piece is up to six bytes of a word (ASCII letters and all bytes beyond ASCII), three digits, two marks of punctuation, or a run of
line breaks and tabs; a space goes with what follows it. So a Latin word is a token or two, a Han ideograph half of one. Numbers
of tokens come out right within a seventh on real text; shares of them are what it is for (measured in docs/decisions.md).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow import Bytes, Ints, texts
from pipeline.kernels.compiled import kernel

#: Kinds of bytes, and the bytes of each kind that make one piece.
_SPACE, _WORD, _DIGIT, _MARK, _BREAK = range(5)
_LONGEST = np.array([1, 6, 3, 2, 1 << 62], np.int64)


def _kinds() -> Bytes:
    kinds = np.full(256, _MARK, np.uint8)
    kinds[128:] = _WORD
    for first, last, kind in (("A", "Z", _WORD), ("a", "z", _WORD), ("0", "9", _DIGIT), ("\t", "\r", _BREAK), (" ", " ", _SPACE)):
        kinds[ord(first) : ord(last) + 1] = kind
    return kinds


_KINDS = _kinds()


def estimated_tokens(column: pa.Array) -> Ints:
    """int64[rows]: about how many tokens each text takes; a null row takes none."""
    offsets, data = texts(column)
    found = np.empty(len(column), np.int64)
    _count(offsets, data, _KINDS, _LONGEST, found)
    return found


@kernel
def _count(offsets: Ints, data: Bytes, kinds: Bytes, longest: Ints, found: Ints) -> None:
    for row in range(len(found)):
        count, last, room = 0, np.int64(0), np.int64(0)
        for i in range(np.uint64(offsets[row]), np.uint64(offsets[row + 1])):
            kind = np.int64(kinds[data[i]])
            if kind != last or room == 0:
                count += kind != 0
                room = longest[kind]
            last = kind
            room -= 1
        found[row] = count
