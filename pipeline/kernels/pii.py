"""Personal data in texts: where it stands, and the texts with something else in its place. The rules: see `pipeline.filters.pii`.

Most bytes are passed over with one look into a table of 256. A byte that may give something away ("@", the first digit of
a number, "-", "A" ...) is looked at closely, by functions that read a bounded piece of text around it.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints, Texts, encoded
from pipeline.kernels.bytesets import DIGITS, byte_set
from pipeline.kernels.compiled import kernel
from pipeline.kernels.pii_addresses import email_end, email_start, ip_end
from pipeline.kernels.pii_keys import assigned_key, capital_key, hyphen_key, private_key_end, underscore_key, web_token
from pipeline.kernels.pii_numbers import american_phone_end, card_end, iban_end, international_phone_end
from pipeline.kernels.unicode import copy_bytes

#: The kinds of personal data, by the numbers that spans have.
KINDS = ("email", "ip", "phone", "card", "iban", "api_key", "private_key")
EMAIL, IP, PHONE, CARD, IBAN, API_KEY, PRIVATE_KEY = range(7)

_ALNUMS, _ANY = string.ascii_letters + string.digits, "".join(map(chr, range(128)))


def _but(members: str) -> str:
    return "".join(char for char in _ANY if char not in members)


#: What gives personal data away: a byte, what of ASCII may stand before it, what may stand after it, and the kinds.
_SIGNS = (
    ("@", _ALNUMS + "_%+-", _ALNUMS, (EMAIL,)),
    (string.digits, _but(string.digits + string.ascii_lowercase + "_.-"), string.hexdigits + ". -(", (IP, PHONE, CARD, IBAN)),
    ("+(", _but(_ALNUMS + "_.-"), string.digits, (PHONE,)),
    ("A", _but(_ALNUMS + "_.-"), "KSI", (API_KEY,)),
    ("J", "y", _ALNUMS + "-_", (API_KEY,)),
    ("_", "bkoprsu", _ALNUMS, (API_KEY,)),
    ("-", _but(string.digits + "_.-"), _ALNUMS + "-_", (API_KEY, PRIVATE_KEY)),
    ("=:", "yntYNT\"'` \t", "\"'`= \t>", (API_KEY,)),
)
#: Nothing that is found is shorter than this ("a@b.cc").
_SHORTEST = 6


class Spans(NamedTuple):
    """What was found, in the order of the texts: span k is data[bounds[k, 0]:bounds[k, 1]] of `kinds[k]`, in `rows[k]`."""

    rows: Ints
    bounds: Ints
    kinds: Ints


def find(column: Texts, kinds: Collection[str] = KINDS) -> Spans:
    """Personal data of some kinds in each text: no two spans overlap, and what starts first goes first.

    Where several kinds fit one place, an IBAN goes before an IP address, a card and a telephone number. Raises KeyError
    for a kind that isn't known.
    """
    asked = np.zeros(len(KINDS), np.uint8)
    for kind in kinds:
        asked[{name: at for at, name in enumerate(KINDS)}[kind]] = 1
    most = int(column.offsets[-1] - column.offsets[0]) // _SHORTEST + 1
    found = np.empty((most, 4), np.int64)  # pages that nothing is written to take no memory
    number = _find(column.offsets, column.data, _signs(asked), asked, found)
    return Spans(found[:number, 0].copy(), found[:number, 1:3].copy(), found[:number, 3].copy())


def _signs(asked: Bytes) -> Bytes:
    """uint8[3, 256]: a bit for each sign, where a byte is it, may stand before it and may stand after it."""
    table = np.zeros((3, 256), np.uint8)
    for number, (signs, before, after, kinds) in enumerate(_SIGNS):
        for place, members in enumerate((signs if asked[list(kinds)].any() else "", before, after)):
            table[place] |= np.uint8(1 << number) * byte_set(members)
    table[1, 128:] = 255
    return table


def replace(column: Texts, spans: Spans, placeholders: Sequence[str]) -> tuple[Ints, Bytes]:
    """The texts as (offsets, bytes) with the placeholder of its kind in the place of each span."""
    put = encoded([*placeholders])
    lengths = np.diff(put.offsets)[spans.kinds]
    growth = np.zeros(column.rows, np.int64)
    np.add.at(growth, spans.rows, lengths - (spans.bounds[:, 1] - spans.bounds[:, 0]))
    offsets = np.concatenate([[0], np.cumsum(np.diff(column.offsets) + growth)])
    data = np.empty(offsets[-1], np.uint8)
    _replace(column.offsets[0], column.offsets[-1], column.data, spans.bounds, spans.kinds, put.offsets, put.data, data)
    return offsets, data


@kernel
def _find(offsets: Ints, data: Bytes, signs: Bytes, asked: Bytes, found: Ints) -> int:
    """Fill `found` with (row, start, stop, kind); return how many."""
    number = 0
    for row in range(len(offsets) - 1):
        floor, end = offsets[row], offsets[row + 1]
        i = floor
        while i < end:
            sign = signs[0, data[np.uint64(i)]]
            if not sign:
                i += 1
                continue
            if (i > floor and not sign & signs[1, data[i - 1]]) or i + 1 == end or not sign & signs[2, data[i + 1]]:
                i += 1
                continue
            kind, start, stop = _at_sign(data, floor, i, end, asked)
            if stop:
                found[number, 0], found[number, 1], found[number, 2], found[number, 3] = row, start, stop, kind
                number += 1
                floor = stop
            i = max(i + 1, stop)
    return number


@kernel
def _at_sign(data: Bytes, floor: int, i: int, end: int, asked: Bytes) -> tuple[int, int, int]:
    """Kind, start and stop of what the byte at `i` gives away; a stop of 0 when it is nothing."""
    if DIGITS[data[i]]:
        return _at_digit(data, floor, i, end, asked)
    byte = data[i]
    if byte == 64:
        start = email_start(data, floor, i)
        return EMAIL, start, email_end(data, start, i, end)
    if byte == 40 or byte == 43:
        return PHONE, i, american_phone_end(data, floor, i, end) if byte == 40 else international_phone_end(data, floor, i, end)
    if byte == 45 and asked[PRIVATE_KEY]:
        stop = private_key_end(data, floor, i, end)
        if stop:
            return PRIVATE_KEY, i, stop
    return _at_key(data, floor, i, end, asked)


@kernel
def _at_digit(data: Bytes, floor: int, i: int, end: int, asked: Bytes) -> tuple[int, int, int]:
    stop = 0
    if i > floor and DIGITS[data[i - 1]]:
        return 0, 0, 0
    if asked[IBAN]:
        stop = iban_end(data, floor, i - 2, end)
        if stop:
            return IBAN, i - 2, stop
    if asked[IP]:
        stop = ip_end(data, floor, i, end)
        if stop:
            return IP, i, stop
    if asked[CARD]:
        stop = card_end(data, floor, i, end)
        if stop:
            return CARD, i, stop
    return PHONE, i, american_phone_end(data, floor, i, end) if asked[PHONE] else 0


@kernel
def _at_key(data: Bytes, floor: int, i: int, end: int, asked: Bytes) -> tuple[int, int, int]:
    start, stop, byte = i, 0, data[i]
    if not asked[API_KEY]:
        return 0, 0, 0
    if byte == 65:
        stop = capital_key(data, floor, i, end)
    elif byte == 74:
        start, stop = web_token(data, floor, i, end)
    elif byte == 95:
        start, stop = underscore_key(data, floor, i, end)
    elif byte == 45:
        start, stop = hyphen_key(data, floor, i, end)
    else:
        start, stop = assigned_key(data, floor, i, end)
    return API_KEY, start, stop


@kernel
def _replace(begin: int, end: int, data: Bytes, bounds: Ints, kinds: Ints, put_offsets: Ints, put: Bytes, out: Bytes) -> None:
    size = 0
    for span in range(len(kinds)):
        first, last = put_offsets[kinds[span]], put_offsets[kinds[span] + 1]
        copy_bytes(data, begin, bounds[span, 0], out, size)
        size += bounds[span, 0] - begin
        copy_bytes(put, first, last, out, size)
        size += last - first
        begin = bounds[span, 1]
    copy_bytes(data, begin, end, out, size)
