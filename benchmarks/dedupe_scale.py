"""Dedupe at scale: the real stages over millions of made-up documents, with time and memory.

    python -m benchmarks.dedupe_scale [--documents 1000000 ...] [--hard copies|words|empty|chain] [--workers 2] [--folder PATH] [--json]

Documents of 40 to 60 words are drawn by Zipf's law from 200,000 words; one in ten is a copy of an earlier one, one in ten an
earlier one with two words changed (likeness about .65: a suspect that stays), one in ten has one word changed near its end
(.80 to .95: a near-duplicate). They are written as the files of a filter stage, in parts of --part
documents; the stages from `signatures` to `dedupe` then run as they do in a run, task by task in processes of their own,
and the most memory that any process has held at once is asked of the system.

--hard makes the worst inputs instead: the same document over and over (`copies`), one document with one word changed
(`words`), documents without a word (`empty`), and an endless drift in which each document is like its neighbours (`chain`).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.contracts import Task
from pipeline.job import Committed, Inputs, TaskResult
from pipeline.registry import Step, bind
from pipeline.report import Report
from pipeline.schema import DOC
from pipeline.storage import Folder
from pipeline.worker import TaskSpec, commit, commit_round, round_folder, round_tasks, run_task, task_list
from pipeline.writing import FileEntry

VOCABULARY, LONGEST = 200_000, 60
#: Documents of which later ones may be made; it keeps the generator's memory small, and likeness near and far.
REMEMBERED = 200_000
STAGES = ("signatures", "candidates", "components", "gather", "verify", "dedupe")
LIKENESS = {"threshold": 0.8, "priority": []}


@dataclass
class Measured:
    """One run: seconds and peak memory (MB of the largest process) by stage, and what came of it."""

    documents: int
    megabytes: float
    seconds: dict[str, float] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)
    disk: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    driver: float = 0.0


def vocabulary() -> np.ndarray:
    """bytes[VOCABULARY, 9]: words of eight letters and a space, all different."""
    numbers = np.arange(VOCABULARY)[:, None] * 48_271 % 2_147_483_647 // 7 ** np.arange(8) % 21
    names = np.frombuffer(b"abcdefghiklmnoprstuvw", np.uint8)[numbers]
    names[:, -4:] = np.frombuffer(b"0123456789abcdefghijklmnopqrstuv", np.uint8)[np.arange(VOCABULARY)[:, None] >> 5 * np.arange(4) & 31]
    return np.concatenate([names, np.full((VOCABULARY, 1), ord(" "), np.uint8)], axis=1)


def mixed(count: int) -> Iterator[np.ndarray]:
    """Batches of documents as numbers of words, int32[n, LONGEST], -1 behind the end."""
    draw = np.random.default_rng(0)
    known = np.empty((0, LONGEST), np.int32)
    for start in range(0, count, 50_000):
        size = min(50_000, count - start)
        # the numbers of words that one in n has are about exp(uniform), as Zipf's law has it
        words = np.exp(draw.random((size, LONGEST)) * np.log(VOCABULARY)).astype(np.int32) % VOCABULARY
        words[np.arange(LONGEST) >= draw.integers(40, LONGEST + 1, size)[:, None]] = -1
        if len(known):
            kind = draw.random(size)
            made = kind < 0.3
            words[made] = known[draw.integers(0, len(known), int(made.sum()))]
            _change(words, np.flatnonzero((kind >= 0.1) & (kind < 0.2)), (10, 30), draw)
            _change(words, np.flatnonzero((kind >= 0.2) & (kind < 0.3)), (38,), draw)
        known = np.concatenate([known, words])[-REMEMBERED:]
        yield words


def _change(words: np.ndarray, rows: np.ndarray, places: Sequence[int], draw: np.random.Generator) -> None:
    for place in places:
        words[rows, place] = draw.integers(0, VOCABULARY, len(rows))


def hard(kind: str, count: int) -> Iterator[np.ndarray]:
    """Batches of the worst documents of a kind."""
    base = np.random.default_rng(0).integers(0, VOCABULARY, LONGEST).astype(np.int32)
    for start in range(0, count, 50_000):
        rows = np.arange(start, min(start + 50_000, count))
        words = np.tile(base, (len(rows), 1))
        if kind == "empty":
            words[:] = -1
        elif kind == "words":
            words[np.arange(len(rows)), rows % LONGEST] = rows * 7919 % VOCABULARY
        elif kind == "chain":
            # place p changes with every document whose number is p: documents n and n + 1 differ in one word
            words = (((rows[:, None] - np.arange(LONGEST) + LONGEST - 1) // LONGEST) * 7919 + base) % VOCABULARY
        yield words.astype(np.int32)


def write_docs(folder: Folder, batches: Iterator[np.ndarray], part_rows: int) -> tuple[Committed, float]:
    """A filter stage of one source that holds the documents, and megabytes of text."""
    letters = vocabulary()
    entries: list[FileEntry] = []
    size = 0
    for words in batches:
        for start in range(0, len(words), part_rows):
            name = f"web-{len(entries):05d}.docs.parquet"
            batch = _as_docs(words[start : start + part_rows], letters, len(entries))
            size += batch.column("text").nbytes
            with folder.parquet(name, DOC) as sink:
                sink.write(batch)
            entries.append(sink.entry())
    results = [TaskResult(entry.part, (entry,), Report()) for entry in entries]
    return commit_round(folder, "filter", "made up", results), size / 1e6


def _as_docs(words: np.ndarray, letters: np.ndarray, part: int) -> pa.RecordBatch:
    there = words >= 0
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1) * letters.shape[1])])
    content = letters[words[there]].ravel()
    texts = pa.LargeStringArray.from_buffers(len(words), pa.py_buffer(offsets), pa.py_buffer(content))
    ids = pa.array([f"{(part << 32 | row) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128):032x}" for row in range(len(words))])
    facts = {name: pa.nulls(len(words), pa.string()) for name in ("url", "lang", "licence", "date", "meta")}
    return pa.RecordBatch.from_pydict({"id": ids, "text": texts, "source": pa.repeat("web", len(words)), **facts}, schema=DOC)


class Stages:
    """Runs stages one after the other, each task in a process that may have run others, and measures."""

    def __init__(self, folder: Folder, workers: int, measured: Measured) -> None:
        self.folder = folder
        self.workers = workers
        self.measured = measured

    def run(self, name: str, inputs: dict[str, Committed], **args: Any) -> Committed:
        step, mistakes = bind("stage", name, args)
        if mistakes:
            raise ValueError(f"stage {name}: {mistakes}")
        folder, roles = self.folder.sub(name), Inputs({role: (given,) for role, given in inputs.items()})
        start, number = time.perf_counter(), 0
        with ProcessPoolExecutor(self.workers, _context()) as pool:
            while ahead := round_tasks(step, roles):
                number += 1
                aside = round_folder(folder, number)
                roles = roles.after(commit_round(aside, name, "scale", self._each(pool, step, ahead, roles, aside)))
            results = self._each(pool, step, task_list(step, name, roles), roles, folder)
            self.measured.disk[name] = sum(folder.sizes().values()) / 1e6
            done = commit(folder, name, "scale", step, roles, results)
            self.measured.peak[name] = max(pool.map(_peak, range(8 * self.workers)))
        self.measured.seconds[name] = time.perf_counter() - start
        self.measured.rounds[name], self.measured.tasks[name] = number, len(results)
        return done

    def _each(self, pool: ProcessPoolExecutor, step: Step, tasks: list[Task], inputs: Inputs, folder: Folder) -> list[TaskResult]:
        urls = {role: tuple(stage.folder.url for stage in stages) for role, stages in inputs.roles.items()}
        specs = [TaskSpec(step.name, step, task, folder.url, urls, 0) for task in tasks]
        return [outcome.result for outcome in pool.map(run_task, specs)]


def _context() -> multiprocessing.context.BaseContext:
    """Processes are forked from one that has imported the stages and done nothing: fresh, and there at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipeline.worker", *(f"pipeline.stages.{name}" for name in STAGES)])
    return context


