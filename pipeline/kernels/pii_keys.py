"""Keys to services and private key blocks in a text, told by their prefixes. The rules: see `pipeline.filters.pii`.

A key is looked for at the byte of its prefix that is rarest in prose. Each function gives where the key starts and ends,
(0, 0) where there is none.
"""

from __future__ import annotations

import string

import numpy as np

from pipeline.kernels.arrow import Bytes
from pipeline.kernels.bytesets import (
    ALNUMS,
    DIGITS,
    LETTERS,
    WORDS,
    byte_set,
    is_at,
    letters,
    may_start,
    run_end,
    stands_at,
)
from pipeline.kernels.compiled import kernel
from pipeline.kernels.phrases import lower
from pipeline.kernels.unicode import byte_at

_WORDS_HYPHEN = byte_set(string.ascii_letters + string.digits + "_-")
_ALNUMS_HYPHEN = byte_set(string.ascii_letters + string.digits + "-")
_UPPER_ALNUMS = byte_set(string.ascii_uppercase + string.digits)
_BASE64 = byte_set(string.ascii_letters + string.digits + "+/=")
_VALUE = byte_set(string.ascii_letters + string.digits + "_+/=.~-")
_LABEL = byte_set(string.ascii_uppercase + string.digits + " ")
_QUOTES, _SPACES, _ARROW, _LINKS = byte_set("\"'`"), byte_set(" \t"), byte_set("=>"), byte_set("_- ")
_BLANK_OR_ESCAPE = byte_set(" \t\n\r\x0b\x0c\\")

_KIA, _SIA, _IZA, _EY, _EYJ = letters("KIA"), letters("SIA"), letters("Iza"), letters("ey"), letters("eyJ")
_GH, _GITHUB, _PAT, _LIVE, _SK, _XOX = letters("gh"), letters("github"), letters("pat_"), letters("live_"), letters("sk"), letters("xox")
_BEGIN, _END, _DASHES = letters("-----BEGIN "), letters("-----END "), letters("-----")
_KEY, _BLOCK = letters("PRIVATE KEY"), letters(" BLOCK")
_EXAMPLE = letters("EXAMPLE")
#: What the name of a secret ends in, spelt backwards: one of the second after one of the first.
_OWNERS = (letters("ipa"), letters("terces"), letters("ssecca"), letters("htua"), letters("tneilc"), letters("etavirp"), letters("reraeb"))
_THINGS = (letters("yek"), letters("nekot"), letters("terces"))

#: Shortest bodies of keys, as they have been issued.
_GITHUB_CHARS, _PAT_CHARS, _STRIPE_CHARS, _SK_CHARS, _SLACK_CHARS, _SLACK_DIGITS, _GOOGLE_CHARS = 36, 22, 16, 20, 10, 8, 35
_LEAST_VALUE, _MOST_VALUE, _MOST_SPACES = 20, 128, 8
#: A block of a key has a run of base64 as long as this, and no more bytes than this.
_BASE64_RUN, _MOST_BLOCK, _MOST_LABEL = 24, 1 << 15, 40


@kernel
def capital_key(data: Bytes, floor: int, i: int, end: int) -> int:
    """The end of the key of AWS (AKIA..., ASIA...) or Google (AIza...) that starts with the "A" at `i`, or 0."""
    if not may_start(data, floor, i):
        return 0
    if stands_at(data, i + 1, end, _KIA) or stands_at(data, i + 1, end, _SIA):
        stop = run_end(data, i, min(end, i + 21), _UPPER_ALNUMS)
        return 0 if stop - i != 20 or is_at(data, stop, end, WORDS) or stands_at(data, stop - 7, end, _EXAMPLE) else stop
    if stands_at(data, i + 1, end, _IZA):
        stop = run_end(data, i, min(end, i + _GOOGLE_CHARS + 5), _WORDS_HYPHEN)
        return stop if stop - i == _GOOGLE_CHARS + 4 else 0
    return 0


