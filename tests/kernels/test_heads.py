"""Phrases in the heads of texts: the kernels equal their twins."""

from __future__ import annotations

import reference_code
from hypothesis import given
from hypothesis import strategies as st
from texts import column

from pipeline.kernels.arrow import texts
from pipeline.kernels.heads import first_places, found_in_lines, word_phrases
from pipeline.kernels.phrases import phrases

WANTED = ["mit license", "license", "version 2", "version 2 0", "a b", "b"]
PIECES = (
    "MIT",
    "mit",
    "License",
    "licenses",
    "\n# ",
    " ",
    "-",
    "version",
    "2",
    "0",
    "2.0",
    "v2",
    "é",
    "日",
    "a",
    "b",
    "A",
    "\x85",
    "\r\n",
    "K",
)
any_head = st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=40).map("".join)
few_words = st.lists(st.sampled_from(["a", "b", "MIT", "license", "version", "2", "0"]), max_size=12).map("\n".join)
any_heads = st.lists(st.none() | any_head | few_words, max_size=4)


@given(any_heads)
def test_first_places_equal_their_twin(rows: list[str | None]) -> None:
    found = first_places(texts(column(rows)), word_phrases(WANTED))
    assert found.tolist() == [reference_code.first_places(row or "", WANTED) for row in rows]


@given(any_heads, st.integers(0, 5))
def test_found_in_lines_equals_its_twin(rows: list[str | None], lines: int) -> None:
    found = found_in_lines(texts(column(rows)), lines, phrases({"license": 1, "version2": 2, "é": 4}))
    heads = ["".join((row or "").splitlines(keepends=True)[:lines]) for row in rows]
    lowered = ["".join(char.lower() if char.isascii() else char for char in head) for head in heads]
    assert found.tolist() == [sum(bit for phrase, bit in (("license", 1), ("version2", 2), ("é", 4)) if phrase in head) for head in lowered]
