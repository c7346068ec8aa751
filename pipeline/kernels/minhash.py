"""MinHash sketches (Broder 1997) and the keys of their bands (locality-sensitive hashing: Indyk, Motwani 1998).

Each of bands x rows permutations of 32 bits, x -> a x + b with odd a, sends a text's shingles to numbers, of which the
least is kept; two texts agree in it with a probability equal to the Jaccard index J of their shingles. `rows` of them are
hashed to the key of a band; texts that share a key are candidates: with 14 bands of 8 rows 92 % of pairs at J = .8
are, and 5 % at .5 (FineWeb's setting, Penedo et al. 2024).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.kernels.arrow import Ints, Texts, texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import Hashes, mix
from pipeline.kernels.shingles import Shingles, fingerprints, shingle_hashes, slices, word_hashes

Minima = npt.NDArray[np.uint32]

#: Shingles that are sent through every permutation before the next ones are looked at.
_BLOCK = 1024
_SALT = np.uint64(0x6D696E68617368)


class Sketches(NamedTuple):
    """Per text: `fingerprints` uint64[rows, 2] of its words, their number int64[rows], `keys` uint64[rows, bands].

    `least` uint32[rows] is the minimum under the first permutation, the same for two texts with a probability of J.
    """

    fingerprints: Hashes
    words: Ints
    keys: Hashes
    least: Minima


def sketch(column: pa.Array, width: int, bands: int, rows: int) -> Sketches:
    """The sketches of a column of texts, by shingles of `width` words. Memory: some ten times the longest text."""
    parts = [_sketch(part, width, bands, rows) for part in slices(texts(column))]
    if not parts:
        return Sketches(np.empty((0, 2), np.uint64), np.empty(0, np.int64), np.empty((0, bands), np.uint64), np.empty(0, np.uint32))
    return Sketches(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _sketch(part: Texts, width: int, bands: int, rows: int) -> Sketches:
    words = word_hashes(part)
    sketched = minima(shingle_hashes(words, width), bands * rows)
    return Sketches(fingerprints(words), np.diff(words.offsets), band_keys(sketched, bands), sketched[:, 0].copy())


@lru_cache(maxsize=8)
def permutations(count: int) -> tuple[Minima, Minima]:
    """(a, b): the fixed multipliers (odd) and addends of `count` permutations."""
    drawn = np.empty(2 * count, np.uint64)
    _draw(drawn)
    return (drawn[:count] | np.uint64(1)).astype(np.uint32), drawn[count:].astype(np.uint32)


@kernel
def _draw(out: Hashes) -> None:
    for i in range(len(out)):
        out[i] = mix(_SALT + np.uint64(i)) >> np.uint64(32)


def minima(shingles: Shingles, count: int) -> Minima:
    """uint32[rows, count]: the least image of the upper halves of each text's hashes under each of `count` permutations."""
    multipliers, addends = permutations(count)
    out = np.full((len(shingles.offsets) - 1, count), np.uint32(0xFFFFFFFF))
    _minima(shingles.offsets, shingles.hashes, multipliers, addends, np.empty(_BLOCK, np.uint32), out)
    return out


@kernel
def _minima(offsets: Ints, hashes: Hashes, multipliers: Minima, addends: Minima, block: Minima, out: Minima) -> None:
    for row in range(len(out)):
        for start in range(offsets[row], offsets[row + 1], len(block)):
            size = min(len(block), offsets[row + 1] - start)
            for i in range(size):
                block[i] = np.uint32(hashes[start + i] >> np.uint64(32))
            for j in range(len(multipliers)):
                out[row, j] = _least(block, size, multipliers[j], addends[j], out[row, j])


@kernel
def _least(block: Minima, size: int, multiplier: np.uint32, addend: np.uint32, least: np.uint32) -> np.uint32:
    for i in range(size):  # kept this plain so that it becomes eight or sixteen lanes of a vector unit
        least = min(least, np.uint32(block[i] * multiplier + addend))
    return least


def band_keys(sketched: Minima, bands: int) -> Hashes:
    """uint64[rows, bands]: a key over the number of the band and its minima, so that bands never meet each other's keys."""
    out = np.empty((len(sketched), bands), np.uint64)
    _hash_bands(sketched, out)
    return out


@kernel
def _hash_bands(sketched: Minima, out: Hashes) -> None:
    bands = out.shape[1]
    rows = sketched.shape[1] // bands
    for text in range(len(sketched)):
        for band in range(bands):
            state = mix(np.uint64(band))
            for k in range(band * rows, (band + 1) * rows):
                state = mix(state ^ np.uint64(sketched[text, k]))
            out[text, band] = state
