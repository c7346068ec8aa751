"""A filter stage of a few sources, and a tokenizer stage over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from bpe_kit import MANY_TONGUES
from kit import MAKERS

from pipeline.job import MANIFEST, Committed, TaskResult
from pipeline.report import Report
from pipeline.schema import DECISION, DOC, document_id
from pipeline.storage import Folder
from pipeline.worker import LocalStage

SHARES = {"web": 60.0, "books": 15.0, "wikipedia": 5.0, "code": 10.0, "academic": 5.0, "curated": 5.0}
SMALL: dict[str, Any] = {"vocab_size": 500, "sample_bytes": 60_000, "shares": SHARES}
LANGUAGES = ("de", "fr", "ru", "ja", "hi", "ar", "ko", "en")

Rows = Sequence[Mapping[str, Any]]


def documents() -> dict[str, list[dict[str, Any]]]:
    """Documents of six sources; those of `curated` are in many languages."""
    texts = {source: [make(f"{source} {n}") for n in range(min(count, 24))] for source, (make, _, count) in MAKERS.items()}
    texts["curated"] = [text * 2 for text in MANY_TONGUES for _ in range(4)]
    return {source: [_row(source, n, text) for n, text in enumerate(found)] for source, found in texts.items()}


def _row(source: str, number: int, text: str) -> dict[str, Any]:
    lang = LANGUAGES[number // 4] if source == "curated" else "en" if source != "code" else None
    row = {"id": document_id(source, str(number)), "text": text, "source": source, "lang": lang}
    return {**row, "url": f"test:{source}/{number}", "licence": "CC0-1.0", "date": None, "meta": None}


def parts(sources: Mapping[str, Rows], count: int = 2) -> dict[str, Rows]:
    """The documents of each source dealt over parts."""
    return {f"{source}-{n:05d}": rows[n::count] for source, rows in sources.items() for n in range(count)}


def committed(folder: Folder, name: str, tables: Mapping[str, Rows], kind: str = "docs", schema: pa.Schema = DOC) -> Committed:
    """A stage with one file per part."""
    results = []
    for part, rows in tables.items():
        with folder.parquet(f"{part}.{kind}.parquet", schema) as sink:
            for start in range(0, len(rows), 7):
                sink.write(pa.RecordBatch.from_pylist(list(rows[start : start + 7]), schema=schema))
        results.append(TaskResult(part, (sink.entry(),), Report()))
    manifest = {"stage": name, "fingerprint": name, "tasks": [result.to_json() for result in results]}
    folder.write_json(MANIFEST, manifest)
    return Committed(folder, manifest)


def decisions(tables: Mapping[str, Rows], dropped: set[str]) -> dict[str, Rows]:
    """Decisions on every row: those with an id in `dropped` go."""
    return {
        part: [{"id": row["id"], "reason": "near_duplicate" if row["id"] in dropped else None, "twin": None, "value": None} for row in rows]
        for part, rows in tables.items()
    }


class Line:
    """Sources through the tokenizer stages, in a folder."""

    def __init__(self, out: Path | str, tables: Mapping[str, Rows] | None = None, dropped: set[str] | None = None) -> None:
        self.stages = LocalStage(Folder(str(out)))
        self.runs = 0
        tables = parts(documents()) if tables is None else tables
        self.inputs = {"filter": committed(self.stages.out.sub("filter"), "filter", tables)}
        if dropped is not None:
            made = committed(self.stages.out.sub("dedupe"), "dedupe", decisions(tables, dropped), "decisions", DECISION)
            self.inputs["dedupe"] = made

    def excerpts(self, shares: Mapping[str, float] | None = None, sample_bytes: int = SMALL["sample_bytes"]) -> Committed:
        return self._run("excerpts", self.inputs, shares=shares or SHARES, sample_bytes=sample_bytes)

    def pieces(self, excerpts: Committed, **args: Any) -> Committed:
        return self._run("pieces", {**self.inputs, "excerpts": excerpts}, **{"split": "gpt4", "digits": 2, **args})

    def tokenizer(self, **args: Any) -> Committed:
        """The tokenizer, with the stages before it filled in as the plan does."""
        args = {**SMALL, **args}
        excerpts = self.excerpts(args["shares"], args["sample_bytes"])
        self.counted = self.pieces(excerpts, count=not args.get("file"), **{key: args[key] for key in ("split", "digits") if key in args})
        return self._run("tokenizer", {"pieces": self.counted}, **args)

    def tokenize(self, tokenizer: Committed, **args: Any) -> Committed:
        return self._run("tokenize", {**self.inputs, "tokenizer": tokenizer}, **args)

    def _run(self, name: str, inputs: Mapping[str, Committed], **args: Any) -> Committed:
        """Each run in a folder of its own."""
        self.runs += 1
        return self.stages.run(name, dict(inputs), key=f"{name}-{self.runs}", **args)
