"""Fill-in-the-middle: documents cut in three and told out of order, so that a model learns to write what is missing between.

Bavarian et al. 2022, "Efficient Training of Language Models to Fill in the Middle" (arXiv:2207.14255): the two cuts fall anywhere
in the text, between characters, and each part is encoded alone. PSM is written PREFIX p SUFFIX s MIDDLE m; SPM, in the variant
that the paper trains on jointly (as StarCoder does), PREFIX SUFFIX s MIDDLE p m. What a document ends with comes after either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.kernels.arrow import Texts, large_strings, texts
from tokenizer.encode import Encoded, gathered

Draws = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
#: The 64-bit numbers that a document needs: whether it is cut, whether it is SPM, and the two cuts.
DRAWS = 4


class Marks(NamedTuple):
    """The ids of the special tokens before each part."""

    prefix: int
    suffix: int
    middle: int


class Infilling(NamedTuple):
    """What share of the documents is cut, what share of these is SPM, and the marks."""

    rate: float
    spm: float
    marks: Marks


def encode_infilled(column: pa.Array, draws: Draws, how: Infilling, encode: Callable[[pa.Array], Encoded]) -> tuple[Encoded, int]:
    """The ids of each text, those drawn infilled; and how many these are.

    `draws`: uint64[rows, DRAWS], a document's own random numbers: they alone say what happens to it.
    """
    chosen = _below(draws[:, 0], how.rate)
    plain, cut = encode(column.filter(pa.array(~chosen))), _infilled(column.filter(pa.array(chosen)), draws[chosen], how, encode)
    starts, lengths = np.empty(len(column), np.int64), np.empty(len(column), np.int64)
    starts[~chosen], lengths[~chosen] = plain.offsets[:-1], plain.lengths
    starts[chosen], lengths[chosen] = cut.offsets[:-1] + len(plain.ids), cut.lengths
    return gathered(np.concatenate([plain.ids, cut.ids]), starts, lengths), int(chosen.sum())


def _infilled(column: pa.Array, draws: Draws, how: Infilling, encode: Callable[[pa.Array], Encoded]) -> Encoded:
    parts = encode(_parts(texts(column), draws[:, 2:]))
    pool = np.concatenate([parts.ids, np.array(how.marks, np.uint32)])
    marks = np.broadcast_to(np.arange(len(parts.ids), len(pool)), (len(column), 3))
    starts = np.concatenate([parts.offsets[:-1].reshape(-1, 3), marks], axis=1)
    lengths = np.concatenate([parts.lengths.reshape(-1, 3), np.ones((len(column), 3), np.int64)], axis=1)
    # columns: prefix, middle, suffix, and the marks of prefix, suffix, middle
    order = np.where(_below(draws[:, 1], how.spm)[:, None], [3, 4, 2, 5, 0, 1], [3, 0, 4, 2, 5, 1])
    starts, lengths = (np.take_along_axis(values, order, axis=1) for values in (starts, lengths))
    told = gathered(pool, starts.ravel(), lengths.ravel())
    return Encoded(told.ids, told.offsets[::6])


def _parts(column: Texts, draws: Draws) -> pa.Array:
    """Prefix, middle and suffix of each text, one after the other: 3 x rows of them."""
    starts, ends = column.offsets[:-1], column.offsets[1:]
    cuts = starts[:, None] + (draws % (ends - starts + 1).astype(np.uint64)[:, None]).astype(np.int64)
    cuts = np.sort(_between_characters(column, cuts), axis=1)
    edges = np.concatenate([starts[:, None], cuts], axis=1).ravel()
    return large_strings(np.append(edges, column.offsets[-1]), column.data)


def _between_characters(column: Texts, cuts: Ints) -> Ints:
    """Places in UTF-8 moved back to where a character begins: three bytes at most."""
    data = np.append(column.data, np.uint8(0))
    for _ in range(3):
        cuts = cuts - ((data[cuts] & 0xC0) == 0x80)
    return cuts


def _below(draws: Draws, share: float) -> npt.NDArray[np.bool_]:
    """Which of the numbers, each equally likely to be any of 64 bits, fall into a share of all."""
    return draws.astype(np.float64) < share * 2.0**64
