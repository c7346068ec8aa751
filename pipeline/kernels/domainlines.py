"""The lines of texts as what is counted of a domain: a hash each of domain and line, white space around the line left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import find_newline
from pipeline.kernels.hashing import Hashes, hash_bytes, mix
from pipeline.kernels.unicode import classes, strip
from pipeline.kernels.words import has_words

_DOMAIN = np.uint64(0x9DDFEA08EB382D69)


class Lines(NamedTuple):
    """The lines of a column of texts: the row of each, the bytes [start, stop) of its text with the line end, and the hash."""

    rows: Ints
    starts: Ints
    stops: Ints
    hashes: Hashes


def domain_hashes(hosts: Texts) -> Hashes:
    """uint64[rows]: a hash of each host."""
    out = np.empty(hosts.rows, np.uint64)
    _hash_each(hosts.offsets, hosts.data, out)
    return out


def domain_lines(column: Texts, domains: Hashes, min_words: int) -> Lines:
    """The lines of each text that have at least so many words, with the hash of its domain in theirs; they end at "\\n"."""
    most = int(np.count_nonzero(column.data[column.offsets[0] : column.offsets[-1]] == ord("\n"))) + column.rows
    rows, starts, stops = np.empty((3, most), np.int64)
    hashes = np.empty(most, np.uint64)
    count = _find_lines(column.offsets, column.data, classes(), domains, min_words, rows, starts, stops, hashes)
    return Lines(rows[:count], starts[:count], stops[:count], hashes[:count])


@kernel
def _hash_each(offsets: Ints, data: Bytes, out: Hashes) -> None:
    for row in range(len(out)):
        out[row] = hash_bytes(data, offsets[row], offsets[row + 1])


@kernel
def _find_lines(
    offsets: Ints, data: Bytes, table: Bytes, domains: Hashes, least: int, rows: Ints, starts: Ints, stops: Ints, hashes: Hashes
) -> int:
    count = 0
    for row in range(len(domains)):
        start, end = offsets[row], offsets[row + 1]
        while start < end:
            stop = find_newline(data, start, end)
            first, last = strip(table, data, start, stop)
            if first < last and has_words(data, first, last, table, least):
                rows[count], starts[count], stops[count] = row, start - offsets[row], min(stop + 1, end) - offsets[row]
                hashes[count] = mix(hash_bytes(data, first, last) * _DOMAIN + domains[row])
                count += 1
            start = stop + 1
    return count
