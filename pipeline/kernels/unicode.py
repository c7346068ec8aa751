"""Characters in UTF-8: what is white space, what ends a line, and the classes of code points the rules ask for.

WHITE SPACE, and with it WORD, is defined once, here, for every rule of the pipeline: white space is what `str.split()`
splits at (Unicode's White_Space property and the separators U+001C to U+001F), and a word is a longest run of other
characters. So U+00A0 and U+3000 part words; U+200B doesn't. A LINE END is what `str.splitlines()` breaks at; every one
of them is white space. Lengths are counted in code points wherever a rule speaks of characters.

A kernel goes through a text byte by byte, skips continuation bytes and looks the character up in one table of classes:
white space is the bit SPACE, a line end the bit LINE. The step to the next byte must not wait for what was read (a width
taken from the lead byte), or the loop runs four times slower.

Classes come from the Unicode database of the running Python. Code points from U+33000 on (private use, tags, variation
selectors) have no class: no letter, digit, white space or mark of the end of a sentence lies there.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import first_of, line_ends, load8

#: Bits of a class. LETTER: `str.isalpha`. ALNUM: `str.isalnum`. DIGIT: category Nd. SYMBOL: categories P*, S* and C*.
#: SPACE, LINE: see above.
#: TERM: letters, marks and numbers (L*, M*, N*), what `ngrams` makes its words of. END: Unicode's Sentence_Terminal.
LETTER, ALNUM, DIGIT, SYMBOL, TERM, END, SPACE, LINE = 1, 2, 4, 8, 16, 32, 64, 128

#: Code points that have a class or a lower case.
TABLE_SIZE = 0x33000

#: Sentence_Terminal of Unicode 16's PropList.txt, as first and last code points; 0 stands for "the same as the first".
_SENTENCE_ENDS = (
    (0x21, 0), (0x2E, 0), (0x3F, 0), (0x589, 0), (0x61D, 0x61F), (0x6D4, 0), (0x700, 0x702), (0x7F9, 0), (0x837, 0),
    (0x839, 0), (0x83D, 0x83E), (0x964, 0x965), (0x104A, 0x104B), (0x1362, 0), (0x1367, 0x1368), (0x166E, 0),
    (0x1735, 0x1736), (0x17D4, 0x17D5), (0x1803, 0), (0x1809, 0), (0x1944, 0x1945), (0x1AA8, 0x1AAB), (0x1B4E, 0x1B4F),
    (0x1B5A, 0x1B5B), (0x1B5E, 0x1B5F), (0x1B7D, 0x1B7F), (0x1C3B, 0x1C3C), (0x1C7E, 0x1C7F), (0x2024, 0),
    (0x203C, 0x203D), (0x2047, 0x2049), (0x2CF9, 0x2CFB), (0x2E2E, 0), (0x2E3C, 0), (0x2E53, 0x2E54), (0x2E60, 0x2E61),
    (0x3002, 0), (0xA4FF, 0), (0xA60E, 0xA60F), (0xA6F3, 0), (0xA6F7, 0), (0xA876, 0xA877), (0xA8CE, 0xA8CF), (0xA92F, 0),
    (0xA9C8, 0xA9C9), (0xAA5D, 0xAA5F), (0xAAF0, 0xAAF1), (0xABEB, 0), (0xFE12, 0), (0xFE15, 0xFE16), (0xFE52, 0),
    (0xFE56, 0xFE57), (0xFF01, 0), (0xFF0E, 0), (0xFF1F, 0), (0xFF61, 0), (0x10A56, 0x10A57), (0x10F55, 0x10F59),
    (0x10F86, 0x10F89), (0x11047, 0x11048), (0x110BE, 0x110C1), (0x11141, 0x11143), (0x111C5, 0x111C6), (0x111CD, 0),
    (0x111DE, 0x111DF), (0x11238, 0x11239), (0x1123B, 0x1123C), (0x112A9, 0), (0x113D4, 0x113D5), (0x1144B, 0x1144C),
    (0x115C2, 0x115C3), (0x115C9, 0x115D7), (0x11641, 0x11642), (0x1173C, 0x1173E), (0x11944, 0), (0x11946, 0),
    (0x11A42, 0x11A43), (0x11A9B, 0x11A9C), (0x11C41, 0x11C42), (0x11EF7, 0x11EF8), (0x11F43, 0x11F44), (0x16A6E, 0x16A6F),
    (0x16AF5, 0), (0x16B37, 0x16B38), (0x16B44, 0), (0x16D6E, 0x16D6F), (0x16E98, 0), (0x1BC9F, 0), (0x1DA88, 0),
)  # fmt: skip


@lru_cache(maxsize=1)
def classes() -> Bytes:
    """uint8[TABLE_SIZE]: the class bits of every code point."""
    table = np.fromiter((_class_of(chr(point)) for point in range(TABLE_SIZE)), np.uint8, TABLE_SIZE)
    for first, last in _SENTENCE_ENDS:
        table[first : (last or first) + 1] |= END
    table.flags.writeable = False
    return table


def _class_of(char: str) -> int:
    category = unicodedata.category(char)
    bits = LETTER * char.isalpha() | ALNUM * char.isalnum() | DIGIT * (category == "Nd")
    bits |= SYMBOL * (category[0] in "PSC") | TERM * (category[0] in "LMN")
    return bits | SPACE * char.isspace() | LINE * (len(f"{char}.".splitlines()) == 2)


@lru_cache(maxsize=1)
def lowercase() -> npt.NDArray[np.int32]:
    """int32[TABLE_SIZE]: the simple lower case of every code point (itself where `str.lower` gives several characters)."""
    lowered = (chr(point).lower() for point in range(TABLE_SIZE))
    table = np.fromiter((ord(c) if len(c) == 1 else point for point, c in enumerate(lowered)), np.int32, TABLE_SIZE)
    table.flags.writeable = False
    return table


@kernel
def byte_at(data: Bytes, i: int | np.uint8) -> int:
    """The byte at `i` as a number that can be computed with."""
    return np.int64(data[np.uint64(i)])  # type: ignore[return-value]  # to Numba they are one; unsigned: see `copy_bytes`


@kernel
def wide_point(data: Bytes, i: int, end: int) -> int:
    """The code point of the character of two or more bytes that starts at `i`; 0 when `end` cuts it short."""
    first = byte_at(data, i)
    width = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if i + width > end:
        return 0
    point = first & (0x7F >> width)
    for k in range(i + 1, i + width):
        point = point << 6 | byte_at(data, k) & 0x3F
    return point


@kernel
def class_at(table: Bytes, data: Bytes, i: int, end: int) -> int:
    """The class bits of the character that starts at `i`."""
    first = data[np.uint64(i)]
    if first < 0x80:
        return byte_at(table, first)
    point = wide_point(data, i, end)
    return byte_at(table, point) if point < TABLE_SIZE else 0


@kernel
def continues(data: Bytes, i: int) -> bool:
    """Whether the byte at `i` belongs to a character that started before it."""
    return bool(data[np.uint64(i)] & 0xC0 == 0x80)


@kernel
def is_general_punctuation(data: Bytes, i: int, end: int, third: int) -> bool:
    """Whether the character at `i` is one of U+2000 to U+203F, given by its third byte: "…" for 0xA6, "•" for 0xA2."""
    return data[i] == 0xE2 and i + 2 < end and data[i + 1] == 0x80 and data[i + 2] == third


@kernel
def char_count(data: Bytes, start: int, end: int) -> int:
    """Code points in data[start:end]."""
    count = 0
    for i in range(np.uint64(start), np.uint64(end)):  # as in `copy_bytes`
        count += data[i] & 0xC0 != 0x80
    return count


@kernel
def count_byte(data: Bytes, start: int, end: int, byte: int) -> int:
    """How often a byte occurs in data[start:end]."""
    count = 0
    for i in range(np.uint64(start), np.uint64(end)):
        count += data[i] == byte
    return count


@kernel
def copy_bytes(source: Bytes, start: int, end: int, target: Bytes, at: int) -> None:
    """Write source[start:end] to `target` from `at` on.

    An unsigned index can't count from the end. Without the check for that, loops as simple as this run many bytes at a time.
    """
    first, goal = np.uint64(start), np.uint64(at)
    for k in range(np.uint64(end - start)):
        target[goal + k] = source[first + k]


@kernel
def line_stop(table: Bytes, data: Bytes, start: int, end: int) -> int:
    """Where the line that begins at `start` stops: at its line end, or at `end`."""
    i = start
    while i < end:
        if i + 8 <= len(data):
            step = first_of(line_ends(load8(data, i)))
            if step:
                i += step
                continue
        if not continues(data, i) and class_at(table, data, i, end) & LINE:
            return i
        i += 1
    return end


@kernel
def next_line(data: Bytes, stop: int, end: int) -> int:
    """Where the line after the line end at `stop` begins; "\r\n" is one line end."""
    if stop >= end:
        return end
    if data[stop] < 0x80:
        return stop + 2 if data[stop] == 13 and stop + 1 < end and data[stop + 1] == 10 else stop + 1
    return min(end, stop + (2 if data[stop] < 0xE0 else 3))


@kernel
def strip(table: Bytes, data: Bytes, start: int, end: int) -> tuple[int, int]:
    """The bounds of data[start:end] without the white space around it (start == end when there is nothing else)."""
    while start < end and class_at(table, data, start, end) & SPACE:
        start += 1
        while start < end and continues(data, start):
            start += 1
    while end > start:
        last = end - 1
        while last > start and continues(data, last):
            last -= 1
        if not class_at(table, data, last, end) & SPACE:
            break
        end = last
    return start, end
