"""Components against their plain twin: the smallest item of each, in whatever order the links come."""

from __future__ import annotations

import numpy as np
import reference_minhash as plain
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kernels.unionfind import flatten, link, linked

ITEMS = 30
LINKS = st.lists(st.tuples(st.integers(0, ITEMS - 1), st.integers(0, ITEMS - 1)), max_size=40)


def labels(links: list[tuple[int, int]]) -> np.ndarray:
    parents = np.arange(ITEMS)
    pairs = np.array(links, np.int64).reshape(-1, 2)
    link(parents, pairs[:, 0].copy(), pairs[:, 1].copy())
    flatten(parents)
    return parents


@given(LINKS, st.randoms())
def test_components_are_the_twin_s_in_any_order(links: list[tuple[int, int]], draw) -> None:
    expected = plain.components(ITEMS, links)
    assert labels(links).tolist() == expected
    shuffled = [pair if draw.random() < 0.5 else pair[::-1] for pair in draw.sample(links, len(links))]
    assert labels(shuffled).tolist() == expected


@given(LINKS)
def test_linked_are_the_items_of_components_of_two_or_more(links: list[tuple[int, int]]) -> None:
    found = plain.components(ITEMS, links)
    assert linked(labels(links)).tolist() == [item for item in range(ITEMS) if found.count(found[item]) > 1]


def test_a_chain_of_a_million_is_one_component() -> None:
    parents = np.arange(1_000_001)
    link(parents, np.arange(1_000_000)[::-1].copy(), np.arange(1, 1_000_001)[::-1].copy())
    flatten(parents)
    assert not parents.any()
