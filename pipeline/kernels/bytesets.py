"""Sets of ASCII bytes, and where a run of them ends: what the patterns of `pii` are spelt with.

No set has a byte of a character outside ASCII, so that such a character ends every pattern and stands beside any.
"""

from __future__ import annotations

import string

import numpy as np

from pipeline.kernels.arrow import Bytes
from pipeline.kernels.compiled import kernel
from pipeline.kernels.unicode import byte_at


def byte_set(members: str) -> Bytes:
    """uint8[256]: 1 for the characters of `members`; a kernel that names the array at module level compiles it in."""
    table = np.zeros(256, np.uint8)
    table[np.frombuffer(members.encode("ascii"), np.uint8)] = 1
    table.flags.writeable = False
    return table


def letters(text: str) -> Bytes:
    """uint8[...]: a few characters to compare with."""
    return np.frombuffer(text.encode("ascii"), np.uint8)


DIGITS = byte_set(string.digits)
UPPERS = byte_set(string.ascii_uppercase)
LETTERS = byte_set(string.ascii_letters)
ALNUMS = byte_set(string.ascii_letters + string.digits)
WORDS = byte_set(string.ascii_letters + string.digits + "_")
HEXES = byte_set(string.hexdigits)
#: White space, as far as it is ASCII.
BLANKS = byte_set(" \t\n\r\x0b\x0c")
#: Before none of these does a pattern start: it would be the end of a longer word, number, name or version.
_BEFORE = byte_set(string.ascii_letters + string.digits + "_.-")


@kernel
def run_end(data: Bytes, i: int, end: int, members: Bytes) -> int:
    """Where the run of `members` that starts at `i` ends (`i` when there is none)."""
    while i < end and members[data[np.uint64(i)]]:
        i += 1
    return i


@kernel
def run_start(data: Bytes, floor: int, i: int, members: Bytes) -> int:
    """Where the run of `members` that ends before `i` starts, not before `floor`."""
    while i > floor and members[data[np.uint64(i - 1)]]:
        i -= 1
    return i


@kernel
def stands_at(data: Bytes, i: int, end: int, wanted: Bytes) -> bool:
    """Whether data[i:end] starts with `wanted`."""
    same = 0
    while same < len(wanted) and i + same < end and data[i + same] == wanted[same]:
        same += 1
    return same == len(wanted)


@kernel
def is_at(data: Bytes, i: int, end: int, members: Bytes) -> bool:
    """Whether a byte of `members` stands at `i`."""
    return i < end and members[data[i]] != 0


@kernel
def number_at(data: Bytes, i: int, stop: int) -> int:
    """The number that the digits data[i:stop] write."""
    value = 0
    for k in range(i, stop):
        value = value * 10 + byte_at(data, k) - 48
    return value


@kernel
def may_start(data: Bytes, floor: int, i: int) -> bool:
    """Whether a pattern may start at `i`: at `floor`, where the text or what was found before ends, anything may."""
    return i == floor or (i > floor and not _BEFORE[data[i - 1]])
