"""Repeated passages: the stage `passages` over real pages into which passages of others were put, on one core.

    python -m benchmarks.passages [--megabytes 40] [--parquet PATH] [--copied .1]

Prints the CPU time of each round over all its tasks, MB of text per second of it, bytes written, and what was cut beside what
was planted; then the most memory that the process has held. Texts are pages of the development corpus, or a folder of
Parquet files with a column `text`. Reading the texts and writing all files is part of the time.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from benchmarks.documents import documents, pages, parquet_texts, size_of
from benchmarks.machine import machine
from pipeline.job import Committed, Inputs, Job, TaskResult
from pipeline.registry import bind
from pipeline.report import Report
from pipeline.schema import DOC, document_id
from pipeline.storage import Folder
from pipeline.worker import LocalStage, commit, commit_round, round_folder, round_tasks, task_list

#: Documents of a part; words of a planted passage, at least and at most.
PART, PLANTED = 2_000, (60, 400)


def planted(texts: Iterator[tuple[str, str]], share: float) -> Iterator[tuple[str, str]]:
    """The texts, a share of them with a passage of an earlier one at the end."""
    draw, known = random.Random(0), [""]
    for text, url in texts:
        donor = draw.choice(known).split()
        begin, length = draw.randrange(max(len(donor), 1)), draw.randint(*PLANTED)
        known = [*known[-999:], text]
        yield (f"{text}\n\n{' '.join(donor[begin : begin + length])}" if draw.random() < share else text), url


def write_docs(folder: Folder, docs: pa.RecordBatch) -> Committed:
    """A filter stage that holds the documents in parts."""
    ids = pa.array([document_id("bench", str(row)) for row in range(docs.num_rows)])
    docs, results = docs.set_column(0, DOC.field("id"), ids), []
    for start in range(0, docs.num_rows, PART):
        with folder.parquet(f"bench-{start // PART:05d}.docs.parquet", DOC) as sink:
            sink.write(docs.slice(start, PART))
        results.append(TaskResult(sink.entry().part, (sink.entry(),), Report()))
    return commit_round(folder, "filter", "bench", results)


def measure(folder: Folder, roles: Inputs) -> tuple[Committed, dict[str, float], Counter[str]]:
    """The committed stage, and by step of it the CPU seconds and the bytes of its files."""
    step, _ = bind("stage", "passages", {"override_guard": True})
    seconds, sizes, number = {}, Counter[str](), 0
    while True:
        ahead = round_tasks(step, roles)
        number += 1
        aside = round_folder(folder, number) if ahead else folder
        start = time.process_time()
        results = []
        for task in ahead or task_list(step, "passages", roles):
            job = Job(task, roles, aside)
            report = step(job)
            results.append(TaskResult(task.name, tuple(job.written), report))
        name = results[0].task.partition("-")[0] if ahead else "cuts"
        seconds[name] = time.process_time() - start
        sizes[name] = sum(entry.bytes for result in results for entry in result.files)
        if not ahead:
            return commit(folder, "passages", "bench", step, roles, results), seconds, sizes
        roles = roles.after(commit_round(aside, "passages", "bench", results))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.passages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=40)
    parser.add_argument("--parquet", type=Path)
    parser.add_argument("--copied", type=float, default=0.1)
    options = parser.parse_args(argv)
    docs = documents(planted(parquet_texts(options.parquet) if options.parquet else pages(), options.copied), options.megabytes)
    with tempfile.TemporaryDirectory() as out:
        for warm in (True, False):  # the first time compiles
            stages = LocalStage(Folder(f"{out}/{warm}"))
            written = write_docs(stages.out.sub("filter"), docs.slice(0, 200) if warm else docs)
            signed = stages.run("signatures", {"filter": written})
            roles = Inputs({"filter": (written,), "signatures": (signed,)})
            done, seconds, sizes = measure(stages.out.sub("passages"), roles)
    megabytes, counts = size_of(docs) / 1e6, done.report.counts
    print(machine())
    print(f"{docs.num_rows:,} documents, {megabytes:.1f} MB; one in {1 / max(options.copied, 1e-9):.0f} with a passage of another")
    for name, spent in seconds.items():
        print(f"{name:<10} {spent:7.2f} s {megabytes / max(spent, 1e-9):8.0f} MB/s {sizes[name] / 1e6:9.1f} MB written")
    total = sum(seconds.values())
    print(f"{'all':<10} {total:7.2f} s {megabytes / total:8.0f} MB/s")
    cut, share = counts["bench", "passages cut"], counts["bench", "characters_removed"] / counts["bench", "characters"]
    print(f"{cut:,} passages cut from {counts['bench', 'documents cut']:,} documents, {share:.2%} of all characters")
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB, the documents among it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
