"""The sums of a run that must agree: each counts one thing in two ways, so that a defect anywhere shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dashboards.model import Check, Counted, SourceFacts, StageFacts
from dashboards.token_model import MixRow, ShardSet

#: Stages that hand every document they keep to the next one of these that the plan has.
CHAIN = ("extract", "filter", "dedupe", "lines", "passages", "quality", "tokenize", "mix", "pack")


def checks(
    sources: Sequence[SourceFacts], stages: Sequence[StageFacts], mix: Sequence[MixRow], shards: Sequence[ShardSet]
) -> Iterator[Check]:
    """Within each stage, from each stage to the next, and from the quotas to the shards."""
    for stage in stages:
        for counted in stage.counted:
            if counted.read or counted.kept or counted.dropped:
                accounted = counted.kept + counted.dropped
                yield Check(f"{stage.key}, {counted.source}: documents read = kept + dropped", counted.read, accounted)
        if "docs" in stage.rows:
            yield Check(f"{stage.key}: documents kept = rows in its files", sum(row.kept for row in stage.counted), stage.rows["docs"])
        if stage.stage == "filter" and stage.done:
            yield Check(
                f"{stage.key}: documents dropped = rejects", sum(row.dropped for row in stage.counted), stage.rows.get("rejects", 0)
            )
    for source in sources:
        yield from _handed_on(source.name, stages)
    for found in shards:
        yield Check(f"{found.split}: tokens of the split = of its shards", found.stated, found.tokens)
        yield Check(f"{found.split}: tokens of the shards = of their sources", found.tokens, sum(found.by_source.values()))
    train = next((found for found in shards if found.split == "train"), None)
    for row in mix if train else ():
        packed = train.by_source.get(row.source, 0) if train else 0
        yield Check(f"{row.source}: tokens that the recipe asks for = packed", row.quota, packed)


def _handed_on(source: str, stages: Sequence[StageFacts]) -> Iterator[Check]:
    """Documents that one stage kept are those that the next one read, as far as both are done."""
    rows = [(name, _row(name, source, stages)) for name in CHAIN]
    counted = [(name, row) for name, row in rows if row is not None]
    for (before, upper), (after, lower) in pairwise(counted):
        yield Check(f"{source}: documents kept by {before} = read by {after}", upper.kept, lower.read)


def _row(name: str, source: str, stages: Sequence[StageFacts]) -> Counted | None:
    return next((row for stage in stages if stage.stage == name for row in stage.counted if row.source == source), None)
