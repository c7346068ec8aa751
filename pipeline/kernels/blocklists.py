"""Addresses looked up in lists of any length: lists are sorted hashes or words sorted by their first bytes, a look-up is a search.

Millions of domains are read, brought into the form of `urls` and hashed by kernels; a host is looked up once for each of its
names ("a.b.example.com", "b.example.com", "example.com", "com").
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.kernels.arrow import Bytes, Ints, texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import Hashes, hash_bytes
from pipeline.kernels.phrases import Flanked, starts_with
from pipeline.kernels.unicode import byte_at
from pipeline.kernels.urlparts import HOST, HOST_END, KEY, PATH_END, equals, hexadecimal
from pipeline.kernels.urls import Addresses, addresses, pieces

Hits = npt.NDArray[np.bool_]

#: No name in the DNS is longer; a host that is has only its last names looked up, which keeps hashing linear.
_LONGEST_NAME = 255
#: Entries of a list that are handled at a time.
_RUN = 1 << 16
#: Where the lines of a hosts file send the names that they block.
_ZERO, _HOME, _ZERO_6, _HOME_6 = (np.frombuffer(text, np.uint8) for text in (b"0.0.0.0", b"127.0.0.1", b"::", b"::1"))


def entries(text: str) -> pa.LargeStringArray:
    """The entries of a list: the first word of each line, or of a line of a hosts file ("0.0.0.0 name") the words after it.

    A word that begins with "#" and what follows it in its line are a comment. A byte order mark at the start is no text.
    """
    data = np.frombuffer(text.removeprefix("\ufeff").encode(), np.uint8)
    spans = np.zeros((_find_entries(data, np.zeros((0, 2), np.int64)), 2), np.int64)
    _find_entries(data, spans)
    return pieces(data, spans[:, 0], spans[:, 1])


def domain_hashes(listed: pa.LargeStringArray) -> Hashes:
    """uint64[...], sorted: the hosts of a list of domains ("*.example.com" and ".example.com" are "example.com")."""
    runs = (_as_addresses(run) for run in _runs(pc.ascii_ltrim(listed, "*.")))
    return _sorted([_hashes(run.data, run.places[:, HOST], run.places[:, HOST_END]) for run in runs])


def key_hashes(listed: pa.LargeStringArray) -> Hashes:
    """uint64[...], sorted: the keys of a list of addresses, with or without scheme."""
    runs = (_as_addresses(run) for run in _runs(listed))
    return _sorted([_hashes(run.data, run.places[:, KEY], run.offsets[1:]) for run in runs])


def text_hashes(listed: list[str]) -> Hashes:
    """uint64[...], sorted: the hashes of words as they are."""
    column = texts(pa.array(listed, pa.large_string()))
    return _sorted([_hashes(column.data, column.offsets[:-1], column.offsets[1:])])


def _runs(listed: pa.LargeStringArray) -> Iterator[pa.LargeStringArray]:
    """A list in pieces: an address takes ten times the memory of its hash."""
    return (listed.slice(at, _RUN) for at in range(0, len(listed), _RUN))


def _as_addresses(listed: pa.LargeStringArray) -> Addresses:
    whole = pc.match_substring_regex(listed, "^[A-Za-z][A-Za-z0-9+.-]*://")
    return addresses(texts(pc.if_else(whole, listed, pc.binary_replace_slice(listed, 0, 0, "http://"))))


def _hashes(data: Bytes, starts: Ints, ends: Ints) -> Hashes:
    """Of all pieces that aren't empty."""
    filled = starts < ends
    found = np.empty(int(filled.sum()), np.uint64)
    _hash_pieces(data, starts[filled], ends[filled], found)
    return found


def _sorted(runs: list[Hashes]) -> Hashes:
    """All hashes once. (`np.unique` takes twenty times as long: it puts integers into a hash table first.)"""
    found: Hashes = np.sort(np.concatenate([np.empty(0, np.uint64), *runs]))
    first: Hits = np.diff(found, prepend=~found[:1]) != 0
    return found[first]


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
    _count_listed_words(lowered(urls.data), urls.places, urls.offsets, words, seen, counts)
    return counts


def has_substring(urls: Addresses, listed: Flanked) -> Hits:
    """bool[rows]: whether one of the texts occurs from the host on, "-" and "." left out, in lower case."""
    hits = np.zeros(len(urls.places), np.bool_)
    _has_substring(lowered(urls.data), urls.places, urls.offsets, listed, np.empty(len(urls.data), np.uint8), hits)
    return hits


def lowered(data: Bytes) -> Bytes:
    """A copy with ASCII letters in lower case."""
    return data + np.uint8(32) * ((data >= 65) & (data <= 90))


@kernel
def _find_entries(data: Bytes, spans: Ints) -> int:
    """How many entries there are; where they stand is noted as far as `spans` has room."""
    found, i, end = 0, 0, len(data)
    first, hosts = True, False
    while i < end:
        start = i
        if data[i] == 35:
            while i < end and data[i] != 10:
                i += 1
        elif data[i] <= 32:
            first, hosts = first or data[i] == 10, hosts and data[i] != 10
            i += 1
        else:
            while i < end and data[i] > 32:
                i += 1
            sink = first and _is_sink(data, start, i)
            if not sink and (first or hosts):
                if found < len(spans):
                    spans[found, 0], spans[found, 1] = start, i
                found += 1
            first, hosts = False, hosts or sink
    return found


@kernel
def _is_sink(data: Bytes, start: int, end: int) -> bool:
    """Whether this is an address that a hosts file sends blocked names to."""
    return (
        equals(data, start, end, _ZERO)
        or equals(data, start, end, _HOME)
        or equals(data, start, end, _ZERO_6)
        or equals(data, start, end, _HOME_6)
    )


@kernel
def _hash_pieces(data: Bytes, starts: Ints, ends: Ints, hashes: Hashes) -> None:
    for row in range(len(starts)):
        hashes[row] = hash_bytes(data, starts[row], ends[row])


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
