"""The mix: how many tokens of each source go into the shards, decided from histograms alone, before anything is packed.

A document beyond its source's quota is dropped here; one that the quota cuts is kept. How many there are is counted in
the one bucket of each source in which its quota ends; the shards are made elsewhere, and count what they hold themselves.

A conversation is never cut: where a run has any, each quota is moved to the nearest end of a document, and so it is for
shares of documents or of trained tokens.

Documents whose keys lie in the first buckets are held out: they make the validation pool, every one of them once and
whole, so that the validation set stays the same when shares change. All others are the training pool, in the recipe's
shares. The plan is written as `mix.plan.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pipeline.job import Inputs, Job
from pipeline.mixing import BEYOND_QUOTA, Pool, Stream, plan_pool, shard_count, spans
from pipeline.registry import stage
from pipeline.report import Report
from pipeline.tokens import BUCKETS, Histogram, Measure, add_histograms, read_bucket


def _mistakes(args: Mapping[str, Any]) -> list[str]:
    if args["tokens"] is not None and (args["of"] != "tokens" or args["total"] is not None):
        return [f"`tokens` counts tokens: with `of: {args['of']}`, give a `total` of these, or neither"]
    return []


@stage("mix", version=3, check=_mistakes)
def mix(
    job: Job,
    *,
    shares: Mapping[str, float],
    max_epochs: Mapping[str, float],
    of: Measure = "tokens",
    tokens: Annotated[int, Field(ge=1)] | None = None,
    total: Annotated[int, Field(ge=1)] | None = None,
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.01,
    shard_tokens: Annotated[int, Field(ge=1)] = 4_194_304,
) -> Report:
    """Plan the pools: quotas that add up to `tokens` and keep the shares to within one token, and the shards they fill.

    The shares are `of` tokens, of documents, or of the tokens that are trained; whole documents are off by half of one at most.
    `tokens`: of the training pool, or `total`: of what the shares are of; None is the largest total that the shares and
    `max_epochs` (per source, 1 where not named) allow. `holdout`: the share of all documents kept for validation.
    `shard_tokens`: tokens of a shard, about.
    Raises InfeasibleMix naming each source that is short.
    """
    histograms = {name: _merged(job.inputs, name) for name in sorted(shares)}
    held = math.ceil(holdout * BUCKETS)
    training = {name: _only(histogram, slice(held, None)) for name, histogram in histograms.items()}
    validating = {name: _only(histogram, slice(held)) for name, histogram in histograms.items()}
    whole = any(histogram.conversations.any() for histogram in histograms.values())
    streams = [_stream(name, histogram, shares[name], max_epochs.get(name, 1.0), of) for name, histogram in training.items()]
    train = plan_pool(streams, tokens or total, shard_tokens)
    if whole or of != "tokens":
        train = _ended(job.inputs, train, training, of, shard_tokens)
    pools = {"train": _plan(train, training), "validation": _plan(_everything(validating, shard_tokens), validating)}
    facts = {"version": 2, "of": of, "asked": dict(shares), "masked": whole, "held_buckets": held, "pools": pools}
    job.write("plan", "json", json.dumps(facts).encode())
    reached = {stream.source: _reached(job.inputs, stream, training[stream.source]) for stream in train.streams}
    return _report(histograms, train, reached)


def _merged(inputs: Inputs, source: str) -> Histogram:
    return add_histograms(file for file in inputs.files("tokenize", "histogram") if file.source == source)


def _ended(inputs: Inputs, pool: Pool, histograms: Mapping[str, Histogram], of: Measure, shard_tokens: int) -> Pool:
    """A pool of whole documents: quotas of what the shares are of become tokens, and end where a document does."""
    ended = [_whole(inputs, stream, histograms[stream.source], of) for stream in pool.streams]
    total = sum(stream.quota for stream in ended)
    if of != "tokens":
        ended = [replace(stream, share=stream.quota / max(total, 1)) for stream in ended]
    return Pool(total, shard_count(total, shard_tokens), pool.bound_by, tuple(ended))


def _whole(inputs: Inputs, stream: Stream, histogram: Histogram, of: Measure) -> Stream:
    """A stream whose `tokens` and `quota` are of a measure, as one of tokens; the partial pass ends with the nearest document."""
    tokens, measure = int(histogram.tokens.sum()), histogram.of(of)
    passes, rest = divmod(stream.quota, max(stream.tokens, 1))
    before = 0
    if rest:
        ends = np.cumsum(measure)
        last = int(np.searchsorted(ends, rest))
        rows = read_bucket([file for file in inputs.files("tokenize", "tokens") if file.source == stream.source], last)
        lengths = rows.column("n_tokens").to_numpy()
        sizes = {"tokens": lengths, "documents": np.ones(len(lengths), np.int64), "trained": rows.column("n_trained").to_numpy()}[of]
        edges = int(ends[last] - measure[last]) + np.concatenate([[0], np.cumsum(sizes)])
        documents = int(np.argmin(np.abs(edges - rest)))
        before = int(histogram.tokens[:last].sum() + lengths[:documents].sum())
    return replace(stream, tokens=tokens, quota=passes * tokens + before)


def _reached(inputs: Inputs, stream: Stream, histogram: Histogram) -> int:
    """How many documents of a stream begin before its quota ends, each counted once however often it is used."""
    if stream.quota >= stream.tokens or not stream.quota:
        return stream.documents if stream.quota else 0
    ends = np.cumsum(histogram.tokens)
    last = int(np.searchsorted(ends, stream.quota))
    parts = [file for file in inputs.files("tokenize", "tokens") if file.source == stream.source]
    lengths = read_bucket(parts, last).column("n_tokens").to_numpy()
    begins = ends[last] - histogram.tokens[last] + np.cumsum(lengths) - lengths
    return int(histogram.documents[:last].sum() + (begins < stream.quota).sum())


def _only(histogram: Histogram, buckets: slice) -> Histogram:
    """A histogram in which the other buckets are empty."""
    inside = np.zeros(BUCKETS, np.int64)
    inside[buckets] = 1
    return Histogram(*(counts * inside for counts in histogram))


def _stream(source: str, histogram: Histogram, share: float, max_epochs: float, of: Measure = "tokens") -> Stream:
    return Stream(source, share, int(histogram.documents.sum()), int(histogram.of(of).sum()), max_epochs)


def _everything(histograms: Mapping[str, Histogram], shard_tokens: int) -> Pool:
    """Every document once, in the shares in which they come."""
    streams = [_stream(name, histogram, 0.0, 1.0) for name, histogram in histograms.items()]
    total = sum(stream.tokens for stream in streams)
    whole = tuple(replace(stream, share=stream.tokens / max(total, 1), quota=stream.tokens) for stream in streams)
    return Pool(total, shard_count(total, shard_tokens), "documents", whole)


def _plan(pool: Pool, histograms: Mapping[str, Histogram]) -> dict[str, Any]:
    """A pool as JSON: its streams, and for each shard the spans of them that lie in it."""
    edges = {name: np.concatenate([[0], np.cumsum(histogram.tokens)]) for name, histogram in histograms.items()}
    shards = [
        [vars(span) for stream in pool.streams for span in spans(stream, shard, pool.shards, edges[stream.source])]
        for shard in range(pool.shards)
    ]
    sources = [stream.to_json() for stream in pool.streams]
    return {"tokens": pool.tokens, "bound_by": pool.bound_by, "sources": sources, "shards": shards}


def _report(histograms: Mapping[str, Histogram], train: Pool, reached: Mapping[str, int]) -> Report:
    """All tokenized documents: held out, within the quota, or beyond it."""
    report = Report()
    for stream in train.streams:
        documents = int(histograms[stream.source].documents.sum())
        beyond = stream.documents - reached[stream.source]
        report.read[stream.source] += documents
        report.kept[stream.source] += documents - beyond
        report.drop(stream.source, BEYOND_QUOTA, beyond)
        report.count(stream.source, "documents_held_out", documents - stream.documents)
        report.count(stream.source, "tokens", int(histograms[stream.source].tokens.sum()))
        report.count(stream.source, "tokens_taken", stream.quota)
    return report
