"""The mix: how many tokens of each source go into the shards, decided from histograms alone, before anything is packed.

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
from pipeline.mixing import Pool, Stream, plan_pool, shard_count, spans
from pipeline.registry import stage
from pipeline.report import Report
from pipeline.tokens import BUCKETS, Histogram, read_histogram


@stage("mix", version=1)
def mix(
    job: Job,
    *,
    shares: Mapping[str, float],
    max_epochs: Mapping[str, float],
    tokens: Annotated[int, Field(ge=0)] | None = None,
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.01,
    shard_tokens: Annotated[int, Field(ge=1)] = 4_194_304,
) -> Report:
    """Plan the pools: quotas that add up to `tokens` and keep the shares to within one token, and the shards they fill.

    `tokens`: of the training pool; None is the largest total that the shares and `max_epochs` (per source, 1 where not
    named) allow. `holdout`: the share of all documents kept for validation. `shard_tokens`: tokens of a shard, about.
    Raises InfeasibleMix naming each source that is short.
    """
    histograms = {name: _merged(job.inputs, name) for name in sorted(shares)}
    held = math.ceil(holdout * BUCKETS)
    training = {name: _only(histogram, slice(held, None)) for name, histogram in histograms.items()}
    validating = {name: _only(histogram, slice(held)) for name, histogram in histograms.items()}
    streams = [_stream(name, histogram, shares[name], max_epochs.get(name, 1.0)) for name, histogram in training.items()]
    train = plan_pool(streams, tokens, shard_tokens)
    pools = {"train": _plan(train, training), "validation": _plan(_everything(validating, shard_tokens), validating)}
    job.write("plan", "json", json.dumps({"version": 1, "held_buckets": held, "pools": pools}).encode())
    return _report(histograms, train)


def _merged(inputs: Inputs, source: str) -> Histogram:
    parts = [read_histogram(file) for file in inputs.files("tokenize", "histogram") if file.source == source]
    nothing = np.zeros(BUCKETS, np.int64)
    return Histogram(sum((part.documents for part in parts), nothing), sum((part.tokens for part in parts), nothing))


def _only(histogram: Histogram, buckets: slice) -> Histogram:
    """A histogram in which the other buckets are empty."""
    inside = np.zeros(BUCKETS, np.int64)
    inside[buckets] = 1
    return Histogram(histogram.documents * inside, histogram.tokens * inside)


def _stream(source: str, histogram: Histogram, share: float, max_epochs: float) -> Stream:
    return Stream(source, share, int(histogram.documents.sum()), int(histogram.tokens.sum()), max_epochs)


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


def _report(histograms: Mapping[str, Histogram], train: Pool) -> Report:
    report = Report()
    for stream in train.streams:
        documents = int(histograms[stream.source].documents.sum())
        report.read[stream.source] += documents
        report.kept[stream.source] += documents
        report.count(stream.source, "tokens", int(histograms[stream.source].tokens.sum()))
        report.count(stream.source, "tokens_taken", stream.quota)
    return report
