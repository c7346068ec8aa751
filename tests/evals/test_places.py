"""Passages are cut with what stands around them, in characters of any width; what is left is what brute force leaves."""

from __future__ import annotations

import re

import numpy as np
import reference
from hypothesis import given
from hypothesis import strategies as st
from texts import column

from pipeline.evals.places import pieces, places
from pipeline.evals.postings import Spans
from pipeline.kernels.arrow import texts

WORDS = st.lists(st.sampled_from(["word", "größe", "東", "é", "x" * 30, "\U00020000"]), min_size=8, max_size=60)


@given(WORDS, st.lists(st.tuples(st.integers(0, 6), st.integers(1, 2)), min_size=1, max_size=4), st.integers(0, 40))
def test_cutting_leaves_what_brute_force_leaves(words: list[str], runs: list[tuple[int, int]], margin: int) -> None:
    text = " ".join(words)
    ends = [found.span() for found in re.finditer(r"\S+", text)]
    assert [reference.terms(word) for word in words] == [[word] for word in words]
    firsts, lasts = np.array([a for a, _ in runs], np.int64), np.array([a + b for a, b in runs], np.int64)
    spans = Spans(np.ones(len(runs), np.int64), firsts, lasts, np.ones(len(runs), np.bool_))
    (place,) = places(texts(column(["another text", text])), spans)
    gone = np.zeros(len(text) + 1, np.bool_)
    for first, last in zip(firsts, lasts, strict=True):
        gone[max(ends[first][0] - margin, 0) : ends[last - 1][1] + margin] = True
    kept, passages = pieces(place, margin, 10)
    marked = "".join("\0" if gone[k] else char for k, char in enumerate(text))
    assert kept == [piece for piece in re.split("\0+", marked) if len(piece) >= 10]
    assert passages == len(re.findall("\0+", marked))
    assert place.row == 1


def test_the_longest_span_of_the_item_named_is_shown() -> None:
    spans = Spans(np.zeros(3, np.int64), np.array([0, 2, 5]), np.array([1, 4, 9]), np.array([True, True, False]))
    (place,) = places(texts(column(["One, two; three — four. Five six seven eight nine"])), spans)
    assert place.matched == "three — four"


def test_what_is_shown_has_a_bound() -> None:
    spans = Spans(np.zeros(1, np.int64), np.array([0]), np.array([400]), np.ones(1, np.bool_))
    (place,) = places(texts(column(["東" * 400])), spans)
    assert place.matched == "東" * 200


def test_nothing_found_is_no_place() -> None:
    none = np.zeros(0, np.int64)
    assert list(places(texts(column(["a"])), Spans(none, none, none, np.zeros(0, np.bool_)))) == []
