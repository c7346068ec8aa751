"""Fill-in-the-middle: nothing is lost, the parts stand in the order the paper gives, and chance follows from the numbers alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.arrow import texts
from tokenizer.encode import Encoded
from tokenizer.infilling import DRAWS, Infilling, Marks, _parts, encode_infilled

MARKS = Marks(1001, 1002, 1003)
ALWAYS = np.uint64(0)
NEVER = np.uint64(2**64 - 1)


def by_bytes(column: pa.Array) -> Encoded:
    """An encoder whose ids are the bytes."""
    found = texts(column)
    first, last = found.offsets[0], found.offsets[-1]
    return Encoded(found.data[first:last].astype(np.uint32), found.offsets - first)


def told(text: str, *, spm: bool, cuts: tuple[int, int]) -> list[int | str]:
    """One infilled text: marks as numbers, what stands between them as text."""
    draws = np.array([[ALWAYS, ALWAYS if spm else NEVER, *cuts]], np.uint64)
    encoded, number = encode_infilled(pa.array([text], pa.large_string()), draws, Infilling(1.0, 0.5, MARKS), by_bytes)
    assert number == 1
    out: list[int | str] = []
    run: list[int] = []
    for id_ in [*encoded.ids.tolist(), None]:
        if id_ is None or id_ in MARKS:
            out += [bytes(run).decode()] if run else []
            out, run = (out if id_ is None else [*out, id_]), []
        else:
            run.append(id_)
    return out


def test_prefix_then_suffix_then_middle() -> None:
    assert told("abcdef", spm=False, cuts=(4, 1)) == [1001, "a", 1002, "ef", 1003, "bcd"]


def test_suffix_first_then_the_rest_in_order() -> None:
    assert told("abcdef", spm=True, cuts=(1, 4)) == [1001, 1002, "ef", 1003, "abcd"]


@pytest.mark.parametrize(
    ("cuts", "parts"), [((0, 0), ["", "", "ab"]), ((2, 2), ["ab", "", ""]), ((0, 2), ["", "ab", ""]), ((3, 4), ["", "a", "b"])]
)
def test_cuts_may_fall_at_the_ends(cuts: tuple[int, int], parts: list[str]) -> None:
    prefix, middle, suffix = parts
    want = [1001, prefix, 1002, suffix, 1003, middle]
    assert told("ab", spm=False, cuts=cuts) == [part for part in want if part != ""]


def test_cuts_fall_between_characters() -> None:
    for place in range(9):
        prefix = _parts(texts(pa.array(["é日🦉"], pa.large_string())), np.array([[place, place]], np.uint64))[0].as_py()
        assert prefix == {0: "", 1: "", 2: "é", 3: "é", 4: "é", 5: "é日", 6: "é日", 7: "é日", 8: "é日"}[place]


@given(
    st.lists(st.text(max_size=20), max_size=8), st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.0, 0.5, 1.0])
)
def test_nothing_is_lost_and_rows_stay_in_place(rows: list[str], seed: int, rate: float, spm: float) -> None:
    draws = np.random.default_rng(seed).integers(0, 2**64, (len(rows), DRAWS), np.uint64)
    column = pa.array(["before", *rows], pa.large_string()).slice(1)
    encoded, number = encode_infilled(column, draws, Infilling(rate, spm, MARKS), by_bytes)
    infilled = 0
    for row, text in enumerate(rows):
        ids = encoded.ids[encoded.offsets[row] : encoded.offsets[row + 1]].tolist()
        marks = [id_ for id_ in ids if id_ in MARKS]
        infilled += bool(marks)
        assert marks in ([], list(MARKS))
        assert sorted(id_ for id_ in ids if id_ < 256) == sorted(text.encode())
        assert marks or bytes(ids).decode() == text
    assert number == infilled
    assert rate > 0 or number == 0
    assert rate < 1 or number == len(rows)


def test_a_share_of_the_documents_is_cut() -> None:
    draws = np.random.default_rng(0).integers(0, 2**64, (4000, DRAWS), np.uint64)
    column = pa.array(["some text"] * 4000, pa.large_string())
    encoded, number = encode_infilled(column, draws, Infilling(0.25, 0.4, MARKS), by_bytes)
    assert abs(number - 1000) < 100
    ids = encoded.ids
    suffix_first = int((ids[np.flatnonzero(ids == MARKS.prefix) + 1] == MARKS.suffix).sum())
    assert abs(suffix_first / number - 0.4 - 0.6 / 10) < 0.06  # an empty prefix looks the same: one cut in ten at least
