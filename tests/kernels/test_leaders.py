"""Who is kept, against the plain twin, and what it costs at most."""

from __future__ import annotations

import numpy as np
import reference_minhash as plain
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels import leaders
from pipeline.kernels.leaders import Candidates, choose
from pipeline.kernels.shingles import Shingles


def as_arrays(sets: list[set[int]]) -> Shingles:
    offsets = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    return Shingles(offsets, np.array([value for found in sets for value in sorted(found)], np.uint64))


Case = tuple[list[set[int]], list[list[int]]]
WHY = ("", "same text", "like", "same address")


@st.composite
def texts(draw: st.DrawFn) -> Case:
    """Small sets over few values, so that they are often alike, and up to three buckets each."""
    sets = draw(st.lists(st.sets(st.integers(0, 12), min_size=1), min_size=1, max_size=12))
    buckets = [draw(st.lists(st.integers(0, 4), min_size=3, max_size=3)) for _ in sets]
    return sets, buckets


@given(st.data(), texts(), st.sampled_from([0.2, 0.5, 0.6, 0.8, 1.0]), st.integers(0, 4))
def test_the_choice_is_the_twin_s(data: st.DataObject, case: Case, threshold: float, settled: int) -> None:
    sets, buckets = case
    one = st.tuples(st.integers(0, len(sets) - 1), st.integers(-1, 3))
    documents = data.draw(st.lists(one, max_size=20))
    arrays = (np.array([pair[n] for pair in documents], np.int64) for n in (0, 1))
    found = choose(as_arrays(sets), np.array(buckets, np.int64), threshold, Candidates(*arrays, settled))
    told = [(WHY[why], twin, value) for why, twin, value in zip(*(array.tolist() for array in found), strict=True)]
    assert told == plain.choose(sets, buckets, threshold, documents, settled)


def test_who_went_for_its_address_leaves_its_text_to_another() -> None:
    """Two texts at one address, and a copy of the second elsewhere: the copy stays, and its own copies go for it."""
    documents = Candidates(np.array([0, 1, 1, 1]), np.array([5, 5, 6, -1]))
    found = choose(as_arrays([{1}, {2}]), np.zeros((2, 1), np.int64), 0.8, documents)
    assert [WHY[why] for why in found.why] == ["", "same address", "", "same text"]
    assert found.twins.tolist() == [-1, 0, -1, 2]


def test_a_text_without_buckets_is_only_ever_a_copy() -> None:
    found = choose(as_arrays([set(), set()]), np.full((2, 3), -1), 0.1, Candidates(np.array([0, 1, 0]), np.full(3, -1)))
    assert found.twins.tolist() == [-1, -1, 0]


def test_a_bucket_of_unlike_texts_costs_no_more_than_its_bound() -> None:
    """All in one bucket, all unlike: each is compared with MOST_KEPT at most, and what is like an early one is still found."""
    count = 4 * leaders.MOST_KEPT
    sets = [{3 * n, 3 * n + 1, 3 * n + 2} for n in range(count)]
    sets += [sets[0], sets[-1]]
    found = choose(as_arrays(sets), np.zeros((len(sets), 1), np.int64), 0.8, Candidates.of_texts(len(sets)))
    assert found.twins.tolist() == [-1] * count + [0, -1], "the last one's original stands beyond what a bucket remembers"
