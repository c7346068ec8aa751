"""Gopher's repetition rules: each drops what it names, exactly beyond its bound, and nothing when it is off."""

from __future__ import annotations

import inspect

import pyarrow as pa
import pytest

from pipeline.filters.repetition import gopher_repetition
from pipeline.schema import DOC

BOUNDS = {name: None for name in inspect.signature(gopher_repetition).parameters if name != "docs"}


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(texts)], schema=DOC)


def words(count: int, start: int = 0) -> str:
    return " ".join(f"word{number:03d}" for number in range(start, start + count))


TEXTS = {
    "dup_paragraphs": "\n\n".join(["a", "b", "a", "a"]),
    "dup_paragraph_chars": "\n\n".join([words(10), words(10), words(20, 100)]),
    "dup_lines": "\n".join(["a", "b", "a", "a"]),
    "dup_line_chars": "\n".join([words(10), words(10), words(20, 100)]),
    "top_2gram": "one two " * 5 + words(10),
    "top_3gram": "one two three " * 5 + words(10),
    "top_4gram": "one two three four " * 5 + words(10),
    **{f"dup_{n}gram": f"{words(n)} . {words(n)} {words(20, 100)}" for n in range(5, 11)},
}


@pytest.mark.parametrize("rule", TEXTS)
def test_each_rule_drops_what_it_names_exactly_beyond_its_bound(rule: str) -> None:
    docs = batch(TEXTS[rule])
    measured = gopher_repetition(docs).signals[rule][0].as_py()
    assert 0 < measured < 1
    assert gopher_repetition(docs, **{**BOUNDS, f"max_{rule}": measured - 1e-9}).reasons.to_pylist() == [f"gopher_repetition:{rule}"]
    assert gopher_repetition(docs, **{**BOUNDS, f"max_{rule}": measured}).reasons.to_pylist() == [None]
    assert gopher_repetition(docs, **BOUNDS).reasons.to_pylist() == [None]


def test_the_published_bounds_are_the_defaults() -> None:
    defaults = [parameter.default for name, parameter in inspect.signature(gopher_repetition).parameters.items() if name != "docs"]
    assert defaults == [0.30, 0.20, 0.30, 0.20, 0.20, 0.18, 0.16, 0.15, 0.14, 0.13, 0.12, 0.11, 0.10]


def test_shares_are_of_all_characters() -> None:
    found = gopher_repetition(batch("né né\n\nné né\n\nab")).signals
    assert found["dup_paragraphs"].to_pylist() == [1 / 3]
    assert found["dup_paragraph_chars"].to_pylist() == [5 / 16]
    assert found["top_2gram"].to_pylist() == [5 * 3 / 16]  # "né né" thrice: once across the paragraphs


def test_empty_texts_and_no_documents() -> None:
    found = gopher_repetition(batch("", " "))
    assert found.reasons.to_pylist() == [None, None]
    assert found.signals["dup_lines"].to_pylist() == [0.0, 0.0]
    assert len(gopher_repetition(batch()).reasons) == 0
