"""Who is kept among candidates: the first come, unless a kept one is too much like it.

Documents come in order of preference. Each is compared, by the Jaccard index of their shingles, with the texts kept so far
that share a bucket with it; it is dropped for the most similar of them when that reaches the threshold; else for a kept
one of its own address, when addresses count; and kept otherwise. So a document is only ever dropped for one that stays,
never for one that is itself dropped. Documents of one text are compared once.

Comparisons grow with texts x kept texts of a bucket, of which a bucket remembers the first MOST_KEPT: a bucket of a
million copies costs a million comparisons, a bucket that chance filled with unlike texts no more than MOST_KEPT times its size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import Hashes
from pipeline.kernels.shingles import Shingles

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.uint8]

#: Kept texts a bucket remembers. More than this many unlike texts under one key are a key that means little.
MOST_KEPT = 256

#: Why a document is dropped, if it is.
KEPT, SAME_TEXT, LIKE, SAME_ADDRESS = range(4)


class Choice(NamedTuple):
    """Per document: why it is dropped or KEPT (uint8[n]), the kept document it is dropped for or -1 (int64[n]), and the Jaccard

    index of the two, 0 where it was not asked (float64[n]).
    """

    why: Flags
    twins: Ints
    values: Floats


class Candidates(NamedTuple):
    """Documents in order of preference: the number of each one's `texts` int64[n], and of its `addresses` int64[n], or -1.

    The first `settled` of them stay, whatever they are like.
    """

    texts: Ints
    addresses: Ints
    settled: int = 0

    @classmethod
    def of_texts(cls, count: int) -> Candidates:
        """As many documents, each of a text of its own."""
        return cls(np.arange(count), np.full(count, -1))


class _Lists(NamedTuple):
    """The kept texts of each bucket: entries (text * keys + k), from heads[bucket] to tails[bucket], each followed by another."""

    buckets: Ints
    heads: Ints
    tails: Ints
    sizes: Ints
    following: Ints


class _Known(NamedTuple):
    """What is known of texts and addresses: the document that keeps a text, the one that keeps an address, or -1;

    the keeper that a text was found to be most like, with the index; and the last document a text was compared with.
    """

    keepers: Ints
    owners: Ints
    nearest: Ints
    likeness: Floats
    met: Ints


def choose(sets: Shingles, buckets: Ints, threshold: float, documents: Candidates) -> Choice:
    """Which documents are dropped, and for which.

    `sets`: the texts' shingles (sorted, each once); `buckets` int64[texts, keys]: the buckets of each text, numbered from
    0, or -1 of a text that is not to be compared.
    """
    count, (texts, keys) = len(documents.texts), buckets.shape
    choice = Choice(np.zeros(count, np.uint8), np.full(count, -1), np.zeros(count))
    heads, tails = np.full((2, int(buckets.max(initial=-1)) + 1), -1)
    lists = _Lists(buckets, heads, tails, np.zeros_like(heads), np.full(texts * keys, -1))
    keepers, nearest, met = np.full((3, texts), -1)
    owners = np.full(int(documents.addresses.max(initial=-1)) + 1, -1)
    known = _Known(keepers, owners, nearest, np.zeros(texts), met)
    _choose(sets.offsets, sets.hashes, threshold, documents, lists, known, choice)
    return choice


@kernel
def _choose(
    offsets: Ints, hashes: Hashes, threshold: float, documents: Candidates, lists: _Lists, known: _Known, choice: Choice
) -> None:  # fmt: skip
    why, twins, values = choice
    for document in range(len(why)):
        text, address = documents.texts[document], documents.addresses[document]
        settled = document < documents.settled
        if not settled and known.keepers[text] >= 0:
            why[document], twins[document], values[document] = SAME_TEXT, known.keepers[text], 1.0
        elif not settled and _is_like(offsets, hashes, threshold, document, text, lists, known):
            why[document], twins[document], values[document] = LIKE, known.nearest[text], known.likeness[text]
        elif not settled and address >= 0 and known.owners[address] >= 0:
            why[document], twins[document] = SAME_ADDRESS, known.owners[address]
        else:
            _keep(document, text, address, lists, known)


@kernel
def _is_like(offsets: Ints, hashes: Hashes, threshold: float, document: int, text: int, lists: _Lists, known: _Known) -> bool:
    """Whether a text that nobody keeps is like a kept one; once it is, so are all documents of it."""
    if known.nearest[text] >= 0:
        return True
    keys = lists.buckets.shape[1]
    for k in range(keys):
        bucket = lists.buckets[text, k]
        entry = lists.heads[bucket] if bucket >= 0 else -1
        while entry >= 0:
            other = entry // keys
            if known.met[other] != document:
                known.met[other] = document
                value = jaccard(offsets, hashes, text, other, threshold)
                keeper, best = known.keepers[other], known.likeness[text]
                if value >= threshold and (value > best or (value == best and keeper < known.nearest[text])):
                    known.nearest[text], known.likeness[text] = keeper, value
            entry = lists.following[entry]
    return bool(known.nearest[text] >= 0)


@kernel
def _keep(document: int, text: int, address: int, lists: _Lists, known: _Known) -> None:
    if address >= 0 and known.owners[address] < 0:
        known.owners[address] = document
    if known.keepers[text] < 0:
        known.keepers[text] = document
        _enter(text, lists)


@kernel
def _enter(text: int, lists: _Lists) -> None:
    """Append a kept text to the lists of its buckets."""
    keys = lists.buckets.shape[1]
    for k in range(keys):
        bucket, entry = lists.buckets[text, k], text * keys + k
        if bucket >= 0 and lists.sizes[bucket] < MOST_KEPT:
            if lists.heads[bucket] < 0:
                lists.heads[bucket] = entry
            else:
                lists.following[lists.tails[bucket]] = entry
            lists.tails[bucket] = entry
            lists.sizes[bucket] += 1


@kernel
def jaccard(offsets: Ints, hashes: Hashes, left: int, right: int, threshold: float) -> float:
    """|A and B| / |A or B| of two shingle sets, or 0 as soon as it is certain to be below `threshold`."""
    i, j = offsets[left], offsets[right]
    left_end, right_end = offsets[left + 1], offsets[right + 1]
    total, common = (left_end - i) + (right_end - j), 0
    needed = int(threshold / (1 + threshold) * total) - 1  # one less than what reaches it: rounding decides nothing
    while i < left_end and j < right_end:
        if common + min(left_end - i, right_end - j) < needed:
            return 0.0
        if hashes[i] == hashes[j]:
            common += 1
            i += 1
            j += 1
        elif hashes[i] < hashes[j]:
            i += 1
        else:
            j += 1
    index: float = common / (total - common)
    return index
