"""Phrases are found wherever and however they are written, and only there."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import ascii_lower

from pipeline.kernels.arrow import texts
from pipeline.kernels.phrases import flanked, found_phrases, has_flanked, phrases

WORDS = ["ab", "aba", "b a", "É!", "zz", "a{", "{"]
letters = st.text(st.sampled_from("abBAzZ {É!\n"), max_size=40)


flanked_once = cache(flanked)


def raw(text: str) -> np.ndarray:
    return texts(pa.array([text], pa.large_string())).data


@given(letters, st.lists(st.sampled_from(WORDS), unique=True))
def test_phrases_found_are_those_that_occur(text: str, wanted: list[str]) -> None:
    groups = {phrase: 1 << number for number, phrase in enumerate(wanted)}
    found = found_phrases(raw(text), 0, len(raw(text)), phrases(groups))
    assert found == sum(bits for phrase, bits in groups.items() if ascii_lower(phrase) in ascii_lower(text))


@given(letters, st.lists(st.sampled_from(WORDS[:-1]), unique=True))
def test_flanked_words_stand_between_characters_other_than_letters(text: str, words: list[str]) -> None:
    for listed in (words, *([word] for word in words)):
        pattern = "|".join(f"(?<![a-z]){re.escape(ascii_lower(word))}(?![a-z])" for word in listed)
        found = has_flanked(raw(text), 0, len(raw(text)), flanked_once(tuple(listed)))
        assert found == bool(listed and re.search(pattern, ascii_lower(text)))


@pytest.mark.parametrize(("text", "found"), [("ab", True), ("abc", False), ("cab", False), ("ab ab", True), ("-AB-", True), ("éabé", True)])
def test_letters_on_either_side_hide_a_word(text: str, found: bool) -> None:
    assert has_flanked(raw(text), 0, len(raw(text)), flanked_once(("ab",))) == found


def test_what_lies_outside_the_bounds_is_not_found() -> None:
    data = raw("use cookies")
    assert found_phrases(data, 0, len(data), phrases({"cookies": 1, "use": 2})) == 3
    assert found_phrases(data, 1, len(data) - 1, phrases({"cookies": 1, "use": 2})) == 0
    assert found_phrases(data, 5, len(data), phrases({"cookies": 1})) == 0


@pytest.mark.parametrize("wrong", [{"": 1}, {"fine": 1, "": 2}])
def test_an_empty_phrase_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="empty"):
        phrases(wrong)


def test_a_word_of_one_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="two bytes"):
        flanked(["fine", "x"])
