"""A few parts of documents, and the whole way from signatures to decisions over them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import reference_minhash as plain

from pipeline.dedupe import keyed, merging
from pipeline.job import MANIFEST, Committed, TaskResult
from pipeline.report import Report
from pipeline.schema import DOC, bounds_on, document_id, signal_field
from pipeline.stages import candidates, components, verify
from pipeline.storage import Folder
from pipeline.worker import LocalStage

#: A document: what it is called, its text, and perhaps its date and its URL.
Doc = tuple[str, str] | tuple[str, str, str] | tuple[str, str, str | None, str]
#: The signal that the documents of a run with scores have.
SCORE = "judge.score"
SCORED = DOC.append(signal_field(SCORE, pa.float64()))


@dataclass
class Dedupe:
    """What a run over some parts left."""

    stages: LocalStage
    docs: Committed
    texts: Mapping[str, str]
    names: Mapping[str, str]
    against: tuple[Dedupe, ...] = ()
    of: str = "text"

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
    def there(self) -> set[str]:
        """What is kept of this run and of those it was compared with."""
        return self.kept.union(*(run.there for run in self.against))

    @property
    def files(self) -> dict[str, str]:
        """The hash of every file that dedupe wrote."""
        return {entry.name: entry.sha256 for entry in self.stages.committed["dedupe"].files()}


def committed_docs(
    folder: Folder, parts: Mapping[str, Sequence[Doc]], scores: Mapping[str, float] | None = None, turns: Mapping[str, Any] | None = None
) -> Committed:
    """A filter stage that holds these documents, with scores and turns by their names if there are any."""
    schema = DOC if scores is None else SCORED
    results = []
    for part, docs in parts.items():
        source = part.rpartition("-")[0]
        rows = [_row(source, doc, (scores or {}).get(doc[0])) | {"turns": (turns or {}).get(doc[0])} for doc in docs]
        with folder.parquet(f"{part}.docs.parquet", schema) as sink:
            sink.write(pa.RecordBatch.from_pylist(rows, schema=schema))
        results.append(TaskResult(part, (sink.entry(),), Report()))
    manifest = {"stage": "filter", "fingerprint": "local", "tasks": [result.to_json() for result in results]}
    folder.write_json(MANIFEST, manifest)
    return Committed(folder, manifest)


def _row(source: str, doc: Doc, score: float | None) -> dict[str, Any]:
    facts = dict(zip(("date", "url"), doc[2:], strict=False))
    return {"id": document_id(source, doc[0]), "text": doc[1], "source": source, SCORE: score, **facts}


def dedupe(
    out: Path,
    parts: Mapping[str, Sequence[Doc]],
    *,
    seed: str = "",
    threshold: float = 0.8,
    priority: Sequence[str] = (),
    same_url: bool | Sequence[str] = False,
    scores: Mapping[str, float] | None = None,
    against: Sequence[Dedupe] = (),
    of: str = "text",
    turns: Mapping[str, Any] | None = None,
    **args: Any,
) -> Dedupe:
    """Run every stage from signatures to dedupe; `seed` shuffles the tasks of each.

    With `scores` documents are preferred by them; `against` are earlier runs, whose indexes are made. Those with `turns` are
    conversations, of which `of` is compared.
    """
    stages = LocalStage(Folder(str(out)), order=lambda task: random.Random(f"{seed} {task.name}").random())
    docs = committed_docs(stages.out.sub("filter"), parts, scores, turns)
    known = [indexed(run) for run in against]
    signed = stages.run("signatures", {"filter": docs}, of=of)
    linked = stages.run("candidates", {"signatures": signed}, same_url=same_url, against=known)
    joined = stages.run("components", {"signatures": signed, "candidates": linked}, against=known)
    gathered = {"same_url": same_url, "prefer": None if scores is None else SCORE, "against": known, "of": of}
    texts = stages.run("gather", {"filter": docs, "signatures": signed, "components": joined}, **gathered)
    judged = stages.run("verify", {"gather": texts}, threshold=threshold, priority=list(priority), shingle_words=5)
    inputs = {"filter": docs, "signatures": signed, "verify": judged}
    stages.run("dedupe", inputs, threshold=threshold, priority=list(priority), **args)
    by_id = {document_id(part.rpartition("-")[0], doc[0]): doc for part, found in parts.items() for doc in found}
    names = {name: found for run in against for name, found in run.names.items()}
    contents = {name: content for run in against for name, content in run.texts.items()}
    texts_of = contents | {doc[0]: doc[1] for doc in by_id.values()}
    return Dedupe(stages, docs, texts_of, names | {found: doc[0] for found, doc in by_id.items()}, tuple(against), of)


def indexed(run: Dedupe) -> str:
    """The manifest of a run's index, which is made if there is none yet."""
    if "index" not in run.stages.committed:
        inputs = {"filter": run.docs, **{role: run.stages.committed[role] for role in ("signatures", "dedupe")}}
        scored = SCORE in run.docs.folder.schema(run.docs.files("docs")[0].name).names
        run.stages.run("index", inputs, signed_by={}, prefer=SCORE if scored else None, of=run.of)
    return run.stages.committed["index"].folder.path(MANIFEST)


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


FREE = {"max_removed": 1.0}
PHRASES = [text(8, "p"), text(8, "q"), text(5, "r"), "one", "Two, three.", ""]


def check(run: Dedupe, threshold: float = 0.8) -> None:
    """The invariant: each removed document names a kept one at least as like it as asked, with their true Jaccard index."""
    decisions = run.decisions
    assert set(decisions) == set(run.names.values()) - {name for other in run.against for name in other.names.values()}
    for name, (reason, twin, value) in decisions.items():
        if reason is None:
            assert (twin, value) == (None, None)
            continue
        assert twin in run.there, f"{name} was removed for {twin}, which is not kept"
        if reason == "same_url":
            assert value is None
            continue
        true = plain.jaccard(plain.shingles(run.texts[name], 5), plain.shingles(run.texts[twin], 5))
        assert value == pytest.approx(true)
        assert true >= threshold
        same = plain.words(run.texts[name]) == plain.words(run.texts[twin])
        assert reason == ("exact_duplicate" if same else "near_duplicate")
    done = run.stages.committed["dedupe"]
    for entry in done.files("decisions"):
        assert bounds_on(done.folder.schema(entry.name).field("value")) == [("near_duplicate", "<", threshold)]
    report = done.report.check()
    assert sum(report.read.values()) == len(decisions)
    assert sum(report.kept.values()) == len(run.kept)


def divide(monkeypatch: pytest.MonkeyPatch, tasks: int, keys: int) -> None:
    """Let stages be cut into about this many ranges, and files into row groups as small as they get."""
    monkeypatch.setattr(candidates, "KEYS_PER_TASK", max(1, -(-keys // tasks)))
    monkeypatch.setattr(verify, "BYTES_PER_TASK", max(1, 60_000 // tasks))
    monkeypatch.setattr(keyed, "GROUP_BYTES", 1 if tasks > 1 else 1 << 20)


def crowd(patch: pytest.MonkeyPatch, tasks: int) -> None:
    """Let every stage be cut fine, go in rounds, and merge its files first, as it would with billions of documents."""
    divide(patch, tasks, 14 * 60)
    patch.setattr(components, "LINKS_PER_TASK", 20)
    patch.setattr(components, "DOCUMENTS_PER_TASK", 20)
    patch.setattr(merging, "MOST_OPENS", 3)
    patch.setattr(merging, "MERGED_BYTES", 1 << 14)
    patch.setattr(verify, "REMOVALS_HELD", 3)
