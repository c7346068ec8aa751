"""A run's folder as the driver leaves it, made up, written with the real schemas, manifests and report classes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from synthetic_documents import (
    HOSTILE,
    SHARES,
    Document,
    duplicate,
    fate,
    low,
    parts,
    survivors,
    write_decisions,
    write_docs,
    write_rejects,
)

from pipeline.contracts import Task
from pipeline.dedupe.duplicates import CLUSTERS
from pipeline.job import MANIFEST, Inputs, Job, TaskResult
from pipeline.mixing import Stream
from pipeline.report import Report
from pipeline.shards.layout import DocsFile, Manifest, Shard, Tokenizer
from pipeline.storage import Folder

Write = Callable[[Job, Report], None]

#: Tokens of the training split by source: the shares of 100,000.
QUOTA = {"web": 60_000, "books": 30_000, "code": 10_000}
TOKENS_PER_DOCUMENT = 2000
SEQ_LEN = 1024


@dataclass
class SyntheticRun:
    """Writes stages one by one, and run.json over them."""

    folder: Folder
    entries: list[dict[str, Any]] = field(default_factory=list)

    def stage(self, number: int, stage: str, source: str | None, args: Mapping[str, Any], tasks: Mapping[str, Write]) -> Folder:
        """Commit a stage; each task's function writes its files and counts."""
        key = f"{stage}-{source}" if source else stage
        fingerprint = hashlib.sha256(key.encode()).hexdigest()
        name = f"{number:02d}-{key}-{fingerprint[:12]}"
        folder = self.folder.sub(name)
        results = [self._task(task, write, folder).to_json() for task, write in tasks.items()]
        about = {"stage": key, "fingerprint": fingerprint, "args": args, "inputs": {}}
        folder.write_json(MANIFEST, {**about, "tasks": results, "finished": []})
        times = {"ran": True, "seconds": 10.0 + number, "task_seconds": 25.5 * number}
        self.entries.append({"key": key, "stage": stage, "source": source, "folder": name, "fingerprint": fingerprint, **times})
        return folder

    def _task(self, name: str, write: Write, folder: Folder) -> TaskResult:
        job, report = Job(Task(name), Inputs({}), folder), Report()
        write(job, report)
        return TaskResult(name, tuple(job.written), report.check())

    def planned(self, number: int, stage: str, source: str | None) -> None:
        """A stage that the run was to make and did not finish."""
        key = f"{stage}-{source}" if source else stage
        about = {"folder": f"{number:02d}-{key}-0", "fingerprint": "0", "ran": False, "seconds": 0.0, "task_seconds": 0.0}
        self.entries.append({"key": key, "stage": stage, "source": source, **about})

    def write_run(self) -> None:
        sources = {name: {"share": share, "about": f"about {name}", "max_epochs": 4.0} for name, share in SHARES.items()}
        facts = {
            "recipe": "mix-v1", "profile": "sample", "about": "A made-up mix of three sources <for tests>.", "seed": 7,
            "stages": self.entries, "sources": sources, "lock": [_locked(name, index) for name in SHARES for index in range(3)],
            "missing": [], "digest": "d" * 64, "started": "2026-11-23T12:00:00+00:00", "seconds": 4321.5, "version": "0.1.0", "workers": 4,
        }  # fmt: skip
        self.folder.write_json("run.json", facts)


def _locked(source: str, index: int) -> dict[str, Any]:
    name = f"deb:{source}-doc-{index}"
    digest, licence = hashlib.sha256(name.encode()).hexdigest(), ["GPL-2", "CC-BY-4.0", ""][index]
    about = {"source": source, "reader": {"any": {}}, "name": name, "version": f"1.{index}", "origin": "debian"}
    return {**about, "sha256": digest, "size": 1_000_000 * (index + 1), "licence": licence}


def make_run(folder: Folder, until: str = "pack") -> SyntheticRun:
    """The whole way of mix-v1 up to the stage `until`; the stages after it are planned and not done."""
    run = SyntheticRun(folder)
    done = True
    for number, (name, (make, sources)) in enumerate(STAGES.items(), 1):
        for source in sources:
            if done:
                make(run, number, source)
            else:
                run.planned(number, name, source)
        done = done and name != until
    run.write_run()
    return run


