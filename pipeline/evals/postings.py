"""Which texts of the evaluations hold an n-gram, and where a column of documents holds one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Ints, Texts
from pipeline.kernels.hashing import Hashes
from pipeline.kernels.ngrams import Terms, find_ngrams, sketch

#: A text of fewer different terms is no item: decon's eval_min_unique_word_count.
DIFFERENT_TERMS = 4


class Near(NamedTuple):
    """Places of n-grams of the evaluations: row of the column, number of the n-gram, number of its first term in the row."""

    rows: Ints
    grams: Ints
    terms: Ints


class Spans(NamedTuple):
    """Runs of terms of a text that are of an evaluation, from term `firsts` to before `lasts`; `best`: of the item named."""

    rows: Ints
    firsts: Ints
    lasts: Ints
    best: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hits:
    """What a method finds in each text of a column.

    `overlap`: different n-grams of the evaluations in it. `item`: the item found best, by its number, -1 for none.
    `score`: of that item, 0 to 1. `found`: whether it is enough. `spans`: where the items that are enough stand.
    """

    overlap: Ints
    item: Ints
    score: npt.NDArray[np.float64]
    found: npt.NDArray[np.bool_]
    spans: Spans

    @classmethod
    def none(cls, overlap: Ints) -> Hits:
        """Nothing found, in texts that hold so many n-grams."""
        rows, none = len(overlap), np.zeros(0, np.int64)
        return cls(overlap, np.full(rows, -1), np.zeros(rows), np.zeros(rows, np.bool_), Spans(none, none, none, np.zeros(0, np.bool_)))


@dataclass(frozen=True)
class Postings:
    """The owners (texts of the evaluations, by number) of n-grams: those of hashes[k] are owners[starts[k]:starts[k + 1]]."""

    hashes: Hashes
    bits: Hashes
    starts: Ints
    owners: Ints

    @classmethod
    def of(cls, hashes: Hashes, owners: Ints, items: Ints, max_items: int | None, ignored: Hashes) -> Postings:
        """From n-grams and the owner of each, without those `ignored` and those of more than `max_items` items.

        `items` gives the item of each owner: n-grams that many items share are the template of a benchmark.
        """
        known, gram = np.unique(hashes, return_inverse=True)
        gram, owner = pairs(gram.astype(np.int64), owners)
        keep = ~np.isin(known, ignored)
        if max_items is not None:
            holders, _ = pairs(gram, items[owner])
            keep &= np.bincount(holders, minlength=len(known)) <= max_items
        gram, owner = (np.cumsum(keep) - 1)[gram[keep[gram]]], owner[keep[gram]]
        known = known[keep]
        return cls(known, sketch(known), np.searchsorted(gram, np.arange(len(known) + 1)), owner)

    def find(self, column: Texts, sizes: Sequence[int]) -> Near:
        """Every place of a known n-gram, in the order of the rows."""
        found = find_ngrams(column, sizes, self.hashes, self.bits)
        return Near(found.rows.astype(np.int64), np.searchsorted(self.hashes, found.hashes), found.terms.astype(np.int64))

    def spread(self, grams: Ints) -> tuple[Ints, Ints]:
        """(place in `grams`, owner) of every owner of each of them."""
        counts = np.diff(self.starts)[grams]
        first = np.repeat(self.starts[grams] - (np.cumsum(counts) - counts), counts)
        return np.repeat(np.arange(len(grams)), counts), self.owners[first + np.arange(counts.sum())]


def pairs(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """The different pairs of two columns of numbers from 0 up, sorted."""
    width = int(second.max(initial=0)) + 1
    return np.divmod(np.unique(first * width + second), width)  # type: ignore[return-value]  # a tuple of arrays


def different_terms(terms: Terms) -> Ints:
    """int64[rows]: the different terms of each row."""
    rows = np.repeat(np.arange(len(terms.offsets) - 1), np.diff(terms.offsets))
    _, numbers = np.unique(terms.hashes, return_inverse=True)
    return np.bincount(pairs(rows, numbers)[0], minlength=len(terms.offsets) - 1)
