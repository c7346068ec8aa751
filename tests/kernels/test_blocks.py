"""Words by blocks are those of `str.split`, wherever in a block a text starts, ends, or has its white space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from texts import any_rows, column

from pipeline.kernels import blocks as kernel
from pipeline.kernels.arrow import texts
from pipeline.kernels.unicode import classes

SPACES = [" ", "\x0b \n", "\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u3000", "\u3000\u3000", " \u2003"]


def words_of(rows: list[str | None]) -> list[list[bytes]]:
    """The words of each row, as the kernel finds them; it must count as many."""
    views = texts(column(rows))
    starts, stops = np.empty((2, kernel.most_pieces(views.offsets, views.data) if rows else 0), np.int64)
    found = []
    for start, end in zip(views.offsets[:-1].tolist(), views.offsets[1:].tolist(), strict=True):
        number = kernel.find_words(views.data, start, end, classes(), starts, stops)
        assert number == kernel.count_words(views.data, start, end, classes())
        found.append([views.data[first:last].tobytes() for first, last in zip(starts[:number], stops[:number], strict=True)])
    return found


@given(any_rows)
def test_words_are_those_of_split(rows: list[str | None]) -> None:
    assert words_of(rows) == [[word.encode() for word in (row or "").split()] for row in rows]


@pytest.mark.parametrize("space", SPACES, ids=ascii)
@pytest.mark.parametrize("letter", ["a", "é", "ア", "😀"])
def test_white_space_anywhere_about_the_end_of_a_block(space: str, letter: str) -> None:
    rows = [f"{'x' * before}{space}{letter * after}" for before in range(58, 68) for after in (0, 1, 30, 64)]
    assert words_of([*rows]) == [[word.encode() for word in row.split()] for row in rows]


@pytest.mark.parametrize("letter", ["a", "é", "ア", "😀"])
def test_texts_that_end_about_the_end_of_a_block(letter: str) -> None:
    rows = [letter * number for number in range(70)]
    assert words_of([*rows]) == [[row.encode()] if row else [] for row in rows]