def _extract(run: SyntheticRun, number: int, source: str) -> None:
    def task(documents: Sequence[Document]) -> Write:
        def write(job: Job, report: Report) -> None:
            kept = [d for d in documents if not d.empty]
            write_docs(job, kept)
            write_rejects(job, "extract", [(d, "extract:empty") for d in documents if d.empty])
            _count(report, source, len(documents), len(kept), "extract:empty")
            report.count(source, "raw_bytes", 9000 * len(documents))
            report.count(source, "text_bytes", sum(len(d.text.encode()) for d in kept))

        return write

    run.stage(number, "extract", source, {"extractors": []}, {name: task(every) for name, every in parts(source)})


def _filter(run: SyntheticRun, number: int, source: str) -> None:
    def task(documents: Sequence[Document]) -> Write:
        def write(job: Job, report: Report) -> None:
            found = [(d, fate(d)) for d in documents if not d.empty]
            write_docs(job, [d for d, reason in found if reason is None], signals=True)
            write_rejects(job, "gopher_quality", [(d, reason) for d, reason in found if reason])
            report.read[source] += len(found)
            report.kept[source] += sum(reason is None for _, reason in found)
            for _, reason in found:
                if reason:
                    report.drop(source, reason)
            report.count(source, "text_bytes", sum(len(d.text.encode()) for d, reason in found if reason is None))

        return write

    bounds = {"min_words": 50, "max_words": 100_000, "min_stop_words": 8, "min_mean_word_length": 3, "max_mean_word_length": 10}
    steps = [{"name": "gopher_quality", "args": {**bounds, "strict": True}}]
    run.stage(number, "filter", source, {"steps": steps}, {name: task(every) for name, every in parts(source)})


def _dedupe(run: SyntheticRun, number: int, _: None) -> None:
    """A task per part, and one for the clusters."""
    clusters = list(_clusters([d for _, every in parts("web") for d in every if not fate(d) and not d.empty and duplicate(d)]))
    twins = {row["id"]: row["twin"] for row in clusters}

    def task(source: str, documents: Sequence[Document]) -> Write:
        def write(job: Job, report: Report) -> None:
            found = [d for d in documents if not d.empty and not fate(d)]
            gone = [d for d in found if duplicate(d)]
            write_decisions(job, [(d, "dedupe:near", twins[d.id], 0.9) if d in gone else (d, None, None, None) for d in found])
            _count(report, source, len(found), len(found) - len(gone), "dedupe:near")

        return write

    def write_clusters(job: Job, report: Report) -> None:
        with job.parquet("clusters", CLUSTERS) as sink:
            sink.write(pa.RecordBatch.from_pylist(clusters, schema=CLUSTERS))

    tasks = {name: task(source, every) for source in SHARES for name, every in parts(source)}
    run.stage(number, "dedupe", None, {"threshold": 0.8}, {**tasks, "dedupe": write_clusters})


def _clusters(removed: Sequence[Document]) -> Iterator[dict[str, Any]]:
    """The first five removed documents are one cluster with the twin of the first; the others are pairs."""
    for index, d in enumerate(removed):
        head = removed[0] if index < 5 else d
        twin = Document(d.source, head.number - 1)
        common = {"cluster": twin.id, "size": 6 if index < 5 else 2, "source": d.source, "part": "web-00000"}
        if head == d:
            yield {**common, "id": twin.id, "kept": True, "twin": None, "jaccard": None, "excerpt": twin.text[:200]}
        yield {**common, "id": d.id, "kept": False, "twin": twin.id, "jaccard": 0.9, "excerpt": HOSTILE}


CARD = {
    "sources": {
        "books": {"label": "positive", "trained_on": 80, "held_out": 20},
        "code": {"label": None, "trained_on": 0, "held_out": 9},
        "web": {"label": "negative", "trained_on": 160, "held_out": 40},
    },
    "percentiles": {name: [place / 100 for place in range(101)] for name in ("books", "code", "web")},
    "held_out": {"documents": 60, "accuracy": 0.95, "auc": 0.987},
}


def _quality_model(run: SyntheticRun, number: int, _: None) -> None:
    def write(job: Job, report: Report) -> None:
        job.write("card", "json", json.dumps(CARD).encode())

    run.stage(number, "quality_model", None, {}, {"quality_model": write})


def _quality(run: SyntheticRun, number: int, source: str) -> None:
    def task(documents: Sequence[Document]) -> Write:
        def write(job: Job, report: Report) -> None:
            found = [d for d in documents if not d.empty and not fate(d)]
            asked = [d for d in found if not duplicate(d)]
            write_decisions(job, [(d, "quality:low" if d in asked and low(d) else None, None, d.score) for d in found])
            _count(report, source, len(asked), sum(not low(d) for d in asked), "quality:low")

        return write

    run.stage(number, "quality", source, {"drop_lowest": 0.1}, {name: task(every) for name, every in parts(source)})


