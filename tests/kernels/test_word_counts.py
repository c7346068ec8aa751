"""Counts of words and lines equal their plain twins on any text."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import example, given
from texts import any_rows, column

from pipeline.kernels import words as kernel
from pipeline.kernels.arrow import encoded, texts

STOPS = ["the", "of", "日本", "a", "word", "x" * 70]


@example([".", "......", "a.... b", "..", ".", ". …"])
@given(any_rows)
def test_word_counts_equal_their_twin(rows: list[str | None]) -> None:
    counts = kernel.word_counts(texts(column(rows)), encoded(STOPS))
    assert counts.tolist() == [reference.word_counts(row or "", STOPS) for row in rows]


@given(any_rows)
def test_line_counts_equal_their_twin(rows: list[str | None]) -> None:
    assert kernel.line_counts(texts(column(rows))).tolist() == [reference.line_counts(row or "") for row in rows]


@given(any_rows)
def test_words_are_those_of_split(rows: list[str | None]) -> None:
    views = texts(column(rows))
    numbers = [len((row or "").split()) for row in rows]
    assert kernel.number_of_words(views).tolist() == numbers
    for row, number in enumerate(numbers):
        bounds = int(views.offsets[row]), int(views.offsets[row + 1])
        enough = [kernel.has_words(views.data, *bounds, kernel.classes(), least) for least in range(6)]
        assert enough == [number >= least for least in range(6)]


@pytest.mark.parametrize("stops", [[], ["the"], ["x" * 63, "x" * 64, "x" * 65]])
def test_stop_words_of_any_number_and_length(stops: list[str]) -> None:
    text = f"the {'x' * 63} then the {'x' * 65} The"
    counts = kernel.word_counts(texts(column([text])), encoded(stops))
    assert counts[0, kernel.STOP_WORDS] == len(set(stops) & set(text.split()))


def test_no_rows() -> None:
    none = texts(column([]))
    assert kernel.word_counts(none, encoded(STOPS)).shape == (0, 10)
    assert kernel.line_counts(none).shape == (0, 7)
    assert np.array_equal(kernel.number_of_words(none), [])
