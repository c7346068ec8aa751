"""Why is this document in, or out? One document followed through every stage of a run, with what was measured.

Everything is read from the files of the run, so the answer is what was decided, not what would be decided now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import TokenmillError
from pipeline.evidence import Number, decision_numbers, encoding_numbers, kept_numbers, part_file, rejected_numbers
from pipeline.job import PartFile
from pipeline.mixing import BEYOND_QUOTA
from pipeline.runfiles import RunFiles, last_run
from pipeline.schema import EXCERPT_CHARS
from pipeline.storage import Folder
from pipeline.survivors import DECIDERS
from pipeline.tokens import KEY_END, add_histograms, bucket_of, read_bucket


@dataclass(frozen=True)
class Event:
    """What one stage did with the document: `verdict` is "kept", "dropped" or "packed"; `numbers` are what it decided by."""

    stage: str
    verdict: str
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    numbers: tuple[Number, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "numbers": [number.to_json() for number in self.numbers]}


@dataclass(frozen=True)
class Story:
    """A document's way through a run."""

    id: str
    source: str
    url: str | None
    meta: Mapping[str, Any]
    excerpt: str
    events: tuple[Event, ...]
    stopped: str = ""

    @property
    def verdict(self) -> str:
        """ "in" when at least one token of it was packed, "out" with the stage and reason when it was dropped.

        Of a run that stopped it may be "in so far"; else a document of which the run's files say neither is "lost", which
        `tokenmill verify` shows too.
        """
        last = self.events[-1]
        if last.verdict == "packed":
            return "in"
        if last.verdict == "dropped":
            return f"out: {last.stage} {last.reason}"
        return f"in so far: {last.stage}" if self.stopped else f"lost after {last.stage}"

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "events": [event.to_json() for event in self.events], "verdict": self.verdict}


def explain(folder: Folder, wanted: str) -> list[Story]:
    """The stories of the documents that `wanted` names: an id, the beginning of one, or a part of a URL or file name.

    Raises TokenmillError when nothing matches.
    """
    run = last_run(folder)
    found = list(_matches(run, wanted)) if wanted and _is_text(wanted) else []
    if not found:
        raise TokenmillError(
            f"no document is called {wanted!r} in {folder.url}: give an id, its beginning, or a part of a URL or file name"
        )
    return [_story(run, part, row) for part, row in found]


def _is_text(wanted: str) -> bool:
    """Whether UTF-8 can say it: a shell's bytes that are none come as lone surrogates, which no column holds."""
    return not any("\ud800" <= char <= "\udfff" for char in wanted)


#: At most this many documents are explained at once: a part of a file name may match thousands.
MOST = 10


def _matches(run: RunFiles, wanted: str) -> Iterator[tuple[PartFile, dict[str, Any]]]:
    count = 0
    for kind in ("docs", "rejects"):
        for file in run.files("extract", kind):
            table = file.table(["id", "url", *(["meta"] if kind == "docs" else [])])
            for index in pc.indices_nonzero(_named(table, wanted)).to_pylist():
                row = file.table().slice(index, 1).to_pylist()[0]
                yield file, row
                count += 1
                if count >= MOST:
                    return


def _named(table: pa.Table, wanted: str) -> pa.Array:
    by_id = pc.starts_with(table["id"], wanted) if len(wanted) >= 6 else pc.equal(table["id"], wanted)
    by_url = pc.match_substring(table["url"], wanted).fill_null(False)
    by_name = pc.match_substring(table["meta"], wanted).fill_null(False) if "meta" in table.column_names else by_url
    return pc.or_(by_id, pc.or_(by_url, by_name)).combine_chunks()


def _story(run: RunFiles, part: PartFile, row: Mapping[str, Any]) -> Story:
    text = row.get("text") or row.get("excerpt") or ""
    events = tuple(_events(run, part, row))
    meta = json.loads(row.get("meta") or "{}")
    return Story(row["id"], row["source"], row.get("url"), meta, text[:EXCERPT_CHARS], events, run.stopped)


def _events(run: RunFiles, part: PartFile, row: Mapping[str, Any]) -> Iterator[Event]:
    if "reason" in row:
        yield Event("extract", "dropped", row["reason"])
        return
    yield Event("extract", "kept", facts={"part": part.part, "characters": len(row["text"])})
    yield from _after_extract(run, part.part, row["id"])


def _after_extract(run: RunFiles, part: str, id: str) -> Iterator[Event]:  # noqa: A002
    for stage in ("filter", *DECIDERS):
        event = _filtered(run, part, id) if stage == "filter" else _decided(run, part, id, stage)
        if event:
            yield event
            if event.verdict == "dropped":
                return
    lost = _row(part_file(run, "tokenize", "rejects", part), id)
    if lost:
        yield Event("tokenize", "dropped", lost["reason"], numbers=encoding_numbers(lost))
        return
    tokens = _row(part_file(run, "tokenize", "tokens", part), id, ["id", "key", "n_tokens"])
    if tokens:
        yield Event("tokenize", "kept", facts={"part": part, "n_tokens": tokens["n_tokens"], "key": tokens["key"] / KEY_END})
        yield from _mixed(run, part.rpartition("-")[0], tokens)


