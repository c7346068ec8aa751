"""Shards: tokens per second of encoding, mixing and packing, and how the time grows from one document in ten to all of a run.

    python -m benchmarks.shards [--run out/mix-v1] [--json]

Takes the filtered documents and the tokenizer of a finished run: first every tenth document, then all, each time through the
stages tokenize, mix and pack in this process. Seconds are CPU seconds, files read and written included; the first time warms up.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from pipeline.errors import TokenmillError
from pipeline.job import Committed, TaskResult
from pipeline.report import Report
from pipeline.runfiles import RunFiles
from pipeline.schema import DOC, conform
from pipeline.storage import Folder
from pipeline.worker import LocalStage


@dataclass(frozen=True)
class Result:
    """One size of input: documents, bytes of text, tokens encoded and packed, CPU seconds of each stage."""

    documents: int
    megabytes: float
    encoded: int
    packed: int
    tokenize: float
    mix: float
    pack: float

    @property
    def seconds(self) -> float:
        return self.tokenize + self.mix + self.pack


def every(run: RunFiles, step: int, out: Folder) -> tuple[Committed, float]:
    """Every so-many-th of the run's documents as a filter stage of its own, and the MB of their texts."""
    results, size = [], 0
    for file in run.files("filter", "docs"):
        with out.parquet(f"{file.part}.docs.parquet", DOC) as sink:
            for batch in file.batches(DOC.names):
                taken = batch.take(pa.array(np.arange(0, batch.num_rows, step)))
                size += taken.column("text").nbytes
                sink.write(conform(taken, DOC))
        results.append(TaskResult(file.part, (sink.entry(),), Report()).to_json())
    return Committed(out, {"stage": "filter", "fingerprint": "bench", "tasks": results}), size / 1e6


def measure(run: RunFiles, step: int, shares: dict[str, float], folder: Folder) -> Result:
    docs, megabytes = every(run, step, folder.sub("docs"))
    stages, seconds = LocalStage(folder), []
    roles = {"filter": docs, "tokenizer": next(run.stages("tokenizer"))}
    for name, inputs, args in (
        ("tokenize", ("filter", "tokenizer"), {}),
        ("mix", ("tokenize",), {"shares": shares, "max_epochs": {}}),
        ("pack", ("tokenize", "mix", "tokenizer"), {}),
    ):
        start = time.process_time()
        roles[name] = stages.run(name, {role: roles[role] for role in inputs}, **args)
        seconds.append(time.process_time() - start)
    counts = {name: roles[name].report.counts for name in ("tokenize", "pack")}
    encoded, packed = (sum(n for (_, key), n in counts[name].items() if key == "tokens") for name in ("tokenize", "pack"))
    documents = sum(roles["tokenize"].report.kept.values())
    return Result(documents, round(megabytes, 1), encoded, packed, *(round(second, 2) for second in seconds))


def table(results: Sequence[Result]) -> str:
    lines = ["| documents | MB | tokens encoded | packed | tokenize | mix | pack | tokens/s |", "|---|---|---|---|---|---|---|---|"]
    for r in results:
        seconds = " | ".join(f"{second:.2f} s" for second in (r.tokenize, r.mix, r.pack))
        counts = f"{r.documents:,} | {r.megabytes} | {r.encoded:,} | {r.packed:,}"
        lines.append(f"| {counts} | {seconds} | {r.encoded / r.seconds / 1e6:.2f} M |")
    few, many = results[-2:]
    lines.append(f"\n{many.megabytes / few.megabytes:.1f} times the text took {many.seconds / few.seconds:.1f} times the time.")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="out/mix-v1", help="the folder of a finished run")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    args = parser.parse_args(argv)
    try:
        run = RunFiles(Folder(args.run))
    except TokenmillError as error:
        print(error, file=sys.stderr)
        return 1
    shares = {name: facts["share"] for name, facts in run.facts["sources"].items()}
    results = []
    for number, step in enumerate((100, 10, 1)):  # the first compiles
        with tempfile.TemporaryDirectory() as folder:
            results.append(measure(run, step, shares, Folder(folder).sub(str(number))))
    print(json.dumps([asdict(result) for result in results[1:]], indent=1) if args.json else table(results[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
