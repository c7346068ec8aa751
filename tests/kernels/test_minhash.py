"""Words, shingles and sketches against their plain twins, and against what theory says of them."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
import reference_minhash as plain
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.arrow import texts
from pipeline.kernels.minhash import band_keys, minima, sketch
from pipeline.kernels.shingles import Shingles, shingle_sets, word_hashes

TEXTS = st.lists(st.text(max_size=60) | st.text("ab AB.-’ 中字カー\u00a0\u3000\u200b\u0130", max_size=40), max_size=6)


def column(values: list[str | None]) -> pa.Array:
    return pa.array(values, pa.large_string())


@given(TEXTS)
def test_words_are_the_twin_s(values: list[str]) -> None:
    found = word_hashes(texts(column(values)))
    assert np.diff(found.offsets).tolist() == [len(plain.words(value)) for value in values]
    assert found.first.tolist() == [plain.word_hash(word) for value in values for word in plain.words(value)]


@given(TEXTS, st.integers(1, 6))
def test_shingle_sets_are_the_twin_s(values: list[str], width: int) -> None:
    found = shingle_sets(column(values), width)
    expected = [sorted(plain.shingle_hash(shingle) >> 16 for shingle in plain.shingles(value, width)) for value in values]
    assert [found.hashes[a:b].tolist() for a, b in zip(found.offsets, found.offsets[1:], strict=False)] == expected


@settings(max_examples=25)
@given(TEXTS, st.sampled_from([(1, 1, 1), (5, 14, 8), (2, 3, 4)]))
def test_sketches_are_the_twin_s(values: list[str], shape: tuple[int, int, int]) -> None:
    found = sketch(column(values), *shape)
    assert found.fingerprints.tolist() == [list(plain.fingerprint(value)) for value in values]
    assert found.words.tolist() == [len(plain.words(value)) for value in values]
    assert found.keys.tolist() == [plain.band_keys(value, *shape) for value in values]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("“Don’t,” she said — twice.", "'Dont' She Said twice", True),
        ("a soft­hyphen, a zero\u200bwidth space", "a softhyphen a zerowidth space", True),
        ("white\u3000space is\u00a0what\x1csplit cuts", "white space is what split cuts", True),
        ("漢字 かな", "漢字かな", True),
        ("", " \n … ", True),
        ("3 + 4", "3 - 4", False),
        ("x*y", "x/y", False),
        ("one two", "onetwo", False),
        ("one two", "two one", False),
        ("room 101", "room 102", False),
    ],
)
def test_what_counts_as_the_same_words(one: str, other: str, same: bool) -> None:
    found = sketch(column([one, other]), 5, 14, 8)
    assert (found.fingerprints[0] == found.fingerprints[1]).all() == same
    assert (plain.words(one) == plain.words(other)) == same


def test_slices_nulls_and_mega_documents_change_nothing() -> None:
    draw = random.Random("slices")
    long = " ".join(str(draw.randrange(10**6)) for _ in range(400_000))
    values = ["short", None, long, "", "two words", long[:1000]]
    whole = sketch(column(["x", *values, "y"]).slice(1, len(values)), 5, 14, 8)
    alone = [sketch(column([value]), 5, 14, 8) for value in values]
    for name in ("fingerprints", "words", "keys"):
        assert (getattr(whole, name) == np.concatenate([getattr(one, name) for one in alone])).all()
    assert whole.words.tolist() == [1, 0, 400_000, 0, 2, len(long[:1000].split())]
    assert sketch(column([]), 5, 14, 8).keys.shape == (0, 14)


def planted(size: int, jaccard: float, pairs: int) -> tuple[Shingles, float]:
    """Pairs of sets of `size` random hashes, one after the other, with the Jaccard index nearest to the one asked for."""
    common = round(2 * size * jaccard / (1 + jaccard))
    drawn = np.random.default_rng(size).integers(0, 1 << 64, (pairs, 2 * size - common), dtype=np.uint64)
    sets = np.stack([drawn[:, :size], drawn[:, size - common :]], axis=1)
    return Shingles(np.arange(2 * pairs + 1) * size, sets.reshape(-1)), common / (2 * size - common)


@pytest.mark.parametrize("jaccard", [0.5, 0.7, 0.8, 0.95])
@pytest.mark.parametrize("size", [30, 400])
def test_estimates_and_bands_follow_theory(jaccard: float, size: int) -> None:
    """Each minimum agrees with probability J, a band of 8 with J^8, one of 14 bands with 1 - (1 - J^8)^14 (5 sigma)."""
    pairs = 2000
    sets, true = planted(size, jaccard, pairs)
    found = minima(sets, 112)
    agree = (found[0::2] == found[1::2]).mean(axis=1)
    assert agree.mean() == pytest.approx(true, abs=5 * (true * (1 - true) / 112 / pairs) ** 0.5)
    assert agree.std() == pytest.approx((true * (1 - true) / 112) ** 0.5, rel=0.1)
    keys = band_keys(found, 14)
    caught = (keys[0::2] == keys[1::2]).any(axis=1).mean()
    expected = 1 - (1 - true**8) ** 14
    assert caught == pytest.approx(expected, abs=5 * (expected * (1 - expected) / pairs) ** 0.5 + 1e-3)


def test_unrelated_books_share_next_to_nothing(corpus) -> None:
    """Marin's lesson: by words, two books that have nothing to do with each other are not alike."""
    import gzip

    paths = sorted((corpus / "books").glob("*.txt.gz"))[:6]
    sets = shingle_sets(column([gzip.decompress(path.read_bytes()).decode("utf-8", "replace")[2000:-20_000] for path in paths]), 5)
    for left in range(len(paths)):
        for right in range(left):
            a, b = (set(sets.hashes[sets.offsets[i] : sets.offsets[i + 1]].tolist()) for i in (left, right))
            assert plain.jaccard(a, b) < 0.02
