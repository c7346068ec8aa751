"""Language: what reading an excerpt in place of the whole text changes, and what it saves.

    python -m benchmarks.language [--docs FOLDER] [--megabytes 40] [--chars 500 1000 1500 3000] [--json]

Documents as for `benchmarks.filters`. Each is told from its whole text and from excerpts: `same language` counts the documents
with the same label, `same verdict` those kept or dropped alike with English allowed at .65. Seconds are CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.documents import CORPUS, documents, pages, parquet_texts, size_of
from pipeline.filters.language import language


@dataclass(frozen=True)
class Result:
    """Excerpts of so many characters (0: whole texts) over so many documents: shares of 1, MB of all text per second."""

    chars: int
    documents: int
    same_language: float
    same_verdict: float
    megabytes_per_second: float


def told(docs: pa.RecordBatch, chars: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(language, kept, CPU seconds) of every document."""
    start = time.process_time()
    verdicts = language(docs, excerpt_chars=chars)
    seconds = time.process_time() - start
    return np.array(verdicts.signals["lang"].to_pylist()), np.asarray(pc.is_null(verdicts.reasons)), seconds


def measure(docs: pa.RecordBatch, sizes: Sequence[int]) -> list[Result]:
    told(docs.slice(0, 1), 0)  # loads the model
    labels, kept, _ = told(docs, 0)
    results = []
    for chars in (0, *sizes):
        found, keep, seconds = told(docs, chars)
        same = float((found == labels).mean()), float((keep == kept).mean())
        results.append(Result(chars, docs.num_rows, *same, round(size_of(docs) / seconds / 1e6, 1)))
    return results


def table(results: Sequence[Result]) -> str:
    lines = ["| excerpt | documents | same language | same verdict | MB/s |", "|---|---|---|---|---|"]
    for r in results:
        name = f"{r.chars:,} characters" if r.chars else "whole texts"
        lines.append(f"| {name} | {r.documents:,} | {r.same_language:.1%} | {r.same_verdict:.1%} | {r.megabytes_per_second} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, help="a folder of Parquet files with a column text")
    parser.add_argument("--megabytes", type=float, default=40.0, help="text to look at")
    parser.add_argument("--chars", type=int, nargs="+", default=[500, 1000, 1500, 3000], help="lengths of excerpts")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    args = parser.parse_args(argv)
    if args.docs is None and not CORPUS.is_dir():
        print("there is no development corpus beside this checkout: give --docs a folder of Parquet files", file=sys.stderr)
        return 2
    results = measure(documents(parquet_texts(args.docs) if args.docs else pages(), args.megabytes), args.chars)
    print(json.dumps([asdict(result) for result in results], indent=1) if args.json else table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
