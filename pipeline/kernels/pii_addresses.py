"""E-mail and IP addresses in a text, told at the byte that gives them away. The rules: see `pipeline.filters.pii`.

Each function gives the end of what it found, or 0. What it looks at is bounded, so that any text is gone through in one go.
"""

from __future__ import annotations

import string

from pipeline.kernels.arrow import Bytes
from pipeline.kernels.bytesets import (
    ALNUMS,
    DIGITS,
    HEXES,
    LETTERS,
    WORDS,
    byte_set,
    is_at,
    letters,
    may_start,
    number_at,
    run_end,
    run_start,
)
from pipeline.kernels.compiled import kernel
from pipeline.kernels.phrases import lower
from pipeline.kernels.unicode import byte_at

#: Characters of the part before the "@", and of those it may begin with.
_LOCAL, _LOCAL_FIRST = byte_set(string.ascii_letters + string.digits + "._%+-"), WORDS
_LABEL = byte_set(string.ascii_letters + string.digits + "-")
_MOST_LOCAL, _MOST_LABEL, _MOST_DOMAIN, _MOST_TOP = 64, 63, 253, 24

#: Endings of file names that are no top-level domains: "icon@2x.png", "Lato@400.css".
_SUFFIXES = letters(
    " png jpg jpeg jpe gif svg webp avif bmp ico tif tiff css scss sass less js mjs cjs jsx ts tsx json html htm xhtml php asp aspx jsp"
    " xml yaml yml toml txt pdf doc docx xls xlsx csv mp3 mp4 webm wav ogg woff ttf otf eot exe dll tar gz tgz whl jar "
)
#: Kept for documentation (RFC 2606, RFC 6761): second-level names below com, net and org, and top-level names.
_EXAMPLE = letters("example")
_RESERVED = letters(" example test invalid localhost ")
_OF_EXAMPLE = letters(" com net org ")
#: Names before an "@" that are no mailbox: of repositories, and of Kotlin's labels ("this@Outer.field").
_NO_MAILBOX = letters(" git this super ")

#: Words before a dotted number that make it a version.
_VERSIONS = letters(" v ver version versions release build ")
_BEFORE_NUMBER = byte_set(" .:=\"'(")
_MOST_BEFORE, _LONGEST_VERSION = 4, 8
#: Four numbers that are all below this are a version or a section; of all addresses only one in 4,096 looks so.
_SMALL = 32


@kernel
def email_start(data: Bytes, floor: int, at: int) -> int:
    """Where the local part before the "@" at `at` starts, or `at` when there is none."""
    first = run_start(data, max(floor, at - _MOST_LOCAL - 1), at, _LOCAL)
    if at - first > _MOST_LOCAL or (at > first and data[at - 1] == 46):
        return at
    for i in range(at - 1, first, -1):
        if data[i] == 46 and data[i - 1] == 46:
            first = i
            break
    while first < at and not _LOCAL_FIRST[data[first]]:
        first += 1
    return first


@kernel
def email_end(data: Bytes, start: int, at: int, end: int) -> int:
    """The end of the address whose local part is data[start:at], or 0."""
    if start == at:
        return 0
    last = min(end, at + 1 + _MOST_DOMAIN)
    found, top, label = 0, 0, at + 1
    while label < last and _LABEL[data[label]]:
        stop = run_end(data, label, last, _LABEL)
        ending = run_end(data, label, stop, LETTERS)
        if label > at + 1 and 2 <= ending - label <= _MOST_TOP and not is_at(data, ending, end, WORDS):
            found, top = ending, label
        if stop - label > _MOST_LABEL or data[label] == 45 or data[stop - 1] == 45 or stop == last or data[stop] != 46:
            break
        label = stop + 1
    return 0 if not found or _leads_nowhere(data, start, at, top, found) else found


@kernel
def _leads_nowhere(data: Bytes, start: int, at: int, top: int, stop: int) -> bool:
    """Whether an address is a name of something else (a file, a repository), or kept for documentation."""
    if _in_list(data, start, at, _NO_MAILBOX) or _in_list(data, top, stop, _SUFFIXES) or _in_list(data, top, stop, _RESERVED):
        return True
    second = run_start(data, at + 1, top - 1, _LABEL)
    return top - 1 - second == len(_EXAMPLE) and _is_word(data, second, top - 1, _EXAMPLE, 0) and _in_list(data, top, stop, _OF_EXAMPLE)


@kernel
def _in_list(data: Bytes, start: int, stop: int, listed: Bytes) -> bool:
    """Whether data[start:stop], in lower case, is one of the words of a list with a space around each."""
    length = stop - start
    for i in range(len(listed) - length - 1):
        if listed[i] == 32 and listed[i + 1 + length] == 32 and _is_word(data, start, stop, listed, i + 1):
            return True
    return False


