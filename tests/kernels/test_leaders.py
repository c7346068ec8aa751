"""Who is kept, against the plain twin, and what it costs at most."""

from __future__ import annotations

import numpy as np
import reference_minhash as plain
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels import leaders
from pipeline.kernels.leaders import choose
from pipeline.kernels.shingles import Shingles


def as_arrays(sets: list[set[int]]) -> Shingles:
    offsets = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    return Shingles(offsets, np.array([value for found in sets for value in sorted(found)], np.uint64))


@st.composite
def cases(draw) -> tuple[list[set[int]], list[list[int]]]:
    """Small sets over few values, so that they are often alike, and up to three buckets each."""
    sets = draw(st.lists(st.sets(st.integers(0, 12), min_size=1), max_size=12))
    buckets = [draw(st.lists(st.integers(0, 4), min_size=3, max_size=3)) for _ in sets]
    return sets, buckets


@given(cases(), st.sampled_from([0.2, 0.5, 0.6, 0.8, 1.0]))
def test_the_choice_is_the_twin_s(case: tuple[list[set[int]], list[list[int]]], threshold: float) -> None:
    sets, buckets = case
    found = choose(as_arrays(sets), np.array(buckets, np.int64).reshape(len(sets), 3), threshold)
    twins, values = plain.choose(sets, buckets, threshold)
    assert found.twins.tolist() == twins
    assert found.values.tolist() == values


def test_a_bucket_of_unlike_texts_costs_no_more_than_its_bound() -> None:
    """All in one bucket, all unlike: each is compared with MOST_KEPT at most, and a copy of an early one is still found."""
    count = 4 * leaders.MOST_KEPT
    sets = [{3 * n, 3 * n + 1, 3 * n + 2} for n in range(count)]
    sets += [sets[0], sets[-1]]
    found = choose(as_arrays(sets), np.zeros((len(sets), 1), np.int64), 0.8)
    assert found.twins.tolist() == [-1] * count + [0, -1], "the last one's original stands beyond what a bucket remembers"