def _peak(_: int) -> float:
    """The most memory that this process has held, in MB; it waits so that each process of a pool is asked."""
    time.sleep(0.05)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measure(count: int, batches: Iterator[np.ndarray], out: Path, workers: int, part_rows: int) -> Measured:
    """All stages of dedupe over the documents of `batches`."""
    folder = Folder(str(out))
    docs, megabytes = write_docs(folder.sub("filter"), batches, part_rows)
    measured = Measured(count, megabytes)
    stages = Stages(folder, workers, measured)
    signed = stages.run("signatures", {"filter": docs})
    linked = stages.run("candidates", {"signatures": signed})
    joined = stages.run("components", {"signatures": signed, "candidates": linked})
    texts = stages.run("gather", {"filter": docs, "signatures": signed, "components": joined})
    judged = stages.run("verify", {"gather": texts}, **LIKENESS, shingle_words=5)
    decided = stages.run("dedupe", {"signatures": signed, "verify": judged}, **LIKENESS, override_guard=True)
    measured.driver = _peak(0)
    measured.counts = {
        "kept": decided.report.kept["web"],
        **{reason: number for (_, reason), number in decided.report.dropped.items()},
        "in_divided_components": judged.report.counts["web", "in_divided_components"],
    }
    return measured


def table(runs: Sequence[Measured]) -> str:
    lines = []
    for run in runs:
        lines.append(
            f"{run.documents:,} documents, {run.megabytes:,.0f} MB: {', '.join(f'{n:,} {name}' for name, n in run.counts.items())}"
        )
        lines.append(f"{'stage':<12} {'seconds':>9} {'tasks':>6} {'rounds':>6} {'peak MB':>8} {'disk MB':>9}")
        for name, seconds in run.seconds.items():
            facts = f"{run.tasks[name]:>6} {run.rounds[name]:>6} {run.peak[name]:>8,.0f} {run.disk[name]:>9,.1f}"
            lines.append(f"{name:<12} {seconds:>9.1f} {facts}")
        total = sum(run.seconds.values())
        lines.append(f"{'all':<12} {total:>9.1f} {'':>13} {max(run.peak.values()):>8,.0f} {sum(run.disk.values()):>9,.1f}")
        lines.append(f"{run.documents / total:,.0f} documents/s, {run.megabytes / total:,.1f} MB/s; the driver's peak {run.driver:,.0f} MB")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.dedupe_scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000])
    parser.add_argument("--hard", choices=("copies", "words", "empty", "chain"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--part", type=int, default=50_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    runs = []
    for count in options.documents:
        with tempfile.TemporaryDirectory(dir=options.folder) as out:
            batches = hard(options.hard, count) if options.hard else mixed(count)
            runs.append(measure(count, batches, Path(out), options.workers, options.part))
        if not options.json:
            print(table(runs[-1:]), flush=True)
    if options.json:
        print(json.dumps([asdict(run) for run in runs], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
