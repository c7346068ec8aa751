"""Numbers as people read them, and texts that can't do harm."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import human


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (7, "7"), (9_999, "9,999"), (12_345, "12.3 k"), (999_499, "999 k"), (999_500, "1.00 M"), (1_234_567, "1.23 M"),
     (4_560_000_000, "4.56 G"), (15 * 10**12, "15.0 T"), (-12_345, "-12.3 k"), (None, "–")],
)  # fmt: skip
def test_counts(number: int | None, shown: str) -> None:
    assert human.count(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 B"), (812, "812 B"), (999, "999 B"), (1000, "1.00 kB"), (16_777_216, "16.8 MB"), (10**13, "10.0 TB")]
)
def test_sizes(number: int, shown: str) -> None:
    assert human.size(number) == shown


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.6, "60.0 %"), (0.0512, "5.12 %"), (1e-9, "<0.01 %"), (-1e-9, ">-0.01 %"), (2.4, "240.0 %"),
     (None, "–")],
)  # fmt: skip
def test_shares_say_nought_only_when_it_is(fraction: float | None, shown: str) -> None:
    assert human.share(fraction) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.04 s"), (12.34, "12.3 s"), (59.99, "60.0 s"), (245.0, "4 min 05 s"), (3599.6, "1 h 00 min"), (4321.5, "1 h 12 min"),
     (100_000, "1 d 03 h")],
)  # fmt: skip
def test_durations(seconds: float, shown: str) -> None:
    assert human.duration(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0.25, "0.25"), (100_000.0, "100 k"), (1184.3, "1,180"), (0.0, "0"), (3.071e-05, "0.0000307"), (-2.5, "-2.5")]
)
def test_marks_on_an_axis(number: float, shown: str) -> None:
    assert human.mark(number) == shown


def test_differences_carry_their_sign() -> None:
    assert [human.signed(number) for number in (12_345, -3, 0)] == ["+12,345", "−3", "±0"]


def test_harmful_characters_are_written_out() -> None:
    assert human.clean("a\x00b\x1b[2Jc\u202ed\u2066e\ufeff\x85\x7f") == "a␀b␛[2Jc⟨202E⟩d⟨2066⟩e⟨FEFF⟩⟨0085⟩␡"
    assert human.clean("lone \ud800 half") == "lone ⟨D800⟩ half"
    assert human.clean("two\r\nlines\tand a tab") == "two\nlines\tand a tab"


def test_long_texts_are_cut_before_they_are_read() -> None:
    assert human.clean("x" * 10_000_000) == "x" * human.LONGEST + "…"


@given(st.text(alphabet=st.characters(), max_size=200))
def test_nothing_invisible_survives(text: str) -> None:
    shown = human.clean(text)
    assert all(unicodedata.category(c) not in ("Cc", "Cs") and unicodedata.bidirectional(c) not in BIDI for c in shown if c not in "\n\t")
    shown.encode()  # a lone surrogate would raise


#: Bidirectional classes of embeddings, overrides and isolates.
BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=200))
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert human.clean(text) == text
