"""C4's clean-up equals its plain twin: the text that is left, and every count."""

from __future__ import annotations

from functools import cache

import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from texts import any_rows, any_text, column

from pipeline.kernels import c4 as kernel
from pipeline.kernels.arrow import large_strings, texts
from pipeline.kernels.phrases import flanked, phrases

PHRASES = phrases(
    {
        "lorem ipsum": kernel.LOREM,
        "javascript": kernel.ON_JAVASCRIPT,
        "{": kernel.CURLY,
        **dict.fromkeys(reference.POLICY, kernel.ON_POLICY),
    }
)
SENTENCES = (
    "This line is long enough to stay.", 'He said "use it." and left!', "JavaScript must be switched on, they say.",
    "A reference[1] and another [23] end here.", "We use cookies to make this page better.", "Too short.",
    "No mark at the end of this line", "And so it goes on, and on...", "Lorem Ipsum is filler text, as you know.",
    "An open { brace in a sentence like this.", 'Mr. Smith is two sentences? Yes! (Three.) Or "four".',
    "   white space around it, but not for long.  ", "A bad word is in here, for once.",
)  # fmt: skip
pages = st.lists(st.one_of(st.sampled_from(SENTENCES), any_text), max_size=8).map("\n".join)
rules = st.builds(kernel.Rules, st.integers(0, 1), st.integers(0, 6), st.sampled_from([0, 3, 1000]), st.integers(0, 1))
bad_words = st.sampled_from([(), ("bad",), ("Bad Word", "switched", "it.")])
flanked_once = cache(flanked)


def cleaned(rows: list[str], asked: kernel.Rules, bad: tuple[str, ...]) -> list[tuple[str, list[int]]]:
    offsets, data, counts = kernel.clean_pages(texts(column([*rows])), asked, PHRASES, flanked_once(bad))
    return list(zip(large_strings(offsets, data).to_pylist(), counts.tolist(), strict=True))


def plain(rows: list[str], asked: kernel.Rules, bad: tuple[str, ...]) -> list[tuple[str, list[int]]]:
    arguments = bool(asked.end_mark), asked.min_words, asked.max_word_chars, bool(asked.citations), bad
    found = [reference.clean_page(row, *arguments) for row in rows]
    return [(text, list(counts.values())) for text, counts in found]


@given(st.lists(pages, max_size=4), rules, bad_words)
def test_pages_are_cleaned_as_their_twin_does(rows: list[str], asked: kernel.Rules, bad: tuple[str, ...]) -> None:
    assert cleaned(rows, asked, bad) == plain(rows, asked, bad)


@given(any_rows, rules)
def test_any_text_is_cleaned_as_its_twin_does(rows: list[str | None], asked: kernel.Rules) -> None:
    given_rows = [row or "" for row in rows]
    assert cleaned(given_rows, asked, ()) == plain(given_rows, asked, ())


def test_pages_of_the_corpus_are_cleaned_as_their_twin_does(some_pages: list[str]) -> None:
    for asked in (kernel.Rules(1, 5, 1000, 1), kernel.Rules(0, 0, 0, 0)):
        assert cleaned(some_pages, asked, ("cheap",)) == plain(some_pages, asked, ("cheap",))


@given(any_text)
def test_sentences_equal_their_twin(text: str) -> None:
    for line in text.splitlines():
        found = cleaned([line], kernel.Rules(0, 0, 0, 0), ())[0][1]
        if found[kernel.KEPT]:
            assert found[kernel.SENTENCES] == reference.number_of_sentences(line.strip())


@pytest.mark.parametrize("text", ["[" * 100_000, ". " * 100_000, "[1" * 50_000, "a. " * 60_000, "{" * 10, "\n" * 100_000, "…\n" * 9])
def test_the_worst_lines_are_cleaned_in_one_go(text: str) -> None:
    asked = kernel.Rules(0, 0, 1000, 1)
    assert cleaned([text, "an end."], asked, ("bad",)) == plain([text, "an end."], asked, ("bad",))
