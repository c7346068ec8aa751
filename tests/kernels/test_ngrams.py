"""n-grams of normalised words: equal hashes for equal n-grams and only for them, in any text; lookups miss nothing."""

from __future__ import annotations

import numpy as np
import reference
from hypothesis import given
from hypothesis import strategies as st
from texts import any_rows, column

from pipeline.kernels.arrow import texts
from pipeline.kernels.ngrams import find_ngrams, joined, ngram_hashes, sketch, stands_alone, terms_of


@given(any_rows, st.integers(1, 4))
def test_hashes_are_as_many_and_as_different_as_the_ngrams(rows: list[str | None], size: int) -> None:
    found = ngram_hashes(texts(column(rows)), size)
    expected = [(number, gram) for number, row in enumerate(rows) for gram in reference.ngrams(row or "", size)]
    assert found.rows.tolist() == [number for number, _ in expected]
    names = dict(zip((gram for _, gram in expected), found.hashes.tolist(), strict=True))
    assert [names[gram] for _, gram in expected] == found.hashes.tolist()
    assert len(set(names.values())) == len(names)


def test_case_punctuation_and_layout_do_not_matter() -> None:
    written = ["Don't STOP, she said: Straße № 5!", "don t\nstop “she” said straße — №\t5", "don t stop she said strasse 5"]
    found = ngram_hashes(texts(column([*written])), 7)
    same = [set(found.hashes[found.rows == row].tolist()) for row in range(3)]
    assert same[0] == same[1]
    assert same[0] != same[2]


@given(any_rows, st.integers(1, 3))
def test_lookups_find_what_is_known_and_nothing_else(rows: list[str | None], size: int) -> None:
    every = ngram_hashes(texts(column(rows)), size)
    known = np.unique(every.hashes)[::2]
    found = find_ngrams(texts(column(rows)), (size,), known, sketch(known))
    hit = np.isin(every.hashes, known)
    assert found.hashes.tolist() == every.hashes[hit].tolist()
    assert found.rows.tolist() == every.rows[hit].tolist()
    assert found.terms.tolist() == every.terms[hit].tolist()


@given(any_rows)
def test_terms_are_told_with_their_places(rows: list[str | None]) -> None:
    given = texts(column(rows))
    found = terms_of(given)
    for row, text in enumerate(rows):
        mine = slice(found.offsets[row], found.offsets[row + 1])
        written = [bytes(given.data[a:b]).decode() for a, b in zip(found.starts[mine], found.ends[mine], strict=True)]
        assert [reference.terms(word) for word in written] == [[term] for term in reference.terms(text or "")]
        every = ngram_hashes(texts(column([text])), 2)
        assert joined(found.hashes[mine], 2).tolist() == every.hashes.tolist()
        assert every.terms.tolist() == list(range(len(every.hashes)))


def test_several_sizes_at_once() -> None:
    given = texts(column(["a b c d", "b c d"]))
    twos, threes = ngram_hashes(given, 2), ngram_hashes(given, 3)
    known = np.unique(np.concatenate([twos.hashes, threes.hashes]))
    found = find_ngrams(given, (2, 3), known, sketch(known))
    assert list(zip(found.rows.tolist(), found.terms.tolist(), strict=True)) == [
        (0, 0), (0, 1), (0, 2), (0, 0), (0, 1), (1, 0), (1, 1), (1, 0),
    ]  # fmt: skip


def test_letters_of_scripts_without_spaces_stand_alone() -> None:
    assert reference.terms("GPT是什么? 東京タワー2号") == ["gpt", "是", "什", "么", "東", "京", "タ", "ワ", "ー", "2", "号"]
    assert reference.terms("한국어 문장 Größe") == ["한국어", "문장", "größe"]
    points = [*range(0x2E00, 0x33000)]
    assert [stands_alone(point) for point in points] == [reference.stands_alone(chr(point)) for point in points]


def test_more_hits_than_there_is_room_for_at_first() -> None:
    text = " ".join(str(number) for number in range(6000))
    every = ngram_hashes(texts(column([text])), 2)
    assert len(every.hashes) == len(set(every.hashes.tolist())) == 5999


def test_a_sketch_lets_few_others_through() -> None:
    draw = np.random.default_rng(1)
    known, others = draw.integers(0, 1 << 63, (2, 20_000)).astype(np.uint64)
    bits = sketch(np.unique(known))
    low, high = others, others >> np.uint64(32)

    def is_set(value: np.ndarray) -> np.ndarray:
        word = (value >> np.uint64(6)) & np.uint64(len(bits) - 1)
        return (bits[word.astype(np.int64)] >> (value & np.uint64(63))) & np.uint64(1)

    assert (is_set(known) & is_set(known >> np.uint64(32))).all()
    assert (is_set(low) & is_set(high)).mean() < 0.03
