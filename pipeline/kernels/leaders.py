"""Who is kept among candidates: the first come, unless a kept one is too much like it.

Texts come in order of preference. Each is compared, by the Jaccard index of their shingles, with the texts kept so far
that share a bucket with it; it is dropped for the most similar of them when that reaches the threshold, and kept
otherwise. So a text is only ever dropped for one that stays, never for one that is itself dropped.

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

#: Kept texts a bucket remembers. More than this many unlike texts under one key are a key that means little.
MOST_KEPT = 256


class Choice(NamedTuple):
    """Per text: the kept text it is dropped for, or -1 (int64[n]); and their Jaccard index, or 0 (float64[n])."""

    twins: Ints
    values: Floats


def choose(sets: Shingles, buckets: Ints, threshold: float) -> Choice:
    """Which texts are dropped, and for which.

    `sets`: the texts' shingles (sorted, each once), in order of preference; `buckets` int64[n, keys]: the buckets of each
    text, numbered from 0.
    """
    n, keys = buckets.shape
    choice = Choice(np.full(n, -1, np.int64), np.zeros(n, np.float64))
    heads, tails, sizes = np.full((3, int(buckets.max(initial=-1)) + 1), -1, np.int64)
    sizes[:] = 0
    following, met = np.full(n * keys, -1, np.int64), np.full(n, -1, np.int64)
    _choose(sets.offsets, sets.hashes, buckets, threshold, heads, tails, sizes, following, met, choice.twins, choice.values)
    return choice


@kernel
def _choose(
    offsets: Ints, hashes: Hashes, buckets: Ints, threshold: float, heads: Ints, tails: Ints, sizes: Ints, following: Ints, met: Ints,
    twins: Ints, values: Floats,
) -> None:  # fmt: skip
    """Kept texts of a bucket are a list of entries (text * keys + k) from heads[bucket] on; met[kept]: the last text compared."""
    keys = buckets.shape[1]
    for text in range(len(twins)):
        for k in range(keys):
            entry = heads[buckets[text, k]]
            while entry >= 0:
                kept = entry // keys
                if met[kept] != text:
                    met[kept] = text
                    value = jaccard(offsets, hashes, text, kept, threshold)
                    if value >= threshold and (value > values[text] or (value == values[text] and kept < twins[text])):
                        twins[text], values[text] = kept, value
                entry = following[entry]
        if twins[text] < 0:
            _enter(text, buckets, heads, tails, sizes, following)


@kernel
def _enter(text: int, buckets: Ints, heads: Ints, tails: Ints, sizes: Ints, following: Ints) -> None:
    """Append a kept text to the lists of its buckets."""
    for k in range(buckets.shape[1]):
        bucket, entry = buckets[text, k], text * buckets.shape[1] + k
        if sizes[bucket] < MOST_KEPT:
            if heads[bucket] < 0:
                heads[bucket] = entry
            else:
                following[tails[bucket]] = entry
            tails[bucket] = entry
            sizes[bucket] += 1


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
