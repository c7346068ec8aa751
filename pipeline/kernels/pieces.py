"""The pieces that byte-level BPE never merges across, found by hand-written scanners of two well-known regular expressions.

With d > 0, that of GPT-4 and Llama 3, with at most d digits in one piece (3 there, 1 in Qwen):

    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,d}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+

With d = 0, that of GPT-2:

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+

The classes of characters come in as a table, so that they are those of the regular expression engine that is matched.
"""

from __future__ import annotations

from pipeline.kernels.arrow import Bytes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.unicode import byte_at

#: Classes of code points, as the regular expressions tell them apart.
OTHER, LETTER, NUMBER, SPACE, NEWLINE = 0, 1, 2, 3, 4
#: Code points from here on are OTHER: private use, tags, nothing that was ever assigned to a script.
CLASSES_END = 0x40000


@kernel
def next_piece(data: Bytes, start: int, end: int, classes: Bytes, digits: int) -> int:
    """Where the piece that begins at `start` ends. `classes` is uint8[CLASSES_END]."""
    first = byte_at(data, start)
    if first < 0x80 and byte_at(classes, first) == LETTER:
        return _run(data, start + 1, end, classes, LETTER)
    if first == 39:  # an apostrophe
        length = _contraction(data, start + 1, end, digits > 0)
        if length:
            return start + 1 + length
    if digits:
        return _piece_gpt4(data, start, end, classes, digits)
    return _piece_gpt2(data, start, end, classes)


@kernel
def _piece_gpt4(data: Bytes, start: int, end: int, classes: Bytes, digits: int) -> int:
    kind, width = _class_at(data, start, end, classes)
    second = start + width
    if kind == LETTER:
        return _run(data, second, end, classes, LETTER)
    if kind == NUMBER:
        return _numbers(data, second, end, classes, digits - 1)
    following, width = _class_at(data, second, end, classes)
    if following == LETTER and kind != NEWLINE:
        return _run(data, second + width, end, classes, LETTER)
    if kind == OTHER or (data[start] == 32 and following == OTHER):
        return _newlines(data, _run(data, second, end, classes, OTHER), end)
    return _spaces(data, start, end, classes, True)


@kernel
def _piece_gpt2(data: Bytes, start: int, end: int, classes: Bytes) -> int:
    kind, width = _class_at(data, start, end, classes)
    if data[start] == 32:
        following, _ = _class_at(data, start + 1, end, classes)
        kind = following if 0 <= following < SPACE else SPACE
    if kind >= SPACE:
        return _spaces(data, start, end, classes, False)
    return _run(data, start + width, end, classes, kind)


@kernel
def _class_at(data: Bytes, i: int, end: int, classes: Bytes) -> tuple[int, int]:
    """The class of the character at `i` and its width in bytes; (-1, 0) at the end."""
    if i >= end:
        return -1, 0
    first = byte_at(data, i)
    if first < 0x80:
        return byte_at(classes, first), 1
    width = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if i + width > end:
        return OTHER, end - i
    point = first & (0x7F >> width)
    for k in range(1, width):
        point = point << 6 | byte_at(data, i + k) & 0x3F
    return (byte_at(classes, point) if point < CLASSES_END else OTHER), width


@kernel
def _run(data: Bytes, i: int, end: int, classes: Bytes, kind: int) -> int:
    """Where the run of characters of one class ends."""
    while i < end:
        found, width = _class_at(data, i, end, classes)
        if found != kind:
            break
        i += width
    return i


@kernel
def _numbers(data: Bytes, i: int, end: int, classes: Bytes, more: int) -> int:
    """Where the run of numbers ends, after `more` of them at most."""
    for _ in range(more):
        found, width = _class_at(data, i, end, classes)
        if found != NUMBER:
            break
        i += width
    return i


@kernel
def _newlines(data: Bytes, i: int, end: int) -> int:
    while i < end and (data[i] == 10 or data[i] == 13):
        i += 1
    return i


@kernel
def _spaces(data: Bytes, start: int, end: int, classes: Bytes, lines: bool) -> int:
    """A piece of white space: with `lines`, up to the last line end of the run; else the run, short of one character before a word."""
    i, last, newline = start, start, 0
    while i < end:
        kind, width = _class_at(data, i, end, classes)
        if kind < SPACE:
            break
        last = i
        i += width
        if kind == NEWLINE:
            newline = i
    if lines and newline:
        return newline
    return i if i == end or last == start else last


@kernel
def _contraction(data: Bytes, i: int, end: int, any_case: bool) -> int:
    """Bytes of the contraction behind an apostrophe (s t m d re ve ll), or 0. In any case, the long s U+017F is an s too."""
    fold = 0x20 if any_case else 0
    first = byte_at(data, i) | fold if i < end else 0
    second = byte_at(data, i + 1) | fold if i + 1 < end else 0
    if first == 115 or first == 116 or first == 109 or first == 100:
        return 1
    if (second == 101 and (first == 114 or first == 118)) or (first == 108 and second == 108):
        return 2
    return 2 if any_case and i + 1 < end and data[i] == 0xC5 and data[i + 1] == 0xBF else 0
