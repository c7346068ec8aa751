"""The estimate of tokens is what its regular expression says, and near what a tokenizer makes of real texts."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.estimated import estimated_tokens

PIECE = re.compile(rb"[A-Za-z\x80-\xff]{1,6}|[0-9]{1,3}|[\t-\r]+|[^A-Za-z\x80-\xff0-9\t-\r ]{1,2}")
TEXTS = st.text(st.sampled_from("abcXYZ 0123456789.,-_\n\t\réß中文😀\x00\x7f")) | st.text()


@given(st.lists(st.none() | TEXTS))
def test_it_counts_pieces(contents: list[str | None]) -> None:
    column = pa.array(["before", *contents], pa.large_string())[1:]
    assert estimated_tokens(column).tolist() == [len(PIECE.findall((content or "").encode())) for content in contents]


def test_a_word_a_number_and_a_blank() -> None:
    assert estimated_tokens(pa.array(["", " ", "the house", "understanding", "12345", "a\n\n\nb", "==== x", None])).tolist() == [
        0, 0, 2, 3, 2, 3, 3, 0,
    ]  # fmt: skip


def test_it_is_near_the_words_of_a_book(corpus: Path) -> None:
    """English takes about 1.3 tokens a word."""
    book = gzip.decompress(sorted((corpus / "books").glob("*.gz"))[0].read_bytes()).decode("latin-1")
    assert 1.1 < estimated_tokens(pa.array([book]))[0] / len(book.split()) < 1.9
