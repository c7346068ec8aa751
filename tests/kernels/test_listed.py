"""Words of a list are counted where a plain twin finds them, in any script."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import any_rows, column

from pipeline.kernels.arrow import texts
from pipeline.kernels.listed import listed, occurrences
from pipeline.kernels.unicode import TERM, classes, lowercase

WORDS = ("bad", "bad word", "word", "ba", "b", "É", "ÉÀ", "b@d", "$", "ß", "日本", "本", "ไทย", "straße", "😀", "the", "İ")
PIECES = (*WORDS, "BAD", "Bad Word", "é", "éà", "ﬁ", "x", "1", "_", "-", " ", " ", " ", "\n", "e\u0301", "日", "a", "\u0301", "i")
near_misses = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U00032fff"

listed_once = cache(listed)


def lowered(text: str) -> str:
    return "".join(chr(lowercase()[ord(char)]) if ord(char) < 0x33000 else char for char in text)


def joins(char: str) -> bool:
    return ord(char) < 0x33000 and bool(classes()[ord(char)] & TERM) and not re.match(f"[{UNSPACED}]", char)


def twin(text: str, words: tuple[str, ...]) -> int:
    text, spelt, count, i = lowered(text), sorted(set(map(lowered, words)), key=len, reverse=True), 0, 0
    while i < len(text):
        ends = [i + len(word) for word in spelt if text.startswith(word, i)]
        stop = next((end for end in ends if end == len(text) or not joins(text[end])), 0)
        free = i == 0 or not joins(text[i - 1])
        count, i = (count + 1, stop) if stop and free else (count, i + 1)
    return count


@given(st.lists(near_misses, max_size=4), st.lists(st.sampled_from(WORDS), unique=True).map(tuple))
def test_words_are_counted_as_their_twin_does(rows: list[str], words: tuple[str, ...]) -> None:
    assert occurrences(texts(column([*rows])), listed_once(words)).tolist() == [twin(row, words) for row in rows]


@given(any_rows)
def test_any_text_is_counted_as_its_twin_does(rows: list[str | None]) -> None:
    assert occurrences(texts(column(rows)), listed_once(WORDS)).tolist() == [twin(row or "", WORDS) for row in rows]


def test_pages_of_the_corpus_are_counted_as_their_twin_does(some_pages: list[str]) -> None:
    words = ("the", "of the", "page", "http", "s")
    assert occurrences(texts(column([*some_pages[:20]])), listed_once(words)).tolist() == [twin(page, words) for page in some_pages[:20]]


def test_the_longest_word_goes_first() -> None:
    rows = texts(column(["bad word, bad", "bad words"]))
    assert occurrences(rows, listed(["bad", "word", "bad word"])).tolist() == [2, 1]


def test_a_word_without_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match="character"):
        listed(["fine", ""])


def test_a_word_is_found_wherever_it_stands_and_not_in_the_middle_of_another() -> None:
    alone, within = ([filling * size + "bad" for size in range(1, 200)] for filling in " x")
    words = listed(["bad"])
    assert occurrences(texts(column([*alone])), words).tolist() == [1] * 199
    assert occurrences(texts(column([*within])), words).tolist() == [0] * 199
