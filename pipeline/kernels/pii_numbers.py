"""Payment cards, IBANs and telephone numbers in a text, told by length, ranges and checksums. The rules: see `pipeline.filters.pii`.

Each function gives the end of what it found, or 0. What it looks at is bounded, so that any text is gone through in one go.
"""

from __future__ import annotations

import string

import numpy as np

from pipeline.kernels.arrow import Bytes
from pipeline.kernels.bytesets import DIGITS, UPPERS, WORDS, byte_set, is_at, letters, may_start, number_at, run_end, stands_at
from pipeline.kernels.compiled import kernel
from pipeline.kernels.unicode import byte_at

_UPPER_ALNUMS = byte_set(string.ascii_uppercase + string.digits)
#: Before none of these a card or a telephone number starts: sums of money, paths, differences, names.
_NO_NUMBER_AFTER = byte_set("/+$#@")
#: What follows a number directly when it is no number.
_NO_NUMBER_BEFORE = byte_set(string.ascii_letters + string.digits + "_@")
_GROUPING, _SPACE_HYPHEN, _OPEN, _CLOSE = byte_set(" .-"), byte_set(" -"), byte_set("("), byte_set(")")
_ZEROS = letters("00")
_MOST_CARD, _LEAST_CARD = 19, 13
_LEAST_PHONE, _MOST_PHONE = 9, 15

#: Lengths of an IBAN by country (ISO 13616).
_IBAN_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ DZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA",
    30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
#: Country codes (ITU-T E.164), first and last of each block: of one or two digits, and of three.
_SHORT_CODES = ((1, 1), (7, 7), (20, 20), (27, 27), (30, 34), (36, 36), (39, 41), (43, 49), (51, 58), (60, 66), (81, 82), (84, 84),
                (86, 86), (90, 95), (98, 98))  # fmt: skip
_LONG_CODES = ((211, 213), (216, 216), (218, 218), (220, 258), (260, 269), (290, 291), (297, 299), (350, 359), (370, 383),
               (385, 387), (389, 389), (420, 421), (423, 423), (500, 509), (590, 599), (670, 670), (672, 683), (685, 692),
               (850, 850), (852, 853), (855, 856), (880, 880), (886, 886), (960, 968), (970, 977), (992, 996), (998, 998))  # fmt: skip


def _iban_lengths() -> Bytes:
    """uint8[26 * 26]: the length of a country's IBANs, 0 where it has none."""
    table = np.zeros(26 * 26, np.uint8)
    for length, countries in _IBAN_LENGTHS.items():
        for country in countries.split():
            table[(ord(country[0]) - 65) * 26 + ord(country[1]) - 65] = length
    return table


def _code_lengths() -> Bytes:
    """uint8[1000]: the digits of the country code that three digits begin with, 0 where there is none."""
    table = np.zeros(1000, np.uint8)
    for first, last in (*_SHORT_CODES, *_LONG_CODES):
        digits = len(str(first))
        follow = 10 ** (3 - digits)
        table[first * follow : (last + 1) * follow] = digits
    return table


_LENGTH_OF_IBAN, _LENGTH_OF_CODE = _iban_lengths(), _code_lengths()


@kernel
def number_may_start(data: Bytes, floor: int, i: int) -> bool:
    """Whether a card or a telephone number may start at `i`."""
    return may_start(data, floor, i) and (i == floor or not _NO_NUMBER_AFTER[data[i - 1]])


@kernel
def _stands_alone(data: Bytes, stop: int, end: int) -> bool:
    """Whether neither a word nor, after "." or "-", another digit goes on at `stop`."""
    if is_at(data, stop, end, _NO_NUMBER_BEFORE):
        return False
    return not (stop < end and (data[stop] == 45 or data[stop] == 46) and is_at(data, stop + 1, end, DIGITS))


@kernel
def card_end(data: Bytes, floor: int, start: int, end: int) -> int:
    """The end of the card number that starts with the digit at `start`, or 0.

    Thirteen to nineteen digits in one, or 4-4-4-4, 4-6-4 or 4-6-5 between single spaces or hyphens.
    """
    if not number_may_start(data, floor, start):
        return 0
    stop = run_end(data, start, min(end, start + _MOST_CARD + 1), DIGITS)
    if stop - start == 4:
        stop = _grouped(data, floor, start, end)
    if not _LEAST_CARD <= stop - start <= _MOST_CARD or not _stands_alone(data, stop, end):
        return 0
    return stop if _is_card(data, start, stop) else 0


