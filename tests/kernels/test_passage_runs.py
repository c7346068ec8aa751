"""Words to the letter, anchors and cut texts, against what they promise."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import reference_passages as plain
from hypothesis import given
from hypothesis import strategies as st
from texts import any_rows, column

from pipeline.kernels.arrow import texts
from pipeline.kernels.passages import anchors, exact_words, first_copies, gram_words, without


@given(any_rows)
def test_words_are_the_twin_s(rows: list[str | None]) -> None:
    found = exact_words(texts(column(rows)))
    expected = [plain.words(row or "") for row in rows]
    assert np.diff(found.offsets).tolist() == [len(words) for words in expected]
    assert found.starts.tolist() == [start for words in expected for _, start in words]
    spelled: dict[int, str] = {}
    for value, (word, _) in zip(found.hashes.tolist(), (pair for words in expected for pair in words), strict=True):
        assert spelled.setdefault(value, word) == word
    assert len(spelled) == len({word for words in expected for word, _ in words})


def test_a_word_has_one_hash_wherever_it_stands() -> None:
    """Before other words and as the last bytes of the buffer; Han ideographs apart from what they touch."""
    for word in ("a", "seven77", "eight888", "nine99999", "é", "a longer word".replace(" ", "-")):
        found = exact_words(texts(pa.array([f"{word} tail", f"中{word}"], pa.large_string())))
        assert found.hashes[0] == found.hashes[-1]
    assert len(exact_words(texts(column(["ab中文cd カタ"]))).hashes) == 6


@given(st.lists(st.sampled_from("abcd"), max_size=60).map(" ".join), st.integers(4, 12))
def test_each_run_of_words_holds_an_anchor_that_follows_from_the_run(text: str, least: int) -> None:
    """Equal runs share the key and the place within the run of an anchor."""
    words = exact_words(texts(column([text])))
    _, places, keys = anchors(words, least)
    known: dict[tuple[str, ...], set[tuple[int, int]]] = {}
    spelled = text.split()
    for head in range(len(spelled) - least + 1):
        inside = {
            (place - head, key)
            for place, key in zip(places.tolist(), keys.tolist(), strict=True)
            if head <= place <= head + least - gram_words(least)
        }
        assert inside
        run = tuple(spelled[head : head + least])
        known[run] = known.get(run, inside) & inside
        assert known[run]


def test_of_copies_the_least_rank_stays() -> None:
    keys, checks = np.array([1, 1, 1, 2, 3, 3], np.uint64), np.array([7, 7, 8, 7, 5, 5], np.uint64)
    ranks = np.array([[2, 0], [1, 9], [3, 0], [0, 0], [4, 4], [4, 4]], np.uint64)
    assert first_copies(keys, checks, ranks).tolist() == [1, -1, -1, -1, -1, -1]


@given(st.lists(st.tuples(st.text(max_size=12), st.lists(st.integers(0, 12), max_size=6, unique=True)), max_size=5))
def test_texts_without_spans(rows: list[tuple[str, list[int]]]) -> None:
    found = texts(column([text for text, _ in rows]))
    spans = []
    for row, (text, places) in enumerate(rows):
        ends = sorted(len(text[:place].encode()) for place in places)
        spans += [(row, start, stop) for start, stop in zip(ends[::2], ends[1::2], strict=False)]
    which, starts, stops = np.array(spans, np.int64).reshape(-1, 3).T
    expected = [plain.without(text, [(a, b, 0) for at, a, b in spans if at == row]) for row, (text, _) in enumerate(rows)]
    assert without(found, which, starts, stops).to_pylist() == expected
