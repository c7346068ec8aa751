"""The index of n-grams beside brute force over tuples of words: shares, hits, spans, for any items and documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from texts import column

from pipeline.evals.items import Item
from pipeline.evals.overlap import Overlap
from pipeline.kernels.arrow import texts

Gram = tuple[str, ...]

TEXT = st.lists(st.sampled_from(["a", "B", "c", "d", "é,", "東", "g", "h"]), min_size=2, max_size=12).map(" ".join)
ITEMS = st.lists(st.builds(Item, st.just("x"), TEXT, st.tuples(TEXT), st.just(""), st.tuples(TEXT)), min_size=1, max_size=4)
NGRAM, SHORT, SHARE, MAX_ITEMS = 6, 2, 0.5, 2


def fields_of(items: Sequence[Item]) -> list[tuple[int, set[Gram], float]]:
    """(item, its n-grams without the template, the share to be reached) of every text that is looked for."""
    out = []
    for number, item in enumerate(items):
        asked = [item.question, *(f"{item.question} {answer}" for answer in item.answers)] if item.question else []
        asked = asked[: 1 if len(reference.terms(item.question)) >= SHORT else None]
        for text, asks in [*((text, True) for text in asked), *((text, False) for text in (*item.answers, *item.others))]:
            words = reference.terms(text)
            size = NGRAM if len(words) >= NGRAM else SHORT
            if len(set(words)) >= 4 and (size == NGRAM or asks):
                out.append((number, set(reference.ngrams(text, size)), SHARE if size == NGRAM else 1.0))
    holders = defaultdict(set)
    for number, grams, _ in out:
        for gram in grams:
            holders[gram].add(number)
    return [(number, {gram for gram in grams if len(holders[gram]) <= MAX_ITEMS}, bound) for number, grams, bound in out]


@given(ITEMS, st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=3), max_size=4), TEXT)
def test_shares_are_those_of_brute_force(items: list[Item], chosen: list[list[int]], between: str) -> None:
    pieces = [text for item in items for text in (item.question, *item.answers, *item.others)] or [between]
    documents = [f" {between} ".join(pieces[number % len(pieces)] for number in numbers) for numbers in chosen]
    index = Overlap.of(items, np.zeros(0, np.uint64), ngram=NGRAM, short=SHORT, min_share=SHARE, min_overlap=1, max_items=MAX_ITEMS)
    hits = index.look_up(texts(column([*documents])))
    fields = fields_of(items)
    for row, text in enumerate(documents):
        held = set(reference.ngrams(text, NGRAM)) | set(reference.ngrams(text, SHORT))
        known = set().union(*(grams for _, grams, _ in fields))
        shares = [(len(grams & held) / len(grams) if grams else 0.0, bound, number) for number, grams, bound in fields]
        enough = [(share, number) for share, bound, number in shares if share and share >= bound]
        assert hits.overlap[row] == len(held & known)
        assert hits.found[row] == bool(enough)
        best = max((share for share, _ in enough), default=max((share for share, _, _ in shares), default=0.0))
        assert hits.score[row] == pytest.approx(best)
        assert hits.item[row] in {number for share, _, number in shares if share == pytest.approx(best)} or best == 0
        spans = hits.spans.rows == row
        assert spans.any() == bool(enough)
        for first, last in zip(hits.spans.firsts[spans], hits.spans.lasts[spans], strict=True):
            assert set(reference.ngrams(" ".join(reference.terms(text)[first:last]), SHORT)) <= held
            assert 0 <= first < last <= len(reference.terms(text))
