"""A few parts of documents, and the whole way from signatures to decisions over them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.job import MANIFEST, Committed, TaskResult
from pipeline.report import Report
from pipeline.schema import DOC, document_id
from pipeline.storage import Folder
from pipeline.worker import LocalStage

#: A document: what it is called, its text, and perhaps its date.
Doc = tuple[str, str] | tuple[str, str, str]


@dataclass
class Dedupe:
    """What a run over some parts left."""

    stages: LocalStage
    texts: Mapping[str, str]
    names: Mapping[str, str]

    @property
    def decisions(self) -> dict[str, tuple[str | None, str | None, float | None]]:
        """By the name of the document: reason, name of the twin, Jaccard index."""
        out = {}
        for entry in self.stages.committed["dedupe"].files("decisions"):
            for row in self.stages.committed["dedupe"].folder.table(entry.name).to_pylist():
                out[self.names[row["id"]]] = (row["reason"], self.names.get(row["twin"]), row["value"])
        return out

    @property
    def kept(self) -> set[str]:
        return {name for name, (reason, _, _) in self.decisions.items() if reason is None}

    @property
    def files(self) -> dict[str, str]:
        """The hash of every file that dedupe wrote."""
        return {entry.name: entry.sha256 for entry in self.stages.committed["dedupe"].files()}


def committed_docs(folder: Folder, parts: Mapping[str, Sequence[Doc]]) -> Committed:
    """A filter stage that holds these documents."""
    results = []
    for part, docs in parts.items():
        source = part.rpartition("-")[0]
        rows = [
            {"id": document_id(source, doc[0]), "text": doc[1], "source": source, "date": doc[2] if len(doc) > 2 else None} for doc in docs
        ]
        with folder.parquet(f"{part}.docs.parquet", DOC) as sink:
            sink.write(pa.RecordBatch.from_pylist(rows, schema=DOC))
        results.append(TaskResult(part, (sink.entry(),), Report()))
    manifest = {"stage": "filter", "fingerprint": "local", "tasks": [result.to_json() for result in results]}
    folder.write_json(MANIFEST, manifest)
    return Committed(folder, manifest)


def dedupe(
    out: Path, parts: Mapping[str, Sequence[Doc]], *, seed: str = "", threshold: float = 0.8, priority: Sequence[str] = (), **args: Any
) -> Dedupe:
    """Run every stage from signatures to dedupe; `seed` shuffles the tasks of each."""
    stages = LocalStage(Folder(str(out)), order=lambda task: random.Random(f"{seed} {task.name}").random())
    docs = committed_docs(stages.out.sub("filter"), parts)
    signed = stages.run("signatures", {"filter": docs})
    linked = stages.run("candidates", {"signatures": signed})
    joined = stages.run("components", {"signatures": signed, "candidates": linked})
    texts = stages.run("gather", {"filter": docs, "signatures": signed, "components": joined})
    judged = stages.run("verify", {"gather": texts}, threshold=threshold, priority=list(priority), shingle_words=5)
    inputs = {"filter": docs, "signatures": signed, "verify": judged}
    stages.run("dedupe", inputs, threshold=threshold, priority=list(priority), **args)
    by_id = {document_id(part.rpartition("-")[0], doc[0]): doc for part, found in parts.items() for doc in found}
    return Dedupe(stages, {doc[0]: doc[1] for doc in by_id.values()}, {found: doc[0] for found, doc in by_id.items()})


def words(count: int, name: str) -> list[str]:
    """Words that follow from a name: two names have none of their shingles in common."""
    draw = random.Random(name)
    return [f"{draw.choice('bcdfghklm')}{draw.choice('aeiou')}{draw.randrange(10_000)}" for _ in range(count)]


def text(count: int, name: str) -> str:
    return " ".join(words(count, name))


def edited(original: str, *places: int) -> str:
    """The text with the words at some places replaced."""
    found = original.split()
    for place in places:
        found[place] = f"new{place}"
    return " ".join(found)
