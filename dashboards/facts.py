"""Gathers the facts of a run from its folder: run.json, the manifests of its stages, and a bounded look into their files.

A stage that run.json lists and that has no manifest was not finished; the facts then say so instead of failing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dashboards import evidence
from dashboards.checks import checks
from dashboards.model import (
    Counted,
    Drop,
    Funnel,
    Histogram,
    InputFacts,
    QualityModel,
    RunFacts,
    Sample,
    ScoredSource,
    SourceFacts,
    StageFacts,
    Step,
)
from dashboards.token_model import MixRow, Shard, ShardSet, TokenizerFacts, TokenizerRow
from pipeline.job import MANIFEST, Committed
from pipeline.runfiles import RunFiles
from pipeline.storage import Folder
from pipeline.survivors import DECIDERS

SPLITS = ("train", "validation")
#: A funnel's steps: what each is called, the stage that counted it, and whether it is what that stage read.
FUNNEL = (
    ("read", "extract", True),
    ("extracted", "extract", False),
    ("filtered", "filter", False),
    ("deduped", "dedupe", False),
    ("lines", "lines", False),
    ("passages", "passages", False),
    ("quality", "quality", False),
    ("tokenized", "tokenize", False),
    ("packed", "pack", False),
)
QUALITY_CARD = "quality_model.card.json"
EVALUATION = "tokenizer.evaluation.json"
#: What a row of the evaluation has of its own; all else is shown as it is called there.
COUNTED = ("bytes", "tokens", "bytes_per_token")
#: Samples of each source's drops, by (stage key, source, reason).
Samples = Mapping[tuple[str, str, str], tuple[Sample, ...]]


def gather(folder: Folder) -> RunFacts:
    """The facts of the run in `folder`; raises StorageError when there is no run, or a file is damaged."""
    run = RunFiles(folder).facts
    sources = _sources(run["sources"])
    committed = dict(_committed(folder, run["stages"]))
    stages = _stages(run["stages"], committed, _samples(run["stages"], committed))
    by_name = {entry["stage"]: committed[entry["key"]] for entry in reversed(run["stages"]) if entry["key"] in committed}
    shards = _shards(by_name.get("pack"))
    mix = _mix(by_name.get("mix"))
    return RunFacts(
        recipe=run["recipe"],
        profile=run["profile"],
        about=run["about"],
        seed=run["seed"],
        digest=run.get("digest", ""),
        version=run.get("version", ""),
        started=run["started"],
        seconds=run["seconds"],
        workers=run["workers"],
        sources=sources,
        stages=stages,
        inputs=tuple(InputFacts(**{key: row[key] for key in InputFacts.__annotations__}) for row in run["lock"]),
        missing=tuple(run["missing"]),
        funnels=tuple(_funnel(source.name, stages, shards) for source in sources),
        thresholds=tuple(_thresholds(run["stages"], committed)),
        quality=tuple(_quality(run["stages"], committed)),
        quality_model=_quality_model(by_name.get("quality_model")),
        dedupe=evidence.clusters(by_name["dedupe"]) if "dedupe" in by_name else None,
        tokenizer=_tokenizer(by_name.get("tokenizer")),
        mix=mix,
        shards=shards,
        checks=tuple(checks(sources, stages, mix, shards)),
    )


def _sources(listed: Mapping[str, Mapping[str, Any]]) -> tuple[SourceFacts, ...]:
    """The sources, the largest share first."""
    found = [SourceFacts(name, facts["share"], facts["about"], facts["max_epochs"]) for name, facts in listed.items()]
    return tuple(sorted(found, key=lambda source: (-source.share, source.name)))


def _committed(folder: Folder, entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Committed]]:
    for entry in entries:
        stage = folder.sub(entry["folder"])
        if stage.exists(MANIFEST):
            yield entry["key"], Committed(stage, stage.read_json(MANIFEST))


def _stages(entries: Sequence[Mapping[str, Any]], committed: Mapping[str, Committed], samples: Samples) -> tuple[StageFacts, ...]:
    return tuple(_stage(entry, committed.get(entry["key"]), samples) for entry in entries)


def _stage(entry: Mapping[str, Any], stage: Committed | None, samples: Samples) -> StageFacts:
    known = {key: entry[key] for key in ("key", "stage", "source", "folder", "fingerprint", "ran", "seconds", "task_seconds")}
    if stage is None:
        return StageFacts(**known, done=False)
    files = stage.files()
    rows: Counter[str] = Counter()
    for file in files:
        rows[file.kind] += file.rows
    return StageFacts(
        **known,
        done=True,
        tasks=len(stage.results),
        files=len(files),
        bytes=sum(file.bytes for file in files),
        rows=dict(sorted(rows.items())),
        counted=tuple(_counted(entry["key"], stage, source, samples) for source in _sources_of(stage)),
    )


def _sources_of(stage: Committed) -> list[str]:
    report = stage.report
    return sorted({*report.read, *report.kept, *(source for source, _ in [*report.dropped, *report.counts])})


def _counted(key: str, stage: Committed, source: str, samples: Samples) -> Counted:
    report = stage.report
    drops = sorted((reason, number) for (of, reason), number in report.dropped.items() if of == source and number)
    return Counted(
        source=source,
        read=report.read[source],
        kept=report.kept[source],
        drops=tuple(Drop(reason, number, samples.get((key, source, reason), ())) for reason, number in drops),
        counts={name: number for (of, name), number in sorted(report.counts.items()) if of == source},
    )


def _samples(entries: Sequence[Mapping[str, Any]], committed: Mapping[str, Committed]) -> Samples:
    """Samples of everything that was dropped; the texts that decisions dropped lie in the filter stages."""
    filters = {entry["source"]: committed[entry["key"]] for entry in entries if entry["stage"] == "filter" and entry["key"] in committed}
    found: dict[tuple[str, str, str], tuple[Sample, ...]] = {}
    for entry in entries:
        stage = committed.get(entry["key"])
        if stage is not None and entry["stage"] in ("extract", "filter"):
            rejects = evidence.reject_samples(stage)
            found |= {(entry["key"], entry["source"], reason): samples for reason, samples in rejects.items()}
        elif stage is not None and entry["stage"] in DECIDERS:
            decided = evidence.decision_samples(stage, filters)
            found |= {(entry["key"], source, reason): samples for (source, reason), samples in decided.items()}
    return found


def _funnel(source: str, stages: Sequence[StageFacts], shards: Sequence[ShardSet]) -> Funnel:
    """The steps of one source; a step that the plan hasn't, or for other sources only (quality), is left out."""
    steps = []
    for name, stage, before in FUNNEL:
        planned = [found for found in stages if found.stage == stage and found.source in (None, source)]
        if planned:
            counted = next((row for found in planned for row in found.counted if row.source == source), None)
            steps.append(_step(name, counted, before))
    if shards and steps:
        steps[-1] = replace(steps[-1], tokens=sum(found.by_source.get(source, 0) for found in shards))
    return Funnel(source, tuple(steps))