@kernel
def web_token(data: Bytes, floor: int, i: int, end: int) -> tuple[int, int]:
    """The JSON Web Token around the "J" at `i`: a header and a payload that begin with "eyJ", and a signature."""
    start = i - 2
    if start < floor or not stands_at(data, start, end, _EY) or not may_start(data, floor, start):
        return 0, 0
    header = run_end(data, i, end, _WORDS_HYPHEN)
    if header - i < 8 or header >= end or data[header] != 46 or not stands_at(data, header + 1, end, _EYJ):
        return 0, 0
    payload = run_end(data, header + 1, end, _WORDS_HYPHEN)
    if payload - header < 12 or payload >= end or data[payload] != 46:
        return 0, 0
    stop = run_end(data, payload + 1, end, _WORDS_HYPHEN)
    return (start, stop) if stop - payload > 16 else (0, 0)


@kernel
def underscore_key(data: Bytes, floor: int, i: int, end: int) -> tuple[int, int]:
    """The key of GitHub (ghp_..., github_pat_...) or Stripe (sk_live_..., rk_live_...) whose first "_" is at `i`."""
    start, body, members, least = 0, i + 1, ALNUMS, _GITHUB_CHARS
    if _ends_with(data, floor, i - 1, _GH) and data[i - 1] in (111, 112, 114, 115, 117):  # o p r s u
        start = i - 3
    elif _ends_with(data, floor, i, _GITHUB) and stands_at(data, i + 1, end, _PAT):
        start, body, members, least = i - 6, i + 5, WORDS, _PAT_CHARS
    elif i - 2 >= floor and data[i - 1] == 107 and data[i - 2] in (114, 115) and stands_at(data, i + 1, end, _LIVE):  # rk sk
        start, body, least = i - 2, i + 6, _STRIPE_CHARS
    else:
        return 0, 0
    stop = run_end(data, body, end, members)
    if stop - body < least or is_at(data, stop, end, WORDS) or not may_start(data, floor, start):
        return 0, 0
    return start, stop


@kernel
def hyphen_key(data: Bytes, floor: int, i: int, end: int) -> tuple[int, int]:
    """The key of OpenAI or Anthropic (sk-...) or Slack (xoxb-...) whose first "-" is at `i`."""
    if _ends_with(data, floor, i, _SK) and may_start(data, floor, i - 2):
        stop = run_end(data, i + 1, end, _WORDS_HYPHEN)
        return (i - 2, stop) if stop - i > _SK_CHARS and looks_random(data, i + 1, stop) else (0, 0)
    if _ends_with(data, floor, i - 1, _XOX) and LETTERS[data[i - 1]] and may_start(data, floor, i - 4):
        stop = run_end(data, i + 1, end, _ALNUMS_HYPHEN)
        digits = 0
        for k in range(i + 1, stop):
            digits += DIGITS[data[k]] != 0
        if stop - i > _SLACK_CHARS and digits >= _SLACK_DIGITS and not is_at(data, stop, end, WORDS):
            return i - 4, stop
    return 0, 0


@kernel
def _ends_with(data: Bytes, floor: int, i: int, wanted: Bytes) -> bool:
    """Whether data[floor:i] ends in `wanted`."""
    return i - len(wanted) >= floor and stands_at(data, i - len(wanted), i, wanted)


@kernel
def looks_random(data: Bytes, start: int, stop: int) -> bool:
    """Whether letters and digits are mixed as in a key, not as in words: ten different characters, digits here and there."""
    digits, switches, low, high, before = 0, 0, np.uint64(0), np.uint64(0), 0
    for i in range(start, stop):
        byte = byte_at(data, i)
        kind = 1 if DIGITS[byte] else 2 if LETTERS[byte] else before
        digits += kind == 1 and DIGITS[byte] != 0
        switches += kind != before
        before = kind
        if byte < 64:
            low |= np.uint64(1) << np.uint64(byte)
        else:
            high |= np.uint64(1) << np.uint64(byte - 64)
    different = 0
    while low:
        low &= low - np.uint64(1)
        different += 1
    while high:
        high &= high - np.uint64(1)
        different += 1
    return digits >= 3 and switches >= 5 and different >= 10


