"""Shares of tokens, exactly: what a pool takes of each source, and which stretch of each source lies in which shard.

A source is a stream: its documents in the order of their keys, again and again, cut off after its quota of tokens. The
shards of a pool are equal steps through all streams at once, so each is a small copy of the mix, and the copies of a
document are as far apart as the epochs they belong to. Everything here is arithmetic on integers and fractions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import InfeasibleMix

Ints = npt.NDArray[np.int64]

#: Why a document that was tokenized is in no shard: its source's quota ends before it.
BEYOND_QUOTA = "mix:beyond_quota"


@dataclass(frozen=True)
class Stream:
    """One source in a pool: the documents and tokens there are, the most times they may be used, and the tokens to take."""

    source: str
    share: float
    documents: int
    tokens: int
    max_epochs: float
    quota: int = 0

    @property
    def capacity(self) -> int:
        """The most tokens the source can give."""
        return math.floor(_as_written(self.max_epochs) * self.tokens)

    @property
    def epochs(self) -> float:
        """How often a document is used, on average."""
        return self.quota / self.tokens if self.tokens else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "epochs": self.epochs}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Stream:
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Pool:
    """The streams of one set of shards. `bound_by`: what the total follows from: a source's name,
    "tokens" (asked for) or "documents" (all there are)."""

    tokens: int
    shards: int
    bound_by: str
    streams: tuple[Stream, ...]


@dataclass(frozen=True)
class Span:
    """A stretch of one epoch of a stream: token positions `first` to `last` (not included), before cuts move to document ends.

    It lies in the buckets `buckets[0]` to `buckets[1]` (not included), whose first token has the position `start`.
    The epoch ends at `limit`: with its last document or, in the last epoch, where the quota is reached.
    """

    source: str
    epoch: int
    first: int
    last: int
    limit: int
    buckets: tuple[int, int]
    start: int

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Span:
        return cls(**{**data, "buckets": tuple(data["buckets"])})


def plan_pool(streams: Sequence[Stream], tokens: int | None, shard_tokens: int) -> Pool:
    """Give each stream its quota of a total of `tokens` (None: the largest there can be), in shards of about `shard_tokens`.

    Raises InfeasibleMix, which says who is short, by how much, and what total is feasible.
    """
    shares = exact_shares({stream.source: stream.share for stream in streams})
    largest, scarcest = largest_total({stream.source: stream.capacity for stream in streams}, shares)
    total = largest if tokens is None else tokens
    if total > largest or (tokens is None and not largest):
        raise InfeasibleMix(shortage(streams, shares, tokens, largest, scarcest))
    quota = quotas(total, shares)
    taken = tuple(replace(stream, share=float(shares[stream.source]), quota=quota[stream.source]) for stream in streams)
    return Pool(total, shard_count(total, shard_tokens), scarcest if tokens is None else "tokens", taken)


def shard_count(tokens: int, shard_tokens: int) -> int:
    """Shards of at most `shard_tokens` tokens; a pool of none has one, so that readers find what they expect."""
    return max(1, -(-tokens // shard_tokens))


def exact_shares(shares: Mapping[str, float]) -> dict[str, Fraction]:
    """Shares as fractions of 1, taken as they are written: .1 is one tenth."""
    written = {name: _as_written(share) for name, share in shares.items()}
    total = sum(written.values())
    if total <= 0:
        raise InfeasibleMix("no source has a share above 0: give at least one")
    return {name: share / total for name, share in written.items()}


def quotas(total: int, shares: Mapping[str, Fraction]) -> dict[str, int]:
    """Integers that add up to `total`, each less than one token from its exact share (largest remainders; ties by name)."""
    exact = {name: share * total for name, share in shares.items()}
    whole = {name: math.floor(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (whole[name] - exact[name], name))
    for name in by_remainder[: total - sum(whole.values())]:
        whole[name] += 1
    return whole


def largest_total(capacities: Mapping[str, int], shares: Mapping[str, Fraction]) -> tuple[int, str]:
    """The most tokens in which every source holds its share, and the source that allows no more."""
    bounds = [(math.floor(capacities[name] / share), name) for name, share in shares.items() if share]
    return min(bounds)


def shortage(streams: Sequence[Stream], shares: Mapping[str, Fraction], tokens: int | None, largest: int, scarcest: str) -> str:
    """Which streams are short of what a total of `tokens` asks of them, what would help, and what total is feasible."""
    wanted = 1 if tokens is None else tokens
    need = {stream.source: math.ceil(shares[stream.source] * wanted) for stream in streams}
    lines = [f"a mix of {wanted:,} tokens can't be made:" if tokens else "no mix can be made:"]
    lines += [_short(stream, need[stream.source]) for stream in streams if need[stream.source] > stream.capacity]
    if largest:
        lines.append(
            f"The largest total that keeps the shares is {largest:,} tokens, bound by {scarcest}: set `tokens` of mix to it or less."
        )
    return "\n".join(lines)


def _short(stream: Stream, need: int) -> str:
    there = f"{stream.tokens:,} in {stream.documents:,} documents, {stream.capacity:,} with max_epochs {stream.max_epochs:g}"
    if stream.tokens:
        remedy = f"max_epochs {math.ceil(Fraction(need, stream.tokens) * 100) / 100:g} would do, or a smaller share"
    else:
        remedy = "give it documents or the share 0, or lower `holdout` of mix if its documents are all held out"
    return f"  {stream.source} needs {need:,} tokens and has {there}: {need - stream.capacity:,} short; {remedy}"


def spans(stream: Stream, shard: int, shards: int, edges: Ints) -> Iterator[Span]:
    """The stretches of a stream that lie in one shard of several, one per epoch touched.

    `edges`: tokens before each bucket and, at the end, in all (int64, one more than there are buckets).
    """
    first, last = stream.quota * shard // shards, stream.quota * (shard + 1) // shards
    while first < last:
        epoch, position = divmod(first, stream.tokens)
        limit = min(stream.tokens, stream.quota - epoch * stream.tokens)
        end = min(position + last - first, limit)
        low, high = _bucket_of(position, edges), _bucket_of(end - 1, edges) + 1
        yield Span(stream.source, epoch, position, end, limit, (low, high), int(edges[low]))
        first += end - position


def _bucket_of(position: int, edges: Ints) -> int:
    return int(np.searchsorted(edges, position, side="right")) - 1


def cut(position: int, ends: Ints, lengths: Ints, limit: int, seq_len: int) -> int:
    """Where a cut planned at `position` is made: at the nearest end of the document it falls into, if that fits into a row;
    else at the nearest token of it that begins a row. Never beyond `limit`, where the quota ends, document or not.

    `ends` and `lengths` are those of the documents around the position, in stream order. What is on the two sides of a
    cut is computed twice, from different spans, and must agree: the result depends on that one document and nothing else.
    """
    index = int(np.searchsorted(ends, position, side="right"))
    if position >= limit or index == len(ends):
        return min(position, limit)
    end, length = int(ends[index]), int(lengths[index])
    step, inside = min(length, seq_len), position - (end - length)
    return min(end - length + (2 * inside + step) // (2 * step) * step, end, limit)


def _as_written(number: float) -> Fraction:
    return Fraction(str(number))
