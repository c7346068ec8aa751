"""Addresses looked up in lists of any length: a look-up is a search in sorted hashes, or among words by their first two bytes.

A host is looked up once for each of its names: "a.b.example.com", "b.example.com", "example.com" and "com".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import Hashes, hash_bytes
from pipeline.kernels.phrases import Flanked, starts_with
from pipeline.kernels.unicode import byte_at
from pipeline.kernels.urlparts import HOST, HOST_END, KEY, PATH_END, hexadecimal
from pipeline.kernels.urls import Addresses

Hits = npt.NDArray[np.bool_]

#: No name in the DNS is longer; a host that is has only its last names looked up, which keeps hashing linear.
_LONGEST_NAME = 255


def in_domains(urls: Addresses, domains: Hashes) -> Hits:
    """bool[rows]: whether the host, or a domain that it belongs to, is listed."""
    hits = np.zeros(len(urls.places), np.bool_)
    _in_domains(urls.data, urls.places, domains, hits)
    return hits


def in_keys(urls: Addresses, keys: Hashes) -> Hits:
    """bool[rows]: whether the address is listed, whatever its scheme, with or without "www."."""
    hits = np.zeros(len(urls.places), np.bool_)
    _in_list(urls.data, urls.places[:, KEY].copy(), urls.offsets[1:], keys, hits)
    return hits


def has_extension(urls: Addresses, extensions: Hashes) -> Hits:
    """bool[rows]: whether what follows the last dot of the path's last segment is listed, in lower case.

    A segment with a ":" has none: "File:Cat.jpg" is a wiki's page about a picture.
    """
    starts, hits = np.zeros(len(urls.places), np.int64), np.zeros(len(urls.places), np.bool_)
    _find_extensions(urls.data, urls.places, starts)
    _in_list(lowered(urls.data), starts, urls.places[:, PATH_END].copy(), extensions, hits)
    return hits


def number_of_listed_words(urls: Addresses, words: Hashes) -> Ints:
    """int64[rows]: how many different words of the list the address has.

    Words are longest runs of letters and digits of ASCII and of encoded bytes outside it, from the host on, in lower case.
    """
    counts, seen = np.zeros(len(urls.places), np.int64), np.full(len(words), -1, np.int64)
    if len(words):
        _count_listed_words(lowered(urls.data), urls.places, urls.offsets, words, seen, counts)
    return counts


def has_substring(urls: Addresses, listed: Flanked) -> Hits:
    """bool[rows]: whether one of the texts occurs from the host on, "-" and "." left out, in lower case."""
    hits = np.zeros(len(urls.places), np.bool_)
    if len(listed.offsets) > 1:
        _has_substring(lowered(urls.data), urls.places, urls.offsets, listed, np.empty(len(urls.data), np.uint8), hits)
    return hits


def lowered(data: Bytes) -> Bytes:
    """A copy with ASCII letters in lower case."""
    return data + np.uint8(32) * ((data >= 65) & (data <= 90))


@kernel
def _place(hashes: Hashes, wanted: np.uint64) -> int:
    """Where `wanted` stands in a sorted list, or -1."""
    low, high = 0, len(hashes)
    while low < high:
        middle = (low + high) // 2
        if hashes[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(hashes) and hashes[low] == wanted else -1


@kernel
def _in_domains(data: Bytes, places: Ints, domains: Hashes, hits: Hits) -> None:
    for row in range(len(hits)):
        name, end = places[row, HOST], places[row, HOST_END]
        while name < end and not hits[row]:
            hits[row] = end - name <= _LONGEST_NAME and _place(domains, hash_bytes(data, name, end)) >= 0
            while name < end and data[name] != 46:
                name += 1
            name += 1


@kernel
def _in_list(data: Bytes, starts: Ints, ends: Ints, listed: Hashes, hits: Hits) -> None:
    for row in range(len(hits)):
        hits[row] = starts[row] < ends[row] and _place(listed, hash_bytes(data, starts[row], ends[row])) >= 0


@kernel
def _find_extensions(data: Bytes, places: Ints, starts: Ints) -> None:
    """Fill in where the extension of each path begins: at the path's end where there is none."""
    for row in range(len(starts)):
        begin, end = places[row, HOST_END], places[row, PATH_END]
        starts[row] = end
        i = end - 1
        while i >= begin and data[i] != 47 and data[i] != 58:
            if data[i] == 46 and starts[row] == end:
                starts[row] = i + 1
            i -= 1
        if i >= begin and data[i] == 58:
            starts[row] = end


@kernel
def _count_listed_words(data: Bytes, places: Ints, offsets: Ints, words: Hashes, seen: Ints, counts: Ints) -> None:
    """`seen` holds for each word of the list the last row that it was counted for."""
    for row in range(len(counts)):
        i, end = places[row, HOST], offsets[row + 1]
        while i < end:
            start = i
            width = _word_width(data, i, end)
            while width:
                i += width
                width = _word_width(data, i, end)
            if i > start:
                word = _place(words, hash_bytes(data, start, i))
                if word >= 0 and seen[word] != row:
                    seen[word] = row
                    counts[row] += 1
            i += 1


@kernel
def _word_width(data: Bytes, i: int, end: int) -> int:
    """Bytes of the letter, digit or encoded byte outside ASCII at `i`; 0 for anything else. Letters are in lower case."""
    if i >= end:
        return 0
    byte = byte_at(data, i)
    if 97 <= byte <= 122 or 48 <= byte <= 57 or byte >= 0x80:
        return 1
    if byte == 37 and i + 2 < end:
        return 3 if hexadecimal(data, i + 1) >= 8 and hexadecimal(data, i + 2) >= 0 else 0
    return 0


@kernel
def _has_substring(data: Bytes, places: Ints, offsets: Ints, listed: Flanked, squeezed: Bytes, hits: Hits) -> None:
    for row in range(len(hits)):
        size = 0
        for i in range(places[row, HOST], offsets[row + 1]):
            squeezed[size] = data[i]
            size += not (data[i] == 45 or data[i] == 46)
        for i in range(size - 1):
            key = byte_at(squeezed, i) | byte_at(squeezed, i + 1) << 8
            for text in range(listed.buckets[key], listed.buckets[key + 1]):
                if starts_with(squeezed, i, size, listed.data, listed.offsets[text], listed.offsets[text + 1]):
                    hits[row] = True
                    break
            if hits[row]:
                break