def _tokenizer(run: SyntheticRun, number: int, _: None) -> None:
    def write(job: Job, report: Report) -> None:
        job.write("evaluation", "json", json.dumps(EVALUATION).encode())

    run.stage(number, "tokenizer", None, {"vocab_size": 16384}, {"tokenizer": write})


def _tokenize(run: SyntheticRun, number: int, source: str) -> None:
    def write(job: Job, report: Report) -> None:
        _all_kept(report, source)
        report.count(source, "tokens", TOKENS_PER_DOCUMENT * len(survivors(source)))

    run.stage(number, "tokenize", source, {}, {f"{source}-00000": write})


def _mix(run: SyntheticRun, number: int, _: None) -> None:
    def write(job: Job, report: Report) -> None:
        sizes = {name: len(survivors(name)) for name in SHARES}
        streams = [Stream(name, SHARES[name], sizes[name], TOKENS_PER_DOCUMENT * sizes[name], 4.0, QUOTA[name]) for name in SHARES]
        rows = [{**vars(stream), "epochs": stream.epochs} for stream in streams]
        train = {"tokens": 100_000, "bound_by": "web", "sources": rows, "shards": [[], []]}
        job.write("plan", "json", json.dumps({"version": 1, "held_buckets": 41, "pools": {"train": train}}).encode())
        for source in SHARES:
            _all_kept(report, source)

    run.stage(number, "mix", None, {"shares": SHARES}, {"mix": write})


def _pack(run: SyntheticRun, number: int, _: None) -> None:
    """Two shards of 50,000 tokens, each with the shares of the mix, and a validation shard."""

    def write(job: Job, report: Report) -> None:
        for source in SHARES:
            _all_kept(report, source)

    folder = run.stage(number, "pack", None, {"seq_len": SEQ_LEN}, {"train-00000": write})
    half = {source: tokens // 2 for source, tokens in QUOTA.items()}
    for split, shards in (("train", [half, half]), ("validation", [{"web": 900, "books": 90, "code": 10}])):
        folder.sub(split).write_json(MANIFEST, _manifest(split, [_shard(index, by_source) for index, by_source in enumerate(shards)]))


def _shard(index: int, by_source: Mapping[str, int]) -> Shard:
    tokens = sum(by_source.values())
    docs = DocsFile(f"docs-{index:05d}.parquet", 10, 999, "0" * 64)
    rows = -(-tokens // SEQ_LEN)
    return Shard(f"data-{index:05d}.arrow", rows, tokens, 30, tokens - 30, 2 * tokens, f"{index:064x}", {}, by_source, docs)


def _manifest(split: str, shards: Sequence[Shard]) -> dict[str, Any]:
    packing = {"algorithm": "best-fit decreasing", "window": 32_768, "seed": 7, "documents_split": 12, "fill": 0.9979}
    rows, tokens = sum(shard.rows for shard in shards), sum(shard.tokens for shard in shards)
    tokenizer = Tokenizer("tokenizer.json", "a" * 64, 16384, {})
    return Manifest(split, "d" * 64, SEQ_LEN, "uint16", rows, tokens, tokenizer, packing, [], shards).to_json()


def _count(report: Report, source: str, read: int, kept: int, reason: str) -> None:
    report.read[source] += read
    report.kept[source] += kept
    report.drop(source, reason, read - kept)


def _all_kept(report: Report, source: str) -> None:
    _count(report, source, len(survivors(source)), len(survivors(source)), "none")


_NUMBERS = {"documents": 9, "bytes": 400_000, "tokens": 100_000, "bytes_per_token": 4.0, "not_restored": 0}
#: As the tokenizer stage writes it.
EVALUATION = {
    "kind": "byte-level BPE",
    "vocab_size": 16384,
    "sources": dict.fromkeys(SHARES, _NUMBERS),
    "languages": [{"language": name, **_NUMBERS} for name in ("en", "fr")],
}

#: The stages in their order: who makes each, and once for what.
STAGES: dict[str, tuple[Callable[..., None], Sequence[str | None]]] = {
    "extract": (_extract, tuple(SHARES)),
    "filter": (_filter, tuple(SHARES)),
    "dedupe": (_dedupe, (None,)),
    "quality_model": (_quality_model, (None,)),
    "quality": (_quality, ("web",)),
    "tokenizer": (_tokenizer, (None,)),
    "tokenize": (_tokenize, tuple(SHARES)),
    "mix": (_mix, (None,)),
    "pack": (_pack, (None,)),
}
