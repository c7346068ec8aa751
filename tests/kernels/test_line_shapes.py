"""What FineWeb's rules measure equals its plain twin."""

from __future__ import annotations

import reference
from hypothesis import given
from hypothesis import strategies as st
from texts import any_rows, column

from pipeline.kernels.arrow import texts
from pipeline.kernels.lines import line_shapes
from pipeline.kernels.unicode import END, classes

ENDS = frozenset(chr(point) for point, bits in enumerate(classes()) if bits & END)


@given(any_rows, st.integers(0, 12))
def test_shapes_equal_their_twin(rows: list[str | None], short: int) -> None:
    assert line_shapes(texts(column(rows)), short).tolist() == [reference.line_shapes(row or "", short, ENDS) for row in rows]


def test_shapes_of_pages_equal_their_twin(some_pages: list[str]) -> None:
    counts = line_shapes(texts(column([*some_pages])), 30).tolist()
    assert counts == [reference.line_shapes(page, 30, ENDS) for page in some_pages]


def test_one_line_repeated() -> None:
    text = "the same line again\n" * 30_000
    assert line_shapes(texts(column([text])), 30).tolist() == [reference.line_shapes(text, 30, ENDS)]


def test_no_rows() -> None:
    assert line_shapes(texts(column([])), 30).shape == (0, 7)
