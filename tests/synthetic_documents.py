"""Made-up documents and what becomes of each: drawn from their ids, so that tests can count anew what a run counted."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.job import Job
from pipeline.schema import DECISION, DOC, REJECT, document_id

SHARES = {"web": 0.6, "books": 0.3, "code": 0.1}
#: Documents read of each source, per part; there are two parts of each.
READ = {"web": 300, "books": 40, "code": 80}
#: What no page and no terminal may be broken by.
HOSTILE = "</script><script>alert(1)</script>\x00\x1b[2J\u202eevil\u2066 <b>&amp;\" ' --> ]]> {{ 7*7 }} {% raw %} \ufeff"

FILTERED = pa.schema(
    [
        *DOC,
        pa.field("gopher_quality.words", pa.int64()),
        pa.field("gopher_quality.stop_words", pa.int64()),
        pa.field("gopher_quality.mean_word_length", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Document:
    """A made-up document; `words` and `score` are drawn from its id, so that every run is the same."""

    source: str
    number: int

    @property
    def id(self) -> str:
        return document_id(self.source, f"doc-{self.number}")

    @property
    def empty(self) -> bool:
        """Whether there is no text in it."""
        return self.number % 50 == 0

    @property
    def draw(self) -> random.Random:
        return random.Random(self.id)

    @property
    def words(self) -> int:
        return int(self.draw.lognormvariate(5.2, 1.1))

    @property
    def score(self) -> float:
        return self.draw.betavariate(2, 3)

    @property
    def text(self) -> str:
        return HOSTILE if self.number % 10 == 1 else f"The {self.number}th page of {self.source} has {self.words} words. " * 4

    @property
    def signals(self) -> dict[str, float]:
        return {"gopher_quality.words": self.words, "gopher_quality.stop_words": self.words // 9, "gopher_quality.mean_word_length": 5.5}

    @property
    def row(self) -> dict[str, Any]:
        return {"id": self.id, "text": self.text, "source": self.source, "url": f"https://{self.source}.example/{self.number}?<q>"}


def parts(source: str) -> Iterator[tuple[str, list[Document]]]:
    for part in range(2):
        numbers = range(part * READ[source], (part + 1) * READ[source])
        yield f"{source}-{part:05d}", [Document(source, number) for number in numbers]


def fate(document: Document) -> str | None:
    """The reason for which the filter drops a document, or None."""
    if document.words < 50:
        return "gopher_quality:words"
    return "gopher_quality:stop_words" if document.words // 9 < 8 else None


def survivors(source: str) -> list[Document]:
    """What is packed: extracted, kept by the filter, not a duplicate, and (web) not of the lowest scores."""
    return [d for _, every in parts(source) for d in every if not d.empty and not fate(d) and not duplicate(d) and not low(d)]


def duplicate(document: Document) -> bool:
    return document.source == "web" and document.number % 7 == 3


def low(document: Document) -> bool:
    return document.source == "web" and document.score < 0.2


def write_docs(job: Job, documents: Sequence[Document], signals: bool = False) -> None:
    schema = FILTERED if signals else DOC
    rows = [{**d.row, **d.signals} for d in documents]
    with job.parquet("docs", schema) as sink:
        sink.write(pa.RecordBatch.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema))


def write_rejects(job: Job, step: str, rejects: Sequence[tuple[Document, str]]) -> None:
    rows = [
        {
            "id": d.id,
            "source": d.source,
            "url": d.row["url"],
            "step": step,
            "reason": reason,
            "signals": json.dumps({"language.score": 0.9, **d.signals}),
            "excerpt": d.text[:300],
        }
        for d, reason in rejects
    ]
    with job.parquet("rejects", REJECT) as sink:
        sink.write(pa.RecordBatch.from_pylist(rows, schema=REJECT))


def write_decisions(job: Job, decided: Sequence[tuple[Document, str | None, str | None, float | None]]) -> None:
    rows = [{"id": d.id, "reason": reason, "twin": twin, "value": value} for d, reason, twin, value in decided]
    with job.parquet("decisions", DECISION) as sink:
        sink.write(pa.RecordBatch.from_pylist(rows, schema=DECISION))
