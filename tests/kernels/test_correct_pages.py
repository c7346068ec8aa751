"""RefinedWeb's corrections equal their plain twin: the text that is left, and every count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_lines import Asked, correct_page
from texts import any_rows, any_text, column

from pipeline.kernels import refinedweb as kernel
from pipeline.kernels.arrow import encoded, large_strings, texts

LINES = (
    "This line stays as it is.", "  indented, and stays so  ", "THIS IS loud", "This Is Not", "1234", " 12 34 ", "٣٤", "²", "3 likes",
    "* 1,204.5K Likes!", "3\u2003likes", "likes 3", "3 likes it", "Home", "Sign-in", "Sign-in to read this", "Sign-inside the door",
    "The story so far Read more...", "Read more...", "3 items in cart", "a  items in cart items in CART b", "items in cart",
    "A line of eleven words in all, so that it can be read more...", "", "", "", " ", "\r", "é Read More...", "Read more...  items in cart",
)  # fmt: skip
pages = st.lists(st.one_of(st.sampled_from(LINES), any_text), max_size=8).map("\n".join)
asked = st.builds(
    Asked,
    st.sampled_from([None, 0.0, 0.5]),
    st.sampled_from([None, 0.5, 0.999999]),
    st.integers(0, 3),
    st.sampled_from([None, 3, 10]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([(), ("likes",), ("likes it", "likes")]),
    st.sampled_from([(), ("items in cart",), ("word", "the", "a")]),
    st.sampled_from([(), ("read more...",), ("more...", "...", ".")]),
    st.sampled_from([(), ("sign-in",), ("the", "a", "é")]),
)


def corrected(rows: list[str], rules: Asked) -> list[tuple[str, list[int]]]:
    endless = float("inf")
    bounds = kernel.Bounds(
        endless if rules.max_uppercase is None else rules.max_uppercase,
        endless if rules.max_numeric is None else rules.max_numeric,
        rules.min_words,
        -1 if rules.max_cut_words is None else rules.max_cut_words,
        rules.max_newlines or -1,
    )
    wanted = kernel.Wanted(*(encoded(list(phrases)) for phrases in (rules.counters, rules.anywhere, rules.at_end, rules.at_start)))
    offsets, data, counts = kernel.correct_pages(texts(column([*rows])), bounds, wanted)
    return list(zip(large_strings(offsets, data).to_pylist(), counts.tolist(), strict=True))


def plain(rows: list[str], rules: Asked) -> list[tuple[str, list[int]]]:
    return [(text, list(counts.values())) for text, counts in (correct_page(row, rules) for row in rows)]


@given(st.lists(pages, max_size=4), asked)
def test_pages_are_corrected_as_their_twin_does(rows: list[str], rules: Asked) -> None:
    assert corrected(rows, rules) == plain(rows, rules)


@given(any_rows)
def test_any_text_is_corrected_as_its_twin_does(rows: list[str | None]) -> None:
    given_rows = [row or "" for row in rows]
    assert corrected(given_rows, Asked()) == plain(given_rows, Asked())


def test_pages_of_the_corpus_are_corrected_as_their_twin_does(some_pages: list[str]) -> None:
    for rules in (Asked(), replace(Asked(), max_newlines=1, max_uppercase=0.1, anywhere=("the",))):
        assert corrected(some_pages, rules) == plain(some_pages, rules)


def test_every_code_point_has_the_shape_that_python_gives_it() -> None:
    table = kernel.shapes()
    points = [chr(point) for point in range(len(table))]
    assert np.array_equal((table & 1) != 0, [char.isupper() for char in points])
    assert np.array_equal((table & 8) != 0, [char.isdigit() for char in points])


@pytest.mark.parametrize(
    "text", ["\n" * 100_000, "a " * 100_000, "1" * 100_000, "1," * 50_000, "sign-in " * 9, "! " * 90_000, "\n \n" * 9_000]
)
def test_the_worst_pages_are_corrected_in_one_go(text: str) -> None:
    assert corrected([text, "an end."], Asked()) == plain([text, "an end."], Asked())
