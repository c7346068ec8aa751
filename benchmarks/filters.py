"""Filters: FineWeb's chain (repetition, quality, C4, FineWeb) beside datatrove's, on the same documents, one core each.

    python -m benchmarks.filters [--docs FOLDER] [--megabytes 40] [--peer-megabytes 4] [--repeats 3] [--json]

`--docs` is a folder with Parquet files that have a column `text` (the extract stage of a run); without it the main texts of
the development corpus's web pages are taken. Each filter is timed alone on all documents, then the chain, in which a
document that was dropped isn't shown to the next filter. datatrove gets every n-th of these, some `--peer-megabytes` in all: with
words split at white space, and as shipped where spaCy is installed. `same verdict` compares keep or drop, document by document.
MB are of UTF-8 text; seconds are CPU seconds of the process, the best of the repeats, with everything compiled; `first call`
is what a machine without compiled kernels waits once.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text

from pipeline.registry import Step, bind
from pipeline.schema import DOC

Kept = npt.NDArray[np.bool_]

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "web"
#: Our step, and datatrove's block with the same values: its C4 defaults are swapped.
CHAIN: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "gopher_repetition": ("GopherRepetitionFilter", {}),
    "gopher_quality": ("GopherQualityFilter", {}),
    "c4": ("C4QualityFilter", {"min_num_sentences": 3, "min_words_per_line": 5, "filter_no_terminal_punct": False}),
    "fineweb": ("FineWebQualityFilter", {}),
}
OURS: Mapping[str, Mapping[str, Any]] = {"c4": {"end_marks": False}}


@dataclass(frozen=True)
class Result:
    """One filter or chain: how fast, what it kept, and on how many documents its verdict is ours."""

    work: str
    by: str
    megabytes_per_second: float
    first_call_seconds: float
    documents: int
    kept: int
    same_verdict: int | None


def pages() -> Iterator[str]:
    """Main texts of the corpus's web pages."""
    for path in sorted(CORPUS.glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response):
                yield extract_plain_text(record.reader.read().decode("utf-8", "replace"), main_content=True)


def parquet_texts(folder: Path) -> Iterator[str]:
    files = sorted(folder.glob("**/*.parquet")) if folder.is_dir() else [folder]
    for path in files:
        if "text" in pq.read_schema(path).names:
            yield from pq.read_table(path, columns=["text"]).column("text").to_pylist()


def documents(texts: Iterator[str], megabytes: float) -> pa.RecordBatch:
    """The first documents, up to so many MB."""
    rows, size = [], 0
    for text in texts:
        if text and size < megabytes * 1e6:
            rows.append({"id": str(len(rows)), "text": text, "source": "bench"})
            size += len(text.encode())
    return pa.RecordBatch.from_pylist(rows, schema=DOC)


def size_of(docs: pa.RecordBatch) -> int:
    return int(pc.sum(pc.binary_length(docs.column("text"))).as_py())


def ours(name: str) -> Step:
    return bind("filter", name, OURS.get(name, {}))[0]


def theirs(name: str, words: str) -> Step:
    block, args = CHAIN[name]
    return bind("filter", "datatrove", {"block": f"datatrove.pipeline.filters.{block}", "args": args, "words": words})[0]


def run(steps: Sequence[Step], docs: pa.RecordBatch) -> Kept:
    """Which documents a chain keeps, fused: what one step drops the next doesn't see."""
    kept = np.ones(docs.num_rows, np.bool_)
    for step in steps:
        verdicts = step(docs)
        keep = pc.is_null(verdicts.reasons)
        if verdicts.text is not None:
            at = docs.schema.get_field_index("text")
            docs = docs.set_column(at, docs.schema.field(at), pc.coalesce(verdicts.text, docs.column(at)))
        docs = docs.filter(keep)
        kept[kept] = keep.to_numpy(zero_copy_only=False)
    return kept


def timed(call: Callable[[], Kept], repeats: int) -> tuple[float, float, Kept]:
    """(seconds of the first call, of the best of the others, what it gave)."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.process_time()
        found = call()
        seconds.append(time.process_time() - start)
    return seconds[0], min(seconds[1:]), found


def measure(docs: pa.RecordBatch, peer_docs: pa.RecordBatch, repeats: int) -> Iterator[Result]:
    kinds = ["whitespace", *(["datatrove"] if importlib.util.find_spec("spacy") else [])]
    for work in (*CHAIN, "chain"):
        names = list(CHAIN) if work == "chain" else [work]
        yield one(work, "tokenmill", [ours(name) for name in names], docs, repeats, None)
        known = run([ours(name) for name in names], peer_docs)
        for words in kinds:
            by = "datatrove, white space words" if words == "whitespace" else "datatrove as shipped"
            yield one(work, by, [theirs(name, words) for name in names], peer_docs, 1, known)


def one(work: str, by: str, steps: list[Step], docs: pa.RecordBatch, repeats: int, known: Kept | None) -> Result:
    first, best, kept = timed(lambda: run(steps, docs), repeats)
    same = None if known is None else int((known == kept).sum())
    return Result(work, by, round(size_of(docs) / best / 1e6, 2), round(first - best, 2), docs.num_rows, int(kept.sum()), same)


def table(results: list[Result]) -> str:
    lines = [f"{'':20}{'':30}{'MB/s':>8}{'first call':>12}{'documents':>11}{'kept':>7}{'same verdict':>14}"]
    for r in results:
        same = "" if r.same_verdict is None else f"{r.same_verdict}"
        speed = f"{r.megabytes_per_second:>8.1f}{r.first_call_seconds:>10.2f} s"
        lines.append(f"{r.work:20}{r.by:30}{speed}{r.documents:>11}{r.kept:>7}{same:>14}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, help="a folder of Parquet files with a column text")
    parser.add_argument("--megabytes", type=float, default=40.0, help="text for our filters")
    parser.add_argument("--peer-megabytes", type=float, default=4.0, help="text for datatrove's")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    args = parser.parse_args(argv)
    if args.docs is None and not CORPUS.is_dir():
        print("there is no development corpus beside this checkout: give --docs a folder of Parquet files", file=sys.stderr)
        return 2
    texts = parquet_texts(args.docs) if args.docs else pages()
    docs = documents(texts, args.megabytes)
    taken = docs.take(list(range(0, docs.num_rows, max(round(args.megabytes / args.peer_megabytes), 1))))
    results = list(measure(docs, taken, args.repeats))
    print(json.dumps([asdict(result) for result in results], indent=1) if args.json else table(results))
    if not importlib.util.find_spec("spacy") and not args.json:
        print("datatrove as shipped was left out: its English words are spaCy's, which isn't installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
