"""RefinedWeb's corrections: what is left of a page, why it is dropped, and what the report says was edited."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pipeline.contracts import Bound, Verdicts
from pipeline.filters.refinedweb import refinedweb
from pipeline.schema import DOC

#: 100 words, so that a share of .05 is five of them.
PROSE = "\n".join(["Ten words of prose stand in each of these lines."] * 10)


def corrected(*texts: str, **rules: Any) -> Verdicts:
    rows = [{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(texts)]
    return refinedweb(pa.RecordBatch.from_pylist(rows, schema=DOC), **rules)


def left(line: str, **rules: Any) -> str:
    """What is left of a line below some prose."""
    found = corrected(f"{PROSE}\n{line}", **rules).text
    assert found is not None
    page: str = found[0].as_py()
    assert page.startswith(PROSE)
    return page.removeprefix(PROSE).removeprefix("\n")


def made(line: str, **rules: Any) -> dict[str, int]:
    return {kind: number for kind, number in corrected(f"{PROSE}\n{line}", **rules).edits.items() if number}


@pytest.mark.parametrize(
    ("line", "edit", "off"),
    [
        ("ABCD ef", "uppercase", {"max_uppercase": None}),
        ("1234567890", "numeric", {"max_numeric": None, "min_words_per_line": None}),
        ("* 1,204.5k Likes!", "counter", {"counters": None}),
        ("Home", "few_words", {"min_words_per_line": None}),
        ("Sign-in", "cut", {"max_cut_words": None, "min_words_per_line": None}),
    ],
)
def test_lines_that_break_a_rule_go_and_are_counted(line: str, edit: str, off: dict[str, Any]) -> None:
    only = {"min_words_per_line": None} if edit == "cut" else {}
    assert (left(line, **only), made(line, **only)) == ("", {edit: 1})
    assert (left(line, **off), made(line, **off)) == (line, {})


@pytest.mark.parametrize(
    ("below", "at", "above", "rules"),
    [
        ("ABC def g", "ABCD efg", "ABCDE fg", {}),  # 3 of 9, 4 of 8, 5 of 8
        ("1234 abcde", "12345 abcd", "123456 abc", {"max_numeric": 0.5}),
    ],
)
def test_shares_are_of_all_characters_and_must_be_exceeded(below: str, at: str, above: str, rules: dict[str, Any]) -> None:
    assert [left(line, **rules) for line in (below, at, above)] == [below, at, ""]


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("3 likes", False),
        ("3 like", True),
        ("3likes it", True),
        ("3k  shares", False),
        ("3kk shares", True),
        ("~ 1.204,5 VIEWS ~", False),
        ("3 views today", True),
        ("some 3 views", True),
        ("٣ comments", False),
    ],
)
def test_a_counter_is_a_number_and_a_noun_alone(line: str, stays: bool) -> None:
    assert left(line) == (line if stays else "")


def test_what_is_counted_is_the_callers() -> None:
    assert left("3 Kommentare", counters=["kommentare"]) == ""
    assert left("3 likes", counters=["kommentare"]) == "3 likes"


def test_a_line_needs_two_words() -> None:
    assert [left(line) for line in ("one", "one two", "one two three")] == ["", "one two", "one two three"]
    assert [left(line, min_words_per_line=3) for line in ("one two", "one two three")] == ["", "one two three"]


@pytest.mark.parametrize(
    ("line", "cut"),
    [
        ("Sign-in to read on", "to read on"),
        ("Please sign-in here", "Please sign-in here"),
        ("The story so far Read more...", "The story so far"),
        ("Read more... of the story", "Read more... of the story"),
        ("Read more now", "Read more now"),
        ("There are 3 Items in Cart today", "There are 3 today"),
        ("  sign-in READ MORE... items in cart ", ""),
        ("one two three four five six seven eight nine Sign-in", "one two three four five six seven eight nine Sign-in"),
        ("Sign-in two three four five six seven eight nine ten", "two three four five six seven eight nine ten"),
        ("Sign-in two three four five six seven eight nine ten eleven", "Sign-in two three four five six seven eight nine ten eleven"),
    ],
)
def test_phrases_are_cut_out_of_short_lines(line: str, cut: str) -> None:
    assert left(line) == cut
    assert made(line, max_removed=None) == ({} if cut == line else {"cut": 1})


def test_a_phrase_that_begins_as_another_does_is_found_in_any_order() -> None:
    assert left("more of it, read more", cut_at_end=["more", "read more"]) == "more of it,"
    assert left("more of it, read more", cut_at_end=["read more", "more"]) == "more of it,"


def test_newlines_in_a_row_are_limited_where_lines_went_too() -> None:
    assert left("\n\n\nThe end.") == "\nThe end."
    assert made("\n\n\nThe end.") == {"newlines": 1}
    assert left("\nOne line.\nTwo lines.") == "\nOne line.\nTwo lines."
    assert left("\n\nHome\n\nThe end.") == "\nThe end."
    assert left("\n\n\nThe end.", max_newlines=3) == "\n\nThe end."
    assert left("\n\n\nThe end.", max_newlines=None) == "\n\n\nThe end."
    with pytest.raises(ValueError, match="newline"):
        left("The end.", max_newlines=0)


def test_a_page_may_lose_five_percent_of_its_words() -> None:
    prose = PROSE.split("\n")
    pages = ["\n".join([*prose[:9], "six words are left in here,", *["Home"] * lost]) for lost in (4, 5, 6)]
    found = corrected(*pages)
    assert found.signals["removed"].to_pylist() == [4 / 100, 5 / 101, 6 / 102]
    assert found.reasons.to_pylist() == [None, None, "refinedweb:removed"]
    assert found.edits["few_words"] == 9  # those of dropped pages aren't counted
    assert found.bounds == (Bound("removed", "removed", "<=", 0.05),)
    at = "\n".join([*["one two three four five six seven eight nine."] * 2, "one two", "Home"])  # one of 21 words
    assert corrected(at, max_removed=1 / 21).reasons.to_pylist() == [None]
    assert corrected(pages[2], max_removed=None).reasons.to_pylist() == [None]


def test_words_that_were_cut_count_as_removed() -> None:
    assert corrected("Sign-in to read on\n" + "word " * 6).signals["removed"].to_pylist() == [1 / 10]


def test_an_empty_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="empty phrase"):
        left("a line", cut_at_end=[" "])


def test_no_documents_and_empty_ones() -> None:
    found = corrected()
    assert (len(found.reasons), found.edits["cut"]) == (0, 0)
    assert corrected("", " \n").reasons.to_pylist() == [None, None]
