"""Bounds on length, and StarCoder's rules for source code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from pipeline.contracts import Verdicts
from pipeline.filters.code import code
from pipeline.filters.length import length
from pipeline.schema import DOC


def reasons(rule: Callable[..., Verdicts], *texts: str, **bounds: Any) -> list[str | None]:
    rows = [{"id": str(n), "text": text, "source": "code"} for n, text in enumerate(texts)]
    return rule(pa.RecordBatch.from_pylist(rows, schema=DOC), **bounds).reasons.to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({}, [None, None, None]),
        ({"min_chars": 5}, ["length:few_chars", None, None]),
        ({"max_chars": 5}, [None, None, "length:many_chars"]),
        ({"min_words": 2}, ["length:few_words", None, None]),
        ({"max_words": 2}, [None, None, "length:many_words"]),
    ],
)
def test_lengths_are_in_characters_and_words(bounds: dict[str, int], found: list[str | None]) -> None:
    assert reasons(length, "日本語é", "é\u3000日本語", "a b c d", **bounds) == found


FILE = "def add(first, second):\n    return first + second\n"


@pytest.mark.parametrize(
    ("text", "rule", "off"),
    [
        (FILE * 30 + "x" * 1001, "long_line", {"max_longest_line": None}),
        (f"{'word ' * 21}\n" * 5, "long_lines", {"max_mean_line": None}),
        ("+-*/ ()[] " * 9, "few_alnum", {"min_alnum": None, "min_alpha": None}),
    ],
)
def test_data_and_generated_code_are_dropped(text: str, rule: str, off: dict[str, None]) -> None:
    assert reasons(code, text, FILE) == [f"code:{rule}", None]
    assert reasons(code, text, **off) == [None]


def test_a_bound_itself_is_within_bounds() -> None:
    text = "abcd\n" + "x" * 8
    assert reasons(code, text, max_longest_line=8, max_mean_line=6, min_alnum=12 / 13) == [None]
    assert reasons(code, text, max_longest_line=7) == ["code:long_line"]
    assert reasons(code, text, max_mean_line=5.99) == ["code:long_lines"]
    assert reasons(code, text, min_alnum=12 / 13 + 1e-9) == ["code:few_alnum"]


def test_no_documents() -> None:
    assert reasons(length) == []
    assert reasons(code) == []