@kernel
def _grouped(data: Bytes, floor: int, start: int, end: int) -> int:
    """Where a card's groups end, the first of which is data[start:start + 4]; `start` when they are no card's."""
    i = start + 4
    if i >= end or (data[i] != 32 and data[i] != 45):
        return start
    mark = byte_at(data, i)
    if mark == 32 and start - floor >= 2 and data[start - 1] == 32 and DIGITS[data[start - 2]]:
        return start
    second = run_end(data, i + 1, min(end, i + 8), DIGITS)
    if second - i == 7:
        third = _group(data, second, end, mark)
        return third if third - second == 5 or third - second == 6 else start
    third = _group(data, second, end, mark)
    fourth = _group(data, third, end, mark)
    if second - i != 5 or third - second != 5 or fourth - third != 5:
        return start
    fifth = _group(data, fourth, end, mark)
    column = fifth - fourth == 5 and not is_at(data, fifth, end, WORDS) and not (fifth < end and data[fifth] in (45, 46, 58))
    return start if column else fourth


@kernel
def _group(data: Bytes, i: int, end: int, mark: int) -> int:
    """Where the digits (no more than six are looked at) after the mark at `i` end; `i` when it isn't there."""
    if i >= end or data[i] != mark:
        return i
    return run_end(data, i + 1, min(end, i + 7), DIGITS)


@kernel
def _is_card(data: Bytes, start: int, stop: int) -> bool:
    """Whether the digits of data[start:stop] begin and are as many as an issuer's, and have Luhn's checksum."""
    first, length, total = 0, 0, 0
    for i in range(start, stop):
        if DIGITS[data[i]]:
            first = first * 10 + byte_at(data, i) - 48 if length < 4 else first
            length += 1
    place = length
    for i in range(start, stop):
        if DIGITS[data[i]]:
            digit = byte_at(data, i) - 48
            doubled = 2 * digit - (9 if digit > 4 else 0)
            total += digit if place % 2 else doubled
            place -= 1
    return total % 10 == 0 and _is_issued(first, length)


@kernel
def _is_issued(first: int, length: int) -> bool:
    """Whether an issuer has numbers of this length that begin with these four digits (ISO/IEC 7812)."""
    one, two, three = first // 1000, first // 100, first // 10
    if one == 4:  # Visa
        return length == 13 or length == 16 or length == 19
    if two == 34 or two == 37:  # American Express
        return length == 15
    if 51 <= two <= 55 or 2221 <= first <= 2720:  # Mastercard
        return length == 16
    if two == 36:  # Diners Club
        return 14 <= length <= 19
    if 300 <= three <= 305 or three == 309 or two == 38 or two == 39 or 3528 <= first <= 3589:  # Diners Club, JCB
        return length >= 16 or (length == 14 and two != 35)
    if first == 6011 or two == 65 or 644 <= three <= 649 or two == 62:  # Discover, UnionPay
        return length >= 16
    maestro = first == 5018 or first == 5020 or first == 5038 or first == 5893 or first == 6304 or first == 6759
    return length >= 16 and (maestro or 6761 <= first <= 6763)


