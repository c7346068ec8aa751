"""Texts to try kernels and filters on: any Unicode, and pieces that their rules look at, drawn by hypothesis."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import strategies as st

#: White space and line ends of every kind, marks, quotes, brackets, bullets, words in several scripts, all in a few bytes.
PIECES = (
    "a", "b", "ab", "word", "The", "the", "of", "x" * 20, "é", "e\u0301", "日本", "😀", "\U000e0101", "\U0001d54f", "٣", "½",
    " ", "  ", "\t", "\n", "\n\n", "\n\n\n", "\r\n", "\r", "\x0b", "\x1c", "\x1f", "\x85", "\xa0", "\u1680", "\u2003", "\u2028",
    "\u202f", "\u205f", "\u3000", "\u200b", "\x00",
    ".", "..", "...", "......", "…", "?", "!", "。", "-", "•", "#", "\"", "'", "’", "”", ")", "[", "]", "[1]", "[٣]", "[]", "[edit]",
    "[Edit]", "[citation needed]", "{", "}", "_", "lorem ipsum", "Lorem Ipsum", "JavaScript", "use cookies", "Terms of Use",
)  # fmt: skip

#: Texts made of the pieces above, and of characters from all of Unicode (surrogates can't be in UTF-8).
any_text = st.lists(st.one_of(st.sampled_from(PIECES), st.text(st.characters(exclude_categories=["Cs"]), max_size=3)), max_size=60).map(
    "".join
)
#: Columns as batches bring them: some rows null, some empty.
any_rows = st.lists(st.one_of(st.none(), any_text), max_size=6)


def column(rows: list[str | None]) -> pa.Array:
    """The rows as a slice of a longer column, as they stand in a batch that was cut from another."""
    return pa.array(["before ..", *rows, ".after\n"], pa.large_string()).slice(1, len(rows))
