"""What was dropped and why: counts by source, stage and reason, and samples of a reason with the numbers that decided.

Counts come from manifests. Samples are those with the smallest ids, which are hashes and so a fair draw, out of parts spread
evenly over all that have any: however large a run, only MAX_PARTS of each stage are read, batch by batch.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import TokenmillError
from pipeline.evidence import Number, decision_numbers, encoding_numbers, part_file, rejected_numbers
from pipeline.job import Committed, PartFile
from pipeline.registry import did_you_mean
from pipeline.runfiles import RunFiles, last_run
from pipeline.schema import EXCERPT_CHARS
from pipeline.storage import Folder
from pipeline.survivors import DECIDERS

#: The stages that drop documents for what they are, and the kind of file that says so.
STAGES = {"extract": "rejects", "filter": "rejects", **dict.fromkeys(DECIDERS, "decisions"), "tokenize": "rejects"}
MAX_PARTS = 32


class Count(NamedTuple):
    """How many documents of a source a stage dropped for a reason, out of how many that it read."""

    source: str
    stage: str
    reason: str
    documents: int
    read: int

    @property
    def share(self) -> float:
        return self.documents / self.read


@dataclass(frozen=True)
class Sample:
    """One dropped document: `where` is its URL or its place in the input, `numbers` what the deciding step measured."""

    id: str
    source: str
    part: str
    stage: str
    reason: str
    where: str
    numbers: tuple[Number, ...]
    twin: str | None
    excerpt: str

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "numbers": [number.to_json() for number in self.numbers]}


def count_rejects(folder: Folder, source: str | None = None, stage: str | None = None, reason: str | None = None) -> list[Count]:
    """The counts of a run by source, then stage in the order of the way, then number.

    `reason` is a whole one ("gopher_quality:short"), all before its colon, or any part of one; the first of these that
    some reason answers to is meant. Raises TokenmillError with the nearest names when there is nothing of that kind.
    """
    if stage is not None and stage not in STAGES:
        raise TokenmillError(f"--stage {stage}: no stage of that name drops documents{did_you_mean(stage, list(STAGES))}")
    run = last_run(folder)
    if source is not None and source not in run.facts["sources"]:
        raise TokenmillError(f"--source {source}: the run has no such source{did_you_mean(source, list(run.facts['sources']))}")
    every = [count for name in STAGES for count in _counted(run, name)]
    found = [count for count in every if source in (None, count.source) and stage in (None, count.stage)]
    if reason is not None:
        meant = _meant(reason, sorted({count.reason for count in found}))
        found = [count for count in found if count.reason in meant]
    order = list(STAGES)
    return sorted(found, key=lambda count: (count.source, order.index(count.stage), -count.documents, count.reason))


def _counted(run: RunFiles, stage: str) -> Iterator[Count]:
    for committed in run.stages(stage):
        report = committed.report
        for (source, reason), documents in report.dropped.items():
            if documents:
                yield Count(source, stage, reason, documents, report.read[source])


def _meant(wanted: str, reasons: Sequence[str]) -> set[str]:
    """The reasons that `wanted` names."""
    for answers in (wanted.__eq__, lambda reason: reason.partition(":")[0] == wanted, lambda reason: wanted in reason):
        found = {reason for reason in reasons if answers(reason)}
        if found:
            return found
    raise TokenmillError(f"--reason {wanted}: nothing was dropped for that{did_you_mean(wanted, list(reasons))}")


def sample_rejects(folder: Folder, counts: Sequence[Count], number: int) -> list[Sample]:
    """At most `number` of the documents that `counts` count, in the order of their ids; the same ones every time."""
    run = last_run(folder)
    wanted = {(count.source, count.stage, count.reason) for count in counts}
    drawn: list[tuple[str, str, PartFile, dict[str, Any]]] = []
    for stage in STAGES:
        for file, reasons in _parts(run, stage, wanted, number):
            rows = [(row["id"], stage, file, row) for row in _smallest(file, reasons, number)]
            drawn = heapq.nsmallest(number, [*drawn, *rows], key=lambda item: item[:2])
    return [_sample(run, stage, file, row) for _, stage, file, row in drawn]


def _parts(run: RunFiles, stage: str, wanted: set[tuple[str, str, str]], number: int) -> Iterator[tuple[PartFile, list[str]]]:
    """Files spread over those that hold a wanted reason, as many as MAX_PARTS or as it takes, with those reasons."""
    found = [item for committed in run.stages(stage) for item in _holding(committed, stage, wanted)]
    step = max(len(found) // MAX_PARTS, 1)
    ahead = 0
    for turn, (file, reasons, documents) in enumerate(item for start in range(step) for item in found[start::step]):
        if turn >= MAX_PARTS and ahead >= number:
            return
        ahead += documents
        yield file, reasons


def _holding(stage: Committed, name: str, wanted: set[tuple[str, str, str]]) -> Iterator[tuple[PartFile, list[str], int]]:
    """The files of a stage that its manifest says to hold wanted reasons, with these and the number of such documents."""
    files = {entry.part: entry for entry in stage.files(STAGES[name])}
    for result in stage.results:
        hits = {reason: n for (source, reason), n in result.report.dropped.items() if n and (source, name, reason) in wanted}
        if hits and result.task in files:
            yield PartFile(stage.folder, files[result.task]), sorted(hits), sum(hits.values())


def _smallest(file: PartFile, reasons: Sequence[str], number: int) -> list[dict[str, Any]]:
    """Of the rows with one of the reasons, those with the smallest ids."""
    rows: list[dict[str, Any]] = []
    for batch in file.batches():
        hits = batch.filter(pc.is_in(batch.column("reason"), pa.array(reasons, pa.string())))
        least = pc.select_k_unstable(hits, min(number, hits.num_rows), [("id", "ascending")])
        rows = heapq.nsmallest(number, [*rows, *hits.take(least).to_pylist()], key=lambda row: row["id"])
    return rows


def _sample(run: RunFiles, stage: str, file: PartFile, row: Mapping[str, Any]) -> Sample:
    """A row with all that is known of its document elsewhere: where it came from, and for a decision its text."""
    text, numbers = row.get("excerpt") or "", _numbers(run, stage, file, row)
    kept = _kept_before(run, stage, file.part, row["id"])
    where = row.get("url") or kept.get("url") or json.loads(kept.get("meta") or "{}").get("locator") or ""
    about = (row["id"], file.source, file.part, stage, row["reason"], where)
    return Sample(*about, numbers, row.get("twin"), text or (kept.get("text") or "")[:EXCERPT_CHARS])


def _numbers(run: RunFiles, stage: str, file: PartFile, row: Mapping[str, Any]) -> tuple[Number, ...]:
    """Those that decided; all that the deciding step measured where its rule is no bound on a number."""
    if STAGES[stage] == "decisions":
        return decision_numbers(row, file.schema(), stage)
    if stage == "tokenize":
        return encoding_numbers(row)
    docs = part_file(run, stage, "docs", file.part)
    if stage == "extract" or docs is None:
        return ()
    measured = [number for number in rejected_numbers(row, docs.schema()) if number.signal.startswith(f"{row['step']}.")]
    return tuple(number for number in measured if number.decided) or tuple(measured)


def _kept_before(run: RunFiles, stage: str, part: str, id: str) -> dict[str, Any]:  # noqa: A002
    """The document as the stage before had it; empty for one that was never extracted."""
    before = {"filter": "extract", **dict.fromkeys(DECIDERS, "filter"), "tokenize": "filter"}.get(stage)
    file = part_file(run, before, "docs", part) if before else None
    columns = ["id", "url", "meta", *(["text"] if before == "filter" else [])]
    for batch in file.batches(columns) if file else ():
        at = pc.index(batch.column("id"), id).as_py()
        if at >= 0:
            found: dict[str, Any] = batch.slice(at, 1).to_pylist()[0]
            return found
    return {}