@kernel
def assigned_key(data: Bytes, floor: int, i: int, end: int) -> tuple[int, int]:
    """The quoted value that the "=" or ":" at `i` gives to the name of a secret (api_key = "..."), when it looks random."""
    name = i
    while name > max(floor, i - _MOST_SPACES) and _SPACES[data[name - 1]]:
        name -= 1
    name -= name > floor and _QUOTES[data[name - 1]] != 0
    if not _is_secret(data, floor, name):
        return 0, 0
    start = i + 1 + is_at(data, i + 1, end, _ARROW)
    start = run_end(data, start, min(end, start + _MOST_SPACES), _SPACES)
    if not is_at(data, start, end, _QUOTES):
        return 0, 0
    stop = run_end(data, start + 1, min(end, start + _MOST_VALUE + 2), _VALUE)
    if stop >= end or data[stop] != data[start] or not _LEAST_VALUE < stop - start <= _MOST_VALUE + 1:
        return 0, 0
    return (start + 1, stop) if looks_random(data, start + 1, stop) else (0, 0)


@kernel
def _is_secret(data: Bytes, floor: int, stop: int) -> bool:
    """Whether data[floor:stop] ends in the name of a secret: "api_key", "ClientSecret", "access-token"."""
    for thing in _THINGS:
        if _is_before(data, floor, stop, thing):
            owner = stop - len(thing)
            owner -= owner > floor and _LINKS[data[owner - 1]] != 0
            for word in _OWNERS:
                if _is_before(data, floor, owner, word):
                    return True
    return False


@kernel
def _is_before(data: Bytes, floor: int, stop: int, backwards: Bytes) -> bool:
    """Whether data[floor:stop] ends in a word, spelt backwards, in any case."""
    same = 0
    while same < len(backwards) and stop - same > floor and lower(byte_at(data, stop - 1 - same)) == backwards[same]:
        same += 1
    return same == len(backwards)


@kernel
def private_key_end(data: Bytes, floor: int, i: int, end: int) -> int:
    """The end of the private key block that starts with the "-" at `i`, or 0.

    A block goes to its END line; without one, to the end of the lines of base64 after its BEGIN line.
    """
    if not (may_start(data, floor, i) or _after_escape(data, floor, i)) or not stands_at(data, i, end, _BEGIN):
        return 0
    label = i + len(_BEGIN)
    body = run_end(data, label, min(end, label + _MOST_LABEL), _LABEL)
    name = body - len(_BLOCK) if body - len(_BLOCK) >= label and stands_at(data, body - len(_BLOCK), body, _BLOCK) else body
    if name - len(_KEY) < label or not stands_at(data, name - len(_KEY), name, _KEY) or not stands_at(data, body, end, _DASHES):
        return 0
    body += len(_DASHES)
    stop, longest = _next_dashes(data, body, min(end, body + _MOST_BLOCK))
    closed = _end_line(data, stop, end)
    if closed and longest >= _BASE64_RUN:
        return closed
    return _base64_end(data, body, end)


@kernel
def _after_escape(data: Bytes, floor: int, i: int) -> bool:
    """Whether a line end that is written as an escape stands before `i`."""
    return i - 2 >= floor and data[i - 2] == 92 and (data[i - 1] == 110 or data[i - 1] == 114)


@kernel
def _next_dashes(data: Bytes, i: int, end: int) -> tuple[int, int]:
    """Where the next five hyphens stand (`end` when nowhere), and the longest run of base64 before them."""
    longest, run, hyphens = 0, 0, 0
    while i < end and hyphens < 5:
        run = run + 1 if _BASE64[data[i]] else 0
        hyphens = hyphens + 1 if data[i] == 45 else 0
        longest = max(longest, run)
        i += 1
    return (i - 5 if hyphens == 5 else end), longest


@kernel
def _end_line(data: Bytes, i: int, end: int) -> int:
    """The end of the END line at `i`, or 0."""
    if not stands_at(data, i, end, _END):
        return 0
    stop = run_end(data, i + len(_END), min(end, i + len(_END) + _MOST_LABEL), _LABEL)
    return stop + len(_DASHES) if stands_at(data, stop, end, _DASHES) else 0


@kernel
def _base64_end(data: Bytes, i: int, end: int) -> int:
    """The end of the runs of base64 from `i` on, each of 24 characters or more, white space between them; 0 when none."""
    found = 0
    while i < end:
        first = run_end(data, i, end, _BLANK_OR_ESCAPE)
        i = run_end(data, first, end, _BASE64)
        if i - first < _BASE64_RUN:
            break
        found = i
    return found
