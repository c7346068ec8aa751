"""Filters: each of ours and FineWeb's chain beside datatrove's, on the same documents, one core each.

    python -m benchmarks.filters [--docs FOLDER] [--megabytes 40] [--peer-megabytes 2] [--repeats 5] [--json] [--write]

`--docs` is a folder with Parquet files that have a column `text` (the extract stage of a run); without it the main texts of
the development corpus's web pages are taken. Each filter is timed alone on all documents, then the chain, in which a
document that was dropped isn't shown to the next filter. datatrove gets every n-th of these, some `--peer-megabytes` in all:
as shipped (English words are spaCy's) and with words split at white space. `times` compares it with ours on those same
documents; `same verdict` compares keep or drop, document by document. MB are of UTF-8 text; seconds are CPU seconds of the
process, the best of the repeats (one for datatrove), with everything compiled and loaded. `--write` puts the table, and
that of `benchmarks.shapes`, into benchmarks/filters.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import shapes
from benchmarks.documents import CORPUS, documents, pages, parquet_texts, size_of
from benchmarks.machine import machine
from benchmarks.rows import BY_NAME, CHAIN, ROWS, ours, theirs, timed
from pipeline.registry import Step

Kept = npt.NDArray[np.bool_]

TABLE = Path(__file__).with_name("filters.md")


@dataclass(frozen=True)
class Result:
    """A filter, or the chain, on all documents and on those that datatrove got: how fast, and what was kept.

    The columns of datatrove are None where it has no such block; `shipped` where spaCy isn't installed either.
    """

    work: str
    megabytes_per_second: float
    first_call_seconds: float
    documents: int
    kept: int
    shipped: float | None = None
    shipped_times: float | None = None
    whitespace: float | None = None
    whitespace_times: float | None = None
    compared: int | None = None
    same_verdict: int | None = None


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


def measure(docs: pa.RecordBatch, peer_docs: pa.RecordBatch, repeats: int) -> Iterator[Result]:
    """Every filter, then the chain."""
    for row in ROWS:
        yield one(row.filter, [row.filter], docs, peer_docs, repeats)
    yield one("the chain", CHAIN, docs, peer_docs, repeats)


def one(work: str, names: Sequence[str], docs: pa.RecordBatch, peer_docs: pa.RecordBatch, repeats: int) -> Result:
    """Ours on all documents; where datatrove has blocks of these names, both on the documents it gets."""
    mine = [ours(name) for name in names]
    every = timed(lambda: run(mine, docs), repeats)
    speed, first = size_of(docs) / every.best / 1e6, every.first - every.best
    plain = Result(work, round(speed, 1), round(first, 2), docs.num_rows, int(every.value.sum()))
    rows = [BY_NAME[name] for name in names]
    if not all(row.block for row in rows):
        return plain
    same = timed(lambda: run(mine, peer_docs), repeats)
    megabytes, peers = size_of(peer_docs) / 1e6, {}
    if not any(row.words for row in rows) or importlib.util.find_spec("spacy"):
        peers["shipped"] = timed(lambda: run([theirs(name, "datatrove") for name in names], peer_docs), 1)
    if all(row.words for row in rows):
        peers["whitespace"] = timed(lambda: run([theirs(name, "whitespace") for name in names], peer_docs), 1)
    found = {kind: round(megabytes / peer.best, 3) for kind, peer in peers.items()}
    found |= {f"{kind}_times": round(peer.best / same.best, 1) for kind, peer in peers.items()}
    verdict = peers.get("whitespace", peers.get("shipped"))
    if verdict is None:
        return plain
    return Result(**{**asdict(plain), **found, "compared": peer_docs.num_rows, "same_verdict": int((same.value == verdict.value).sum())})


def table(results: Sequence[Result]) -> str:
    """Markdown: a line per filter."""
    head = ("filter", "MB/s", "kept", "datatrove as shipped", "times", "datatrove, white space words", "times", "same verdict")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for r in results:
        shipped = (_figure(r.shipped, ".2f"), _figure(r.shipped_times, ".0f"))
        whitespace = (_figure(r.whitespace, ".2f"), _figure(r.whitespace_times, ".0f"))
        same = "" if r.compared is None else f"{r.same_verdict} of {r.compared}"
        cells = (r.work, f"{r.megabytes_per_second:.1f}", f"{r.kept} of {r.documents}", *shipped, *whitespace, same)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def page(results: Sequence[Result], hostile: Sequence[shapes.Shape], command: str, megabytes: tuple[float, float]) -> str:
    """What benchmarks/filters.md says."""
    return f"""# Speed of the filters

Written by `{command}` on {machine()}. How it is measured: the docstring of `benchmarks/filters.py`. `times`: how many times
ours is as fast, on datatrove's documents.

{megabytes[0]:.1f} MB of documents, {megabytes[1]:.1f} MB of them for datatrove:

{table(results)}

## Hostile shapes

Documents of 4 MB, how many times slower per byte than web pages (most of which are of some 8 kB). The first two lines say
what a text of that size costs whatever its shape: the n-grams of one so long don't fit into a core's cache. (A page that
C4 drops whole isn't read to its end.)

{shapes.table(hostile)}
"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, help="a folder of Parquet files with a column text")
    parser.add_argument("--megabytes", type=float, default=40.0, help="text for our filters")
    parser.add_argument("--peer-megabytes", type=float, default=2.0, help="text for datatrove's")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    parser.add_argument("--write", action="store_true", help="write benchmarks/filters.md")
    args = parser.parse_args(argv)
    if args.docs is None and not CORPUS.is_dir():
        print("there is no development corpus beside this checkout: give --docs a folder of Parquet files", file=sys.stderr)
        return 2
    docs = documents(parquet_texts(args.docs) if args.docs else pages(), args.megabytes)
    taken = docs.take(list(range(0, docs.num_rows, max(round(args.megabytes / args.peer_megabytes), 1))))
    results = list(measure(docs, taken, args.repeats))
    print(json.dumps([asdict(result) for result in results], indent=1) if args.json else table(results))
    if args.write:
        sizes = size_of(docs) / 1e6, size_of(taken) / 1e6
        command = " ".join(["python -m benchmarks.filters", *(sys.argv[1:] if argv is None else argv)])
        TABLE.write_text(page(results, shapes.measure(docs, 4.0, 3), command, sizes), "utf-8")
    if not importlib.util.find_spec("spacy"):
        print("datatrove as shipped was left out: its English words are spaCy's, which isn't installed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
