"""Gopher's quality rules: each drops what it names, exactly beyond its bound, and nothing when it is off."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pipeline.filters.gopher import gopher_quality
from pipeline.schema import DOC

PROSE = "The words of this text have been put together to be measured with care and that is all. "


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(texts)], schema=DOC)


def reason(text: str, **bounds: Any) -> str | None:
    return gopher_quality(batch(text), **bounds).reasons[0].as_py()  # type: ignore[no-any-return]


def test_prose_is_kept() -> None:
    assert reason(PROSE * 5) is None


@pytest.mark.parametrize(
    ("text", "rule", "bound"),
    [
        (PROSE, "short", "min_words"),
        (PROSE * 6000, "long", "max_words"),
        ("to be or so it is " * 20 + "the a b c d e f g h i j k l m n o p " * 20, "short_words", "min_mean_word"),
        ("the of " + "incomprehensibilities " * 100, "long_words", "max_mean_word"),
        (PROSE * 5 + "# " * 12, "hashes", "max_hashes"),
        (PROSE * 5 + "... … " * 6, "ellipses", "max_ellipses"),
        ("\n".join([f"• {PROSE}"] * 5 + [f" - {PROSE}"] * 5), "bullet_lines", "max_bullet_lines"),
        ("\n".join([PROSE] * 6 + [PROSE + "... "] * 4), "ellipsis_lines", "max_ellipsis_lines"),
        (PROSE * 4 + "2024 1999 " * 12, "letter_words", "min_letter_words"),
        ("nothing here stands among eight words " * 10, "stop_words", "min_stop_words"),
    ],
)
def test_each_rule_drops_what_it_names_and_can_be_turned_off(text: str, rule: str, bound: str) -> None:
    assert reason(text) == f"gopher_quality:{rule}"
    assert reason(text, **{bound: None}) != f"gopher_quality:{rule}"


def test_a_bound_itself_is_within_bounds() -> None:
    text = " ".join(["the", "with", "word"] * 16 + ["#"] * 6)  # 48 words, 54 with the symbols
    found = gopher_quality(batch(text), min_words=48, max_words=48, max_hashes=6 / 54, min_stop_words=2)
    assert found.reasons.to_pylist() == [None]
    assert reason(text, min_words=49) == "gopher_quality:short"
    assert reason(text, min_words=1, max_words=47) == "gopher_quality:long"
    assert reason(text, min_words=48, max_hashes=6 / 54 - 1e-9) == "gopher_quality:hashes"
    assert reason(text, min_words=48, max_hashes=1, min_stop_words=3) == "gopher_quality:stop_words"


def test_measurements_are_given_for_dropped_rows_too() -> None:
    found = gopher_quality(batch("Two words ... #", "", PROSE))
    assert found.reasons.to_pylist() == ["gopher_quality:short"] * 3
    signals = {name: values.to_pylist()[:2] for name, values in found.signals.items()}
    assert signals == {
        "words": [2, 0],
        "mean_word": [4.0, 0.0],
        "hashes": [0.25, 0.0],
        "ellipses": [0.25, 0.0],
        "bullet_lines": [0.0, 0.0],
        "ellipsis_lines": [0.0, 0.0],
        "letter_words": [0.5, 0.0],
        "stop_words": [0, 0],
    }


def test_stop_words_are_the_callers_and_their_spelling_counts() -> None:
    german = "Der Hund und die Katze sind im Garten. " * 10
    assert reason(german) == "gopher_quality:stop_words"
    assert reason(german, stop_words=["und", "die", "der"]) is None
    assert reason(german, stop_words=["UND", "DIE", "im"]) == "gopher_quality:stop_words"


def test_too_many_stop_words_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 64"):
        gopher_quality(batch(PROSE), stop_words=[str(n) for n in range(65)])


def test_no_documents() -> None:
    found = gopher_quality(batch())
    assert len(found.reasons) == 0
    assert found.reasons.type == pa.string()
    assert found.signals["words"].type == pa.int64()
