"""FineWeb's rules: each drops what it names, exactly beyond its bound, and nothing when it is off."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pipeline.filters.fineweb import fineweb
from pipeline.schema import DOC

LINE = "A line of prose that is long enough, and ends as a sentence does"


def reason(text: str, **bounds: Any) -> str | None:
    docs = pa.RecordBatch.from_pylist([{"id": "0", "text": text, "source": "web"}], schema=DOC)
    return fineweb(docs, **bounds).reasons[0].as_py()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("text", "rule", "off"),
    [
        ("\n".join(f"{LINE} {n}" for n in range(10)) + "\n", "ended_lines", {"min_ended_lines": None}),
        ("\n".join(f"{LINE} {n}." for n in range(3)) + "\nshort one." * 9, "short_lines", {"max_short_lines": None, "max_dup_chars": None}),
        ("\n".join(f"{LINE} {n % 9}." for n in range(10)), "dup_chars", {"max_dup_chars": None}),
        (f"{LINE}.\n\n\n\n\n\n", "newlines", {"max_newlines": None}),
    ],
)
def test_each_rule_drops_what_it_names_and_can_be_turned_off(text: str, rule: str, off: dict[str, None]) -> None:
    assert reason(text) == f"fineweb:{rule}"
    assert reason(text, **{"max_newlines": None, **off}) is None


def test_prose_is_kept_and_blank_text_is_not() -> None:
    assert reason(f"{LINE}.\n\n{LINE}!") is None
    assert reason(" \n \n") == "fineweb:empty"
    assert reason("") == "fineweb:empty"


def test_a_bound_itself_is_within_bounds() -> None:
    text = f"{LINE}\n{LINE} 1\n{LINE} 2\n{LINE}."
    assert reason(text, min_ended_lines=0.25) is None
    assert reason(text, min_ended_lines=0.25 + 1e-9) == "fineweb:ended_lines"
    assert reason(f"{'x' * 30}.\n{'x' * 29}.\n", max_short_lines=0.5, max_newlines=1) is None
    assert reason(f"{'x' * 29}。\n{'y' * 29}.\n", max_short_lines=0.5, max_newlines=1) == "fineweb:short_lines"


def test_only_the_very_last_character_ends_a_line() -> None:
    assert reason(f'{LINE}."') == "fineweb:ended_lines"
    assert reason(f"{LINE}. ") == "fineweb:ended_lines"
    assert reason(f"{LINE}。") is None


def test_no_documents() -> None:
    assert len(fineweb(pa.RecordBatch.from_pylist([], schema=DOC)).reasons) == 0
