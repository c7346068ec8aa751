"""Repetition counts equal their plain twin, on any text and on texts that do nothing but repeat."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from texts import any_rows, any_text, column

from pipeline.kernels import hashing
from pipeline.kernels.arrow import texts
from pipeline.kernels.repetition import repetition_counts

#: Few words, so that n-grams of every size repeat; some join to the same bytes in different ways.
repetitive = st.lists(st.sampled_from(["a", "b", "ab", "ba", "aab", "longword", "日", "\n", "\n\n"]), max_size=120).map(" ".join)


@given(any_rows)
def test_counts_equal_their_twin(rows: list[str | None]) -> None:
    assert repetition_counts(texts(column(rows))).tolist() == [reference.repetition_counts(row or "") for row in rows]


@given(st.lists(repetitive, max_size=4))
def test_counts_of_repetitive_texts_equal_their_twin(rows: list[str]) -> None:
    assert repetition_counts(texts(column([*rows]))).tolist() == [reference.repetition_counts(row) for row in rows]


@given(any_text, st.integers(2, 5))
def test_a_text_repeated_whole(text: str, times: int) -> None:
    for mark in ("\n", "\n\n", " "):
        again = mark.join([text] * times)
        assert repetition_counts(texts(column([again]))).tolist() == [reference.repetition_counts(again)]


@pytest.mark.parametrize(
    "text",
    ["word " * 20_000, "x" * 200_000, "a\n" * 50_000, "\n" * 50_000, "ab " * 7 + "ab", "one two three four five " * 3_000],
    ids=["one word", "one long word", "one line", "newlines", "few words", "one phrase"],
)
def test_the_worst_texts_cost_no_more_than_their_length(text: str) -> None:
    assert repetition_counts(texts(column([text, "x y", text[:50]])))[0].tolist() == reference.repetition_counts(text)


def test_documents_of_the_corpus_count_as_their_twin_does(some_pages: list[str]) -> None:
    assert repetition_counts(texts(column([*some_pages]))).tolist() == [reference.repetition_counts(page) for page in some_pages]


def test_a_table_that_ran_out_of_numbers_is_cleared() -> None:
    slots = pa.array([5, 6], pa.int32()).to_numpy().copy()
    assert hashing.next_base(slots, 7, 3) == 10
    assert slots.tolist() == [5, 6]
    assert hashing.next_base(slots, (1 << 30) - 2, 3) == 1
    assert slots.tolist() == [0, 0]


def test_hashes_differ_for_different_bytes() -> None:
    draw = random.Random(7)
    pieces = {bytes(draw.choices(b"ab\0", k=draw.randint(0, 40))) for _ in range(3000)}
    found = {}
    for piece in pieces:
        raw = texts(pa.array(["." + piece.decode() + "." * 8], pa.large_string())).data
        whole = hashing.hash_bytes(raw, 1, 1 + len(piece)), hashing.hash_padded(raw, 1, 1 + len(piece))
        found[piece] = whole
    assert len({whole for whole, _ in found.values()}) == len({short for _, short in found.values()}) == len(pieces)
