"""The method of n-grams: a text of an evaluation is found by the share of its n-grams that a document holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.evals.items import Item
from pipeline.evals.postings import DIFFERENT_TERMS, Hits, Near, Postings, Spans, different_terms, pairs
from pipeline.kernels.arrow import Ints, Texts, encoded
from pipeline.kernels.hashing import Hashes
from pipeline.kernels.ngrams import ngram_hashes, terms_of


@dataclass(frozen=True)
class Overlap:
    """An index of the fields (questions, answers, other texts) of items; passages, which have a source, aren't looked for.

    A field of at least `ngram` terms is found when `min_share` and `min_overlap` of its n-grams of `ngram` terms stand in a
    document; a shorter question, of at least `short` terms, when all of its n-grams of `short` terms do; a question of fewer
    is looked for together with each of its answers.
    """

    postings: Postings
    sizes: tuple[int, ...]
    lengths: Ints  # of each n-gram, its terms
    totals: Ints  # of each field, its different n-grams
    items: Ints  # of each field, its item
    bounds: npt.NDArray[np.float64]  # of each field, the share to be reached
    min_overlap: int

    @classmethod
    def of(
        cls,
        items: Sequence[Item],
        ignored: Hashes,
        *,
        ngram: int,
        short: int | None,
        min_share: float,
        min_overlap: int,
        max_items: int | None,
    ) -> Overlap:
        few = np.diff(terms_of(encoded([item.question for item in items])).offsets) < (short or 0)
        fields = [(number, text, asks) for number, item in enumerate(items) for text, asks in _fields(item, bool(few[number]))]
        owners, texts = np.array([number for number, _, _ in fields], np.int64), encoded([text for _, text, _ in fields])
        questions = np.array([asks for _, _, asks in fields], np.bool_)
        terms = terms_of(texts)
        words = np.diff(terms.offsets)
        rich = different_terms(terms) >= DIFFERENT_TERMS
        sizes = (ngram,) if short is None or short >= ngram else (ngram, short)
        # A field has n-grams of one size: the long ones don't count as short ones too.
        chosen = [rich & (words >= ngram if size == ngram else questions & (words < ngram)) for size in sizes]
        every = [ngram_hashes(texts, size) for size in sizes]
        hashes = np.concatenate([found.hashes[keep[found.rows]] for found, keep in zip(every, chosen, strict=True)])
        rows = np.concatenate([found.rows[keep[found.rows]] for found, keep in zip(every, chosen, strict=True)]).astype(np.int64)
        postings = Postings.of(hashes, rows, owners, max_items, ignored)
        lengths = np.full(len(postings.hashes), ngram)
        lengths[np.isin(postings.hashes, hashes[words[rows] < ngram])] = sizes[-1]
        totals = np.bincount(postings.owners, minlength=len(fields))
        bounds = np.where(words < ngram, 1.0, min_share)
        return cls(postings, sizes, lengths, totals, owners, bounds, min_overlap)

    def look_up(self, column: Texts) -> Hits:
        """What of the items stands in each text."""
        near = self.postings.find(column, self.sizes)
        row, gram = pairs(near.rows, near.grams)
        overlap = np.bincount(row, minlength=column.rows)
        place, field = self.postings.spread(gram)
        key, count = np.unique(row[place] * max(len(self.items), 1) + field, return_counts=True)
        row, field = np.divmod(key, max(len(self.items), 1))
        share = count / np.maximum(self.totals[field], 1)
        enough = (share >= self.bounds[field]) & (count >= self.min_overlap)
        order = np.lexsort((-field, count, share, enough, row))  # the last of each row is its best
        best = order[np.flatnonzero(np.diff(row[order], append=-1))]
        hits = replace(Hits.none(overlap), spans=self._spans(near, key[enough], key[best]))
        hits.item[row[best]], hits.score[row[best]], hits.found[row[best]] = self.items[field[best]], share[best], enough[best]
        return hits

    def _spans(self, near: Near, enough: Ints, best: Ints) -> Spans:
        """Runs of n-grams of the fields that are enough, by (row, field) in one number; overlapping ones are one run."""
        width = max(len(self.items), 1)
        maybe = np.flatnonzero(np.isin(near.rows, np.unique(enough // width)))
        place, field = self.postings.spread(near.grams[maybe])
        key = near.rows[maybe][place] * width + field
        ours = np.isin(key, enough)
        at, key = maybe[place[ours]], key[ours]
        first, last = near.terms[at], near.terms[at] + self.lengths[near.grams[at]]
        order = np.lexsort((first, key))
        return runs(key[order], first[order], last[order], width, best)


def runs(key: Ints, first: Ints, last: Ints, width: int, best: Ints) -> Spans:
    """Spans of n-grams of one key (row * width + field), joined where they touch; they come sorted by key and first term."""
    starts = np.flatnonzero(np.append(True, (np.diff(key) != 0) | (first[1:] > last[:-1])))[: len(key)]
    lasts = np.maximum.reduceat(last, starts) if len(key) else last
    return Spans(key[starts] // width, first[starts], lasts, np.isin(key[starts], best))


def _fields(item: Item, few: bool) -> Iterator[tuple[str, bool]]:
    """The texts of an item that are looked for, and whether each asks: a question of too few words does with its answer."""
    if item.question:
        yield item.question, True
    if item.question and few:
        yield from ((f"{item.question}\n{answer}", True) for answer in item.answers)
    yield from ((text, False) for text in (*item.answers, *item.others))