def _step(name: str, counted: Counted | None, before: bool) -> Step:
    if counted is None:
        return Step(name, None)
    if before:
        return Step(name, counted.read, counted.counts.get("raw_bytes"))
    return Step(name, counted.kept, counted.counts.get("text_bytes"), counted.counts.get("tokens"))


def _thresholds(entries: Sequence[Mapping[str, Any]], committed: Mapping[str, Committed]) -> Iterator[Histogram]:
    for entry in entries:
        if entry["stage"] == "filter" and entry["key"] in committed:
            yield from evidence.thresholds(committed[entry["key"]], entry["source"])


def _quality(entries: Sequence[Mapping[str, Any]], committed: Mapping[str, Committed]) -> Iterator[Histogram]:
    for entry in entries:
        if entry["stage"] == "quality" and entry["key"] in committed:
            found = evidence.scores(committed[entry["key"]], entry["source"])
            if found is not None:
                yield found


def _quality_model(stage: Committed | None) -> QualityModel | None:
    """What the model's card says of it."""
    if stage is None:
        return None
    card = stage.folder.read_json(QUALITY_CARD)
    judged, ranked = card["held_out"], card["percentiles"]
    sources = [
        ScoredSource(**{**row, "label": row["label"] or ""}, name=name, percentiles=ranked[name]) for name, row in card["sources"].items()
    ]
    return QualityModel(judged["documents"], judged["accuracy"], judged["auc"], tuple(sources))


def _tokenizer(stage: Committed | None) -> TokenizerFacts | None:
    """The evaluation beside the tokenizer; None when there is none."""
    if stage is None or EVALUATION not in {entry.name for entry in stage.files()}:
        return None
    found = stage.folder.read_json(EVALUATION)
    sources = tuple(_evaluated(name, numbers) for name, numbers in found["sources"].items())
    languages = tuple(_evaluated(row["language"], row) for row in found.get("languages", ()))
    return TokenizerFacts(dict(_scalars("", {key: value for key, value in found.items() if key != "sources"})), sources, languages)


def _evaluated(name: str, numbers: Mapping[str, Any]) -> TokenizerRow:
    others = {key: value for key, value in numbers.items() if key not in COUNTED and isinstance(value, int | float)}
    return TokenizerRow(name, numbers["bytes"], numbers["tokens"], others)


def _mix(stage: Committed | None) -> tuple[MixRow, ...]:
    """What the plan of the mix takes of each source for training."""
    if stage is None:
        return ()
    plan = stage.folder.read_json("mix.plan.json")["pools"]["train"]
    return tuple(MixRow(row["source"], row["share"], row["tokens"], row["quota"]) for row in plan["sources"])


def _shards(stage: Committed | None) -> tuple[ShardSet, ...]:
    """The packed splits as their manifests state them, train first."""
    folders = [(split, stage.folder.sub(split)) for split in SPLITS] if stage else []
    return tuple(_split(split, folder.read_json(MANIFEST)) for split, folder in folders if folder.exists(MANIFEST))


def _split(split: str, manifest: Mapping[str, Any]) -> ShardSet:
    shards = tuple(Shard(row["file"], row["rows"], row["tokens"], row["bytes"], row["sources"]) for row in manifest["shards"])
    tokenizer = manifest["tokenizer"]
    about = {
        "digest": manifest["digest"],
        "id type": manifest["dtype"],
        "tokenizer": tokenizer["sha256"],
        "vocabulary": tokenizer["vocab_size"],
    }
    return ShardSet(split, manifest["seq_len"], manifest["tokens"], shards, {**about, **dict(_scalars("", manifest["packing"]))})


def _scalars(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float]]:
    """The leaves of a mapping of mappings, by dotted name; lists are left out."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _scalars(f"{prefix}{key}.", value)
        elif isinstance(value, str | int | float):
            yield f"{prefix}{key}", value