@kernel
def iban_end(data: Bytes, floor: int, start: int, end: int) -> int:
    """The end of the IBAN whose country's letters stand at `start`, in one or in groups of four, or 0."""
    if start < floor or start + 15 > end or not may_start(data, floor, start) or not (UPPERS[data[start]] and UPPERS[data[start + 1]]):
        return 0
    length = byte_at(_LENGTH_OF_IBAN, (byte_at(data, start) - 65) * 26 + byte_at(data, start + 1) - 65)
    if not length or not (DIGITS[data[start + 2]] and DIGITS[data[start + 3]]):
        return 0
    spaced = data[start + 4] == 32
    stop = start + length + ((length - 1) // 4 if spaced else 0)
    if stop > end or is_at(data, stop, end, WORDS):
        return 0
    rest = 0
    for i in range(start + 4, stop + 4):
        at = i if i < stop else start + i - stop  # country and check digits come last
        if i < stop and spaced and (at - start) % 5 == 4:
            if data[at] != 32:
                return 0
            continue
        if not _UPPER_ALNUMS[data[at]]:
            return 0
        byte = byte_at(data, at)
        rest = (rest * 10 + byte - 48 if byte < 58 else rest * 100 + byte - 55) % 97
    return stop if rest == 1 else 0


@kernel
def american_phone_end(data: Bytes, floor: int, start: int, end: int) -> int:
    """The end of a North American number at `start`, or 0: 415-555-2671, (415) 555-2671, with or without a 1 before it."""
    if not number_may_start(data, floor, start):
        return 0
    i, mark = start, 0
    if data[i] == 49:
        i += 1
        if is_at(data, i, end, _GROUPING):
            mark = byte_at(data, i)
            i += 1
        elif not is_at(data, i, end, _OPEN):
            return 0
    if is_at(data, i, end, _OPEN):
        line = _area_in_parentheses(data, i, end)
        return _line_end(data, line, end, 0, True) if line else 0
    area = _code_end(data, i, end)
    if not area or area == end or (data[area] != 45 and data[area] != 46) or (mark and mark != 32 and mark != data[area]):
        return 0
    return _line_end(data, area + 1, end, byte_at(data, area), True)


@kernel
def _after_one(data: Bytes, i: int, end: int) -> int:
    """The end of the North American number that goes on at `i`, after "+1", or 0."""
    i += is_at(data, i, end, _CLOSE)
    i += is_at(data, i, end, _GROUPING)
    if is_at(data, i, end, _OPEN):
        line = _area_in_parentheses(data, i, end)
    else:
        line = _code_end(data, i, end)
        line += line > 0 and is_at(data, line, end, _GROUPING)
    return _line_end(data, line, end, 0, False) if line else 0


@kernel
def _area_in_parentheses(data: Bytes, i: int, end: int) -> int:
    """Where the exchange starts after the area code in the parentheses at `i`, or 0."""
    area = _code_end(data, i + 1, end)
    if not area or not is_at(data, area, end, _CLOSE):
        return 0
    return area + 1 + is_at(data, area + 1, end, _SPACE_HYPHEN)


@kernel
def _line_end(data: Bytes, exchange: int, end: int, mark: int, parted: bool) -> int:
    """The end of the exchange code at `exchange` and the four digits after it, or 0; `mark`, when it isn't 0, parts the two.

    The lines 555-0100 to 555-0199 are kept for fiction.
    """
    i = _code_end(data, exchange, end)
    if not i or i == end:
        return 0
    marked = is_at(data, i, end, _GROUPING)
    if (parted and not marked) or (mark and data[i] != mark):
        return 0
    i += marked
    stop = run_end(data, i, min(end, i + 5), DIGITS)
    if stop - i != 4 or not _stands_alone(data, stop, end):
        return 0
    return 0 if number_at(data, exchange, exchange + 3) == 555 and data[i] == 48 and data[i + 1] == 49 else stop


@kernel
def _code_end(data: Bytes, i: int, end: int) -> int:
    """The end of an area or exchange code at `i` (2 to 9 first, not N11), or 0."""
    if run_end(data, i, min(end, i + 3), DIGITS) - i != 3 or byte_at(data, i) < 50:
        return 0
    return 0 if data[i + 1] == 49 and data[i + 2] == 49 else i + 3


@kernel
def international_phone_end(data: Bytes, floor: int, start: int, end: int) -> int:
    """The end of the number in international form that starts with the "+" at `start`, or 0."""
    i = start + 1
    if not number_may_start(data, floor, start) or not is_at(data, i, end, DIGITS):
        return 0
    stop = run_end(data, i, min(end, i + 3), DIGITS)
    code = number_at(data, i, stop) * (1 if stop - i == 3 else 10 if stop - i == 2 else 100)
    width = byte_at(_LENGTH_OF_CODE, code)
    if data[i] == 49:
        return _after_one(data, i + 1, end)
    if not width or width > stop - i or _is_year(data, i, end):
        return 0
    return _national_end(data, i + width, end, width)


@kernel
def _is_year(data: Bytes, i: int, end: int) -> bool:
    """Whether a year stands where Egypt's code would: "+2024-05-01" in a difference of two files."""
    return data[i] == 50 and data[i + 1] == 48 and run_end(data, i, min(end, i + 5), DIGITS) - i == 4


@kernel
def _national_end(data: Bytes, i: int, end: int, digits: int) -> int:
    """Where the groups after a country code end, as many as fit into fifteen digits; 0 when they are too few, or a decimal."""
    i += is_at(data, i, end, _CLOSE)
    inside = i + is_at(data, i, end, _SPACE_HYPHEN)
    if is_at(data, inside, end, _OPEN):
        i = run_end(data, inside + 1, min(end, inside + 6), DIGITS)
        if i == inside + 1 or not is_at(data, i, end, _CLOSE):
            return 0
        digits, i = digits + i - inside - 1, i + 1
    elif stands_at(data, i + is_at(data, i, end, _GROUPING), end, _ZEROS):
        return 0
    stop, marks, dots = i, 0, 0
    while i < end:
        marked = is_at(data, i, end, _GROUPING)
        last = run_end(data, i + marked, min(end, i + marked + _MOST_PHONE + 1), DIGITS)
        if last == i + marked or digits + last - i - marked > _MOST_PHONE or is_at(data, last, end, _NO_NUMBER_BEFORE):
            break
        digits, marks, dots = digits + last - i - marked, marks + marked, dots + (marked and data[i] == 46)
        stop, i = last, last
    return 0 if digits < _LEAST_PHONE or (dots == 1 and marks == 1) else stop
