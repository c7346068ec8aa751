"""Which phrases occur in a piece of text, whatever the case of its ASCII letters.

A few phrases are looked for at their rarest letters: most bytes of a text are passed over with one look into a table of
256. A long list of words that must stand alone is looked up where a word starts, by its first two bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints, encoded
from pipeline.kernels.compiled import kernel
from pipeline.kernels.unicode import byte_at

#: Letters of English from the most frequent to the rarest; anything else is rarer still.
_BY_FREQUENCY = b" etaoinsrhldcumfgpwybvkjxzq"


class Phrases(NamedTuple):
    """Phrases in lower case, each with the group of bits that finding it sets, sorted by their rarest bytes."""

    offsets: Ints
    data: Bytes
    anchors: Ints  # where in each phrase its rarest byte is
    groups: Ints
    is_rare: Bytes  # uint8[256]: 1 for the rarest bytes, in both cases of a letter
    buckets: Bytes  # uint8[257]: phrases whose rarest byte is b stand from buckets[b] to buckets[b + 1]


def phrases(groups: Mapping[str, int]) -> Phrases:
    """Up to 255 phrases for `found_phrases`, from phrase to bits. An empty phrase is a ValueError."""
    if not all(groups) or len(groups) > 255:
        raise ValueError(f"up to 255 phrases that aren't empty can be looked for (got {list(groups)})")
    ordered = sorted(((_lowered(phrase).encode(), bits) for phrase, bits in groups.items()), key=lambda item: item[0][_rarest(item[0])])
    anchors = [_rarest(phrase) for phrase, _ in ordered]
    rare = [phrase[anchor] for (phrase, _), anchor in zip(ordered, anchors, strict=True)]
    texts = encoded([phrase.decode() for phrase, _ in ordered])
    bits = np.array([bits for _, bits in ordered], np.int64)
    is_rare = np.array([chr(byte).lower() in map(chr, rare) if byte < 128 else byte in rare for byte in range(256)], np.uint8)
    buckets = np.searchsorted(np.array(rare, np.int64), np.arange(257)).astype(np.uint8)
    return Phrases(texts.offsets, texts.data, np.array(anchors, np.int64), bits, is_rare, buckets)


def _lowered(phrase: str) -> str:
    """Lower case of ASCII letters alone, as the kernel does it."""
    return "".join(char.lower() if char.isascii() else char for char in phrase)


def _rarest(phrase: bytes) -> int:
    return max(range(len(phrase)), key=lambda i: (_BY_FREQUENCY.find(phrase[i]) % 256, -i))  # not found: 255


class Flanked(NamedTuple):
    """Words or phrases in lower case that count only between characters other than a to z, sorted by their first two bytes."""

    offsets: Ints
    data: Bytes
    buckets: npt.NDArray[np.int32]  # those whose first two bytes are k stand from buckets[k] to buckets[k + 1]


def flanked(words: Sequence[str]) -> Flanked:
    """Words for `has_flanked`. One of a single byte is a ValueError."""
    lowered = sorted({_lowered(word) for word in words}, key=lambda word: (_first_two(word.encode()), word))
    texts = encoded(lowered)
    keys = [_first_two(word.encode()) for word in lowered]
    return Flanked(texts.offsets, texts.data, np.searchsorted(keys, np.arange((1 << 16) + 1)).astype(np.int32))


def _first_two(word: bytes) -> int:
    if len(word) < 2:
        raise ValueError(f"a word to look for needs two bytes or more (got {word!r})")
    return word[0] | word[1] << 8


@kernel
def lower(byte: int) -> int:
    """The lower case of an ASCII letter; any other byte as it is."""
    return byte + 32 if 65 <= byte <= 90 else byte


@kernel
def starts_with(data: Bytes, start: int, end: int, wanted: Bytes, first: int, last: int) -> bool:
    """Whether data[start:end], its ASCII letters in lower case, starts with wanted[first:last]."""
    length, same = last - first, 0
    while same < length and start + same < end and lower(byte_at(data, start + same)) == wanted[first + same]:
        same += 1
    return same == length


@kernel
def found_phrases(data: Bytes, start: int, end: int, wanted: Phrases) -> int:
    """The groups of all phrases that occur in data[start:end], or-ed together."""
    found = 0
    for i in range(start, end):
        if not wanted.is_rare[data[i]]:
            continue
        rare = lower(byte_at(data, i))
        for phrase in range(byte_at(wanted.buckets, rare), byte_at(wanted.buckets, rare + 1)):
            at = i - wanted.anchors[phrase]
            if at >= start and starts_with(data, at, end, wanted.data, wanted.offsets[phrase], wanted.offsets[phrase + 1]):
                found |= wanted.groups[phrase]
    return found


@kernel
def has_flanked(data: Bytes, start: int, end: int, words: Flanked) -> bool:
    """Whether one of the words occurs in data[start:end] with no letter from a to z beside it."""
    if len(words.offsets) == 1:
        return False
    letter = False
    for i in range(start, end - 1):
        byte = lower(byte_at(data, i))
        if not letter:
            key = byte | lower(byte_at(data, i + 1)) << 8
            for word in range(words.buckets[key], words.buckets[key + 1]):
                first, last = words.offsets[word], words.offsets[word + 1]
                after = i + last - first
                if starts_with(data, i, end, words.data, first, last) and (after == end or not _is_letter(data, after)):
                    return True
        letter = _is_letter(data, i)
    return False


@kernel
def _is_letter(data: Bytes, i: int) -> bool:
    return 97 <= lower(byte_at(data, i)) <= 122
