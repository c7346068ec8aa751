"""Lists of domains, addresses and words: read, brought into the form of `urls`, and kept as sorted hashes, all by kernels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.kernels.arrow import Bytes, Ints, texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import Hashes, hash_bytes
from pipeline.kernels.urlparts import HOST, HOST_END, KEY, equals
from pipeline.kernels.urls import Addresses, addresses, pieces

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
    distinct: Hashes = found[np.diff(found, prepend=~found[:1]) != 0]
    return distinct


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