@kernel
def _is_word(data: Bytes, start: int, stop: int, wanted: Bytes, at: int) -> bool:
    same = 0
    while start + same < stop and lower(byte_at(data, start + same)) == wanted[at + same]:
        same += 1
    return start + same == stop


@kernel
def ipv4_end(data: Bytes, floor: int, start: int, end: int) -> int:
    """The end of the public IPv4 address that starts with the digit at `start`, or 0."""
    i, address, largest = start, 0, 0
    for part in range(4):
        if part:
            if not (i < end and data[i] == 46):
                return 0
            i += 1
        stop = run_end(data, i, min(end, i + 4), DIGITS)
        value = number_at(data, i, stop)
        if stop == i or stop - i > 3 or value > 255 or (stop - i > 1 and data[i] == 48):
            return 0
        address, largest, i = address << 8 | value, max(largest, value), stop
    if is_at(data, i, end, WORDS) or (i + 1 < end and _goes_on(data, i)):
        return 0
    if largest < _SMALL or not _is_public(address) or _after_version(data, floor, start):
        return 0
    return i


@kernel
def _goes_on(data: Bytes, i: int) -> bool:
    """Whether a version goes on after four numbers: 1.2.3.4.5, 1.2.3.4.tar, 1.2.3.4-beta."""
    return bool((data[i] == 46 and ALNUMS[data[i + 1]]) or (data[i] == 45 and LETTERS[data[i + 1]]))


@kernel
def _is_public(address: int) -> bool:
    """Whether an IPv4 address is one of the Internet's: the others are IANA's special-purpose blocks (RFC 6890)."""
    top = address >> 24
    if top == 0 or top == 10 or top == 127 or top >= 224:
        return False
    if address >> 22 == 100 << 2 | 1 or address >> 20 == 172 << 4 | 1 or address >> 17 == (198 << 8 | 18) >> 1:
        return False
    pair, net = address >> 16, address >> 8
    if pair == 169 << 8 | 254 or pair == 192 << 8 | 168:
        return False
    return not (net == 192 << 16 or net == 192 << 16 | 2 or net == (198 << 16 | 51 << 8 | 100) or net == (203 << 16 | 113))


@kernel
def _after_version(data: Bytes, floor: int, start: int) -> bool:
    stop = run_start(data, max(floor, start - _MOST_BEFORE), start, _BEFORE_NUMBER)
    first = run_start(data, max(floor, stop - _LONGEST_VERSION - 1), stop, LETTERS)
    return first < stop and _in_list(data, first, stop, _VERSIONS)


@kernel
def ipv6_end(data: Bytes, floor: int, start: int, end: int) -> int:
    """The end of the public IPv6 address that starts with the digit at `start`, or 0.

    What the Internet has given out starts with 2 or 3; documentation (2001:db8::/32, 3fff::/20) and protocols
    (2001::/23) have blocks in it.
    """
    if byte_at(data, start) >> 1 != 25 or (start > floor and data[start - 1] == 58):
        return 0
    i, groups, gap, first, second = start, 0, -1, 0, 0
    while True:
        stop = run_end(data, i, min(end, i + 5), HEXES)
        if stop == i or stop - i > 4 or groups == 8 or (not groups and stop - i < 4):
            return 0
        value = _hex_at(data, i, stop)
        first, second = (value, second) if groups == 0 else (first, value if groups == 1 and gap < 0 else second)
        groups, i = groups + 1, stop
        if not (i < end and data[i] == 58):
            break
        i += 1
        if i < end and data[i] == 58:
            if gap >= 0:
                return 0
            gap, i = groups, i + 1
    whole = groups == 8 if gap < 0 else groups < 8
    if not whole or is_at(data, i, end, WORDS) or (i < end and data[i] == 46 and is_at(data, i + 1, end, DIGITS)):
        return 0
    reserved = first == 0x2001 and (second < 0x200 or second == 0xDB8)
    return 0 if reserved or (first == 0x3FFF and second < 0x1000) else i


@kernel
def _hex_at(data: Bytes, i: int, stop: int) -> int:
    value = 0
    for k in range(i, stop):
        byte = byte_at(data, k)
        value = value << 4 | (byte - 48 if byte < 58 else (byte | 32) - 87)
    return value


@kernel
def ip_end(data: Bytes, floor: int, start: int, end: int) -> int:
    """The end of the public address that starts with the digit at `start`, or 0."""
    if not may_start(data, floor, start):
        return 0
    stop = ipv4_end(data, floor, start, end)
    return stop if stop else ipv6_end(data, floor, start, end)
