"""C4's rules: what is left of a page, why it is dropped, and what the report says was edited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.contracts import Verdicts
from pipeline.errors import SourceError, StorageError
from pipeline.filters.c4 import c4
from pipeline.registry import bind
from pipeline.schema import DOC

GOOD = ("Five words make this line.", "So do the words here?", 'She said "leave it as is."')


def cleaned(*texts: str, **rules: Any) -> Verdicts:
    rows = [{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(texts)]
    return c4(pa.RecordBatch.from_pylist(rows, schema=DOC), **rules)


def left(*texts: str, **rules: Any) -> list[str]:
    found = cleaned(*texts, **rules).text
    assert found is not None
    return found.to_pylist()  # type: ignore[no-any-return]


def page(*lines: str) -> str:
    return "\n".join([*GOOD, *lines])


@pytest.mark.parametrize(
    ("line", "edit", "off"),
    [
        ("There is no mark at this end", "no_end_mark", {"end_marks": False}),
        ("It goes on and on and on...", "no_end_mark", {"end_marks": False}),
        ("It ends in an apostrophe'", "no_end_mark", {"end_marks": False}),
        ("Four words, no more.", "few_words", {"min_words_per_line": None}),
        ("Please switch JavaScript on to read.", "javascript", {"javascript": False}),
        ("By reading you accept our Privacy Policy here.", "policy", {"policy": None}),
        (f"A word such as {'x' * 1001} is too long.", "long_word", {"max_word_chars": None}),
    ],
)
def test_lines_that_are_no_sentences_go_and_are_counted(line: str, edit: str, off: dict[str, Any]) -> None:
    found = cleaned(page(line))
    assert left(page(line)) == [page()]
    assert {kind: number for kind, number in found.edits.items() if number} == {edit: 1}
    assert found.signals["lines_dropped"].to_pylist() == [1]
    assert left(page(line), **off) == [page(line)]


@pytest.mark.parametrize(
    ("line", "rule", "off"),
    [
        ("Here is lorem Ipsum for you.", "lorem_ipsum", {"lorem_ipsum": False}),
        ("A function begins with { as here.", "curly_bracket", {"curly_bracket": False}),
    ],
)
def test_pages_of_filler_and_code_go(line: str, rule: str, off: dict[str, Any]) -> None:
    found = cleaned(page(line), page())
    assert found.reasons.to_pylist() == [f"c4:{rule}", None]
    assert cleaned(page(line), **off).reasons.to_pylist() == [None]


def test_a_page_needs_three_sentences_and_a_line_may_have_several() -> None:
    assert cleaned("\n".join(GOOD[:2])).reasons.to_pylist() == ["c4:few_sentences"]
    assert cleaned("\n".join(GOOD[:2]), min_sentences=2).reasons.to_pylist() == [None]
    assert cleaned("\n".join(GOOD[:2]), min_sentences=None).reasons.to_pylist() == [None]
    found = cleaned("One is here. Two (is here.) Three is here!")
    assert (found.reasons.to_pylist(), found.signals["sentences"].to_pylist()) == ([None], [3])


def test_citations_are_taken_out_before_words_are_counted() -> None:
    assert left(page("Only four[1] [2] words here.")) == [page()]
    assert left(page("Only four[1] [2] words here."), citations=False) == [page("Only four[1] [2] words here.")]
    assert left(page("It is known[12] since long ago[citation needed].")) == [page("It is known since long ago.")]
    assert cleaned(page("It is known[12] since long ago[citation needed].")).edits["citations"] == 2


def test_edits_of_dropped_pages_are_not_counted() -> None:
    found = cleaned("No mark here\nToo short.", page("No mark here"))
    assert found.reasons.to_pylist() == ["c4:few_sentences", None]
    assert found.edits["no_end_mark"] == 1


def test_policy_phrases_are_the_callers() -> None:
    line = "Wir verwenden Cookies auf dieser Seite."
    assert left(page(line), policy=["verwenden cookies"]) == [page()]


def test_bad_words_come_from_files_and_stand_alone(tmp_path: Path) -> None:
    listed = tmp_path / "words.txt"
    listed.write_text("Darn\nbloody hell\n\n", "utf-8")
    pages = (page("This darn thing is still here."), page("A darning needle is no bad word."), page("Oh bloody hell, not this again."))
    assert cleaned(*pages, bad_words=[str(listed)]).reasons.to_pylist() == ["c4:bad_words", None, "c4:bad_words"]
    assert cleaned(*pages).reasons.to_pylist() == [None, None, None]


def test_a_list_of_bad_words_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "words.txt.gz"
    broken.write_bytes(b"not gzip")
    with pytest.raises(SourceError, match=r"words\.txt\.gz"):
        cleaned(page(), bad_words=[str(broken)])
    with pytest.raises(StorageError, match="missing"):
        cleaned(page(), bad_words=[str(tmp_path / "missing.txt")])
    for words, message in (("\n \n", "no word in .*list"), ("darn\nx\n", "list.* need two bytes or more: take x out")):
        listed = tmp_path / f"list{len(words)}.txt"
        listed.write_text(words, "utf-8")
        with pytest.raises(SourceError, match=message):
            cleaned(page(), bad_words=[str(listed)])


def test_an_empty_phrase_is_a_mistake_of_the_recipe() -> None:
    for name, key in (("c4", "policy"), ("refinedweb", "counters"), ("refinedweb", "cut_at_end")):
        _, mistakes = bind("filter", name, {key: ["some words", " "]})
        assert [at for at, _ in mistakes] == [f"{key}.1"]


def test_no_documents() -> None:
    assert (len(cleaned().reasons), left()) == (0, [])
