"""The arithmetic of mixes: exact quotas, honest refusals, spans that cover each stream once, cuts on which neighbours agree."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InfeasibleMix
from pipeline.mixing import Stream, cut, exact_shares, largest_total, plan_pool, quotas, spans

SHARES = st.dictionaries(st.sampled_from("abcdefg"), st.floats(0.001, 1000, allow_nan=False), min_size=1)


def streams(capacities: dict[str, int], shares: dict[str, float], epochs: float = 1.0) -> list[Stream]:
    return [Stream(name, shares[name], 10, tokens, epochs) for name, tokens in capacities.items()]


@given(SHARES, st.one_of(st.sampled_from([0, 1, 2, 999_983, 15 * 10**12]), st.integers(0, 10**6)))
@settings(deadline=None)
def test_quotas_add_up_and_keep_every_share_to_less_than_a_token(shares: dict[str, float], total: int) -> None:
    exact = exact_shares(shares)
    found = quotas(total, exact)
    assert sum(found.values()) == total
    assert all(abs(found[name] - exact[name] * total) < 1 for name in shares)


def test_shares_are_taken_as_written() -> None:
    assert exact_shares({"a": 0.1, "b": 0.2, "c": 0.7}) == {"a": Fraction(1, 10), "b": Fraction(2, 10), "c": Fraction(7, 10)}
    assert exact_shares({"a": 60, "b": 15.0}) == {"a": Fraction(4, 5), "b": Fraction(1, 5)}
    with pytest.raises(InfeasibleMix, match="above 0"):
        exact_shares({"a": 0.0})


def test_equal_remainders_go_by_name() -> None:
    assert quotas(2, exact_shares({"c": 1, "a": 1, "b": 1})) == {"a": 1, "b": 1, "c": 0}


@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(1, 10**6), st.floats(0.01, 10)), min_size=1))
@settings(deadline=None)
def test_the_largest_total_fits_and_one_more_does_not(sources: dict[str, tuple[int, float]]) -> None:
    capacities, shares = {n: c for n, (c, _) in sources.items()}, exact_shares({n: s for n, (_, s) in sources.items()})
    total, scarcest = largest_total(capacities, shares)
    assert all(quotas(total, shares)[name] <= capacities[name] for name in sources)
    assert shares[scarcest] * (total + 1) > capacities[scarcest]


def test_epochs_multiply_what_there_is() -> None:
    assert Stream("a", 1, 1, 10, 0.3).capacity == 3
    assert Stream("a", 1, 1, 10, 1.25).capacity == 12


def test_no_total_means_the_largest_and_says_what_binds() -> None:
    pool = plan_pool(streams({"a": 1000, "b": 100}, {"a": 0.5, "b": 0.5}, 2.0), None, 150)
    assert (pool.tokens, pool.bound_by, pool.shards) == (400, "b", 3)
    assert [stream.quota for stream in pool.streams] == [200, 200]
    assert [stream.epochs for stream in pool.streams] == [0.2, 2.0]
    assert plan_pool(streams({"a": 10}, {"a": 1}), 7, 100).bound_by == "tokens"
    assert plan_pool(streams({"a": 10}, {"a": 1}), 0, 100).shards == 1


def test_an_infeasible_mix_names_who_is_short_by_how_much_and_what_would_do() -> None:
    with pytest.raises(InfeasibleMix) as caught:
        plan_pool(streams({"web": 10_000, "books": 400}, {"web": 0.6, "books": 0.4}, 2.0), 3000, 100)
    text = str(caught.value)
    assert "books needs 1,200 tokens and has 400 in 10 documents, 800 with max_epochs 2: 400 short; max_epochs 3 would do" in text
    assert "web" not in text
    assert "is 2,000 tokens, bound by books" in text


@pytest.mark.parametrize("tokens", [None, 5])
def test_a_source_of_nothing_makes_every_mix_with_it_infeasible(tokens: int | None) -> None:
    with pytest.raises(InfeasibleMix, match=r"books needs .* has 0 in 10 documents.*give it documents"):
        plan_pool(streams({"web": 10, "books": 0}, {"web": 0.5, "books": 0.5}), tokens, 100)
    assert plan_pool(streams({"web": 10, "books": 0}, {"web": 1, "books": 0}), None, 100).tokens == 10


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(0, 100), st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_spans_cover_a_stream_once_and_name_the_buckets_it_lies_in(buckets: list[int], quota: int, shards: int) -> None:
    tokens = sum(buckets)
    if not tokens:
        return
    edges = np.concatenate([[0], np.cumsum(buckets)])
    stream = Stream("a", 1.0, 1, tokens, 100.0, quota)
    found = [span for shard in range(shards) for span in spans(stream, shard, shards, edges)]
    places = [span.epoch * tokens + position for span in found for position in range(span.first, span.last)]
    assert places == list(range(quota))
    for span in found:
        low, high = span.buckets
        assert edges[low] == span.start <= span.first < edges[low + 1]
        assert edges[high - 1] < span.last <= edges[high]
        assert span.last <= span.limit <= tokens
    sizes = [sum(s.last - s.first for s in spans(stream, shard, shards, edges)) for shard in range(shards)]
    assert max(sizes) - min(sizes) <= 1


DOCUMENTS = st.lists(st.integers(0, 40), min_size=1, max_size=12)


@given(DOCUMENTS, st.data())
@settings(max_examples=300, deadline=None)
def test_a_cut_never_divides_a_document_that_fits_and_divides_others_between_rows(lengths: list[int], data: st.DataObject) -> None:
    sizes, seq_len = np.array(lengths), 10
    ends = np.cumsum(sizes)
    limit = data.draw(st.integers(0, int(ends[-1])))
    position = data.draw(st.integers(0, limit))
    made = cut(position, ends, sizes, limit, seq_len)
    assert made <= limit
    if made < limit:
        index = int(np.searchsorted(ends, made, side="right"))
        inside = made - (ends[index] - sizes[index])
        assert inside == 0 or (sizes[index] > seq_len and inside % seq_len == 0)
    assert abs(made - position) <= seq_len // 2 or made == limit
    assert cut(limit, ends, sizes, limit, seq_len) == limit


@given(DOCUMENTS, st.data())
@settings(max_examples=200, deadline=None)
def test_neighbours_make_the_same_cut_and_cuts_keep_their_order(lengths: list[int], data: st.DataObject) -> None:
    sizes = np.array(lengths)
    ends = np.cumsum(sizes)
    position = data.draw(st.integers(0, int(ends[-1])))
    around = int(np.searchsorted(ends, position, side="right"))
    first = data.draw(st.integers(0, min(around, len(lengths) - 1)))
    last = data.draw(st.integers(min(around + 1, len(lengths)), len(lengths)))
    alone = cut(position, ends[first:last], sizes[first:last], int(ends[-1]), 10)
    assert alone == cut(position, ends, sizes, int(ends[-1]), 10)
    made = [cut(place, ends, sizes, int(ends[-1]), 10) for place in range(int(ends[-1]) + 1)]
    assert all(a <= b for a, b in pairwise(made))