def _filtered(run: RunFiles, part: str, id: str) -> Event | None:  # noqa: A002
    """What the filters did, with all that they measured before one of them dropped the document."""
    docs = part_file(run, "filter", "docs", part)
    if docs is None:
        return None
    rejected = _row(part_file(run, "filter", "rejects", part), id)
    if rejected:
        named = rejected["reason"].startswith(f"{rejected['step']}:")
        facts = {} if named else {"step": rejected["step"]}  # the second of two steps of one name
        return Event("filter", "dropped", rejected["reason"], facts, rejected_numbers(rejected, docs.schema()))
    kept = _row(docs, id)
    return Event("filter", "kept", numbers=kept_numbers(kept, docs.schema())) if kept else None


def _decided(run: RunFiles, part: str, id: str, stage: str) -> Event | None:  # noqa: A002
    file = part_file(run, stage, "decisions", part)
    row = _row(file, id)
    if file is None or row is None:
        return None
    facts = {"twin": row["twin"]} if row["twin"] else _cut(part_file(run, stage, "cuts", part), id)
    return Event(stage, "dropped" if row["reason"] else "kept", row["reason"] or "", facts, decision_numbers(row, file.schema(), stage))


def _cut(cuts: PartFile | None, id: str) -> dict[str, Any]:  # noqa: A002
    """How many passages were cut from the document, how much they are, and which documents keep them."""
    rows = [row for batch in (cuts.batches() if cuts else ()) for row in batch.filter(pc.equal(batch.column("id"), id)).to_pylist()]
    if not rows:
        return {}
    kept_in = " ".join(dict.fromkeys(row["twin"] for row in rows if row["twin"]))
    found = {"passages_cut": len(rows), "characters_cut": sum(row["characters"] for row in rows)}
    return {**found, "also_in": kept_in} if kept_in else found


def _row(file: PartFile | None, id: str, columns: list[str] | None = None) -> dict[str, Any] | None:  # noqa: A002
    for batch in file.batches(columns) if file else ():
        hit = pc.index(batch.column("id"), id).as_py()
        if hit >= 0:
            row: dict[str, Any] = batch.slice(hit, 1).to_pylist()[0]
            return row
    return None


def _mixed(run: RunFiles, source: str, tokens: Mapping[str, Any]) -> Iterator[Event]:
    """Whether the quota reaches the document, then where it lies in the shards."""
    mixed = next(run.files("mix", "plan"), None)
    if mixed is None:  # the run stopped before
        return
    plan = json.loads(mixed.read())
    pool = "validation" if bucket_of(tokens["key"]) < plan["held_buckets"] else "train"
    stream = next(stream for stream in plan["pools"][pool]["sources"] if stream["source"] == source)
    quota, begins_at = stream["quota"], _begins_at(run, source, tokens, 0 if pool == "validation" else plan["held_buckets"])
    facts = {"pool": pool, "quota": quota, "available": stream["tokens"], "begins_at": begins_at}
    if quota:
        facts["place"] = begins_at / quota
    if begins_at >= quota:
        yield Event("mix", "dropped", BEYOND_QUOTA, facts)
        return
    yield Event("mix", "kept", facts=facts)
    yield from _packed(run, tokens["id"])


def _begins_at(run: RunFiles, source: str, tokens: Mapping[str, Any], first_bucket: int) -> int:
    """The tokens of the document's pool and source that come before it in the order of the mix."""
    histogram = add_histograms(file for file in run.files("tokenize", "histogram") if file.source == source)
    bucket = bucket_of(tokens["key"])
    rows = read_bucket((file for file in run.files("tokenize", "tokens") if file.source == source), bucket)
    before = rows.column("n_tokens").to_numpy()[: pc.index(rows.column("id"), tokens["id"]).as_py()]
    return int(histogram.tokens[first_bucket:bucket].sum() + before.sum())


def _packed(run: RunFiles, id: str) -> Iterator[Event]:  # noqa: A002
    for stage in run.stages("pack"):
        for entry in stage.files():
            if "docs-" not in entry.name:
                continue
            table = PartFile(stage.folder, entry).table()
            for row in table.filter(pc.equal(table["id"], id)).to_pylist():
                place = {key: row[key] for key in ("doc_index", "epoch", "n_tokens", "tokens", "first_token") if key in row}
                yield Event("pack", "packed", entry.name, place)
