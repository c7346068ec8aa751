"""Packing: best-fit decreasing against concatenating and chunking, and against best-fit with cropping, on the same lengths.

    python -m benchmarks.packing [--run out/mix-v1 | --documents 200000] [--window 32768] [--repeats 3] [--json]

Lengths are those of the documents that a run has tokenized, or lognormal, like those of web pages in tokens (mean 1,167,
seeded). For each row length: how fast rows are planned and filled on one core, how much of them is padding, how many documents
are cut, and what share of the tokens is lost; "needlessly" is a document that would have fitted into a row. Concatenating pads
nothing and cuts wherever a row ends. Cropping, as nanochat's loader does it, pads nothing either: of a buffer of documents the
longest that fits goes into the row, and when none does, the shortest fills it and the rest of that one is thrown away.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.kernels.packing import Packing, fill, pack
from pipeline.runfiles import RunFiles
from pipeline.storage import Folder

Ints = npt.NDArray[np.int64]
SEQ_LENS = (2048, 4096, 8192)
#: Documents that nanochat's loader chooses from.
CROP_BUFFER = 1000
#: As many sources as mix-v1 has.
SOURCES = 6


@dataclass(frozen=True)
class Result:
    """One packer on one row length. Shares are fractions of 1; speeds are of one core, the best of the repeats."""

    packer: str
    seq_len: int
    rows: int
    padding: float
    cut: float
    cut_needlessly: float
    lost: float = 0.0
    documents_per_second: float | None = None
    tokens_per_second: float | None = None
    fill_tokens_per_second: float | None = None


def best_fit(lengths: Ints, seq_len: int, window: int, repeats: int) -> Result:
    """Our packer: planning rows, then copying ids into them."""
    draw = np.random.default_rng(1)
    keys, sources = draw.integers(0, 1 << 64, len(lengths), dtype=np.uint64), draw.integers(0, SOURCES, len(lengths))
    planned: list[Packing] = []
    seconds = best_of(repeats, lambda: planned.append(pack(lengths, keys, sources, seq_len, window)))
    packing = planned[-1]
    ids, starts = draw.integers(0, 1 << 15, int(lengths.sum()), dtype=np.uint32), np.cumsum(lengths) - lengths
    rows = np.zeros((packing.rows, seq_len), np.uint16)
    filling = best_of(repeats, lambda: fill(rows, packing, ids, starts))
    pieces = np.bincount(packing.document, minlength=len(lengths))
    tokens = int(lengths.sum())
    return Result(
        packer="best-fit decreasing",
        seq_len=seq_len,
        rows=packing.rows,
        padding=1 - tokens / (packing.rows * seq_len),
        cut=float((pieces > 1).mean()),
        cut_needlessly=float(((pieces > 1) & (lengths <= seq_len)).mean()),
        documents_per_second=len(lengths) / seconds,
        tokens_per_second=tokens / seconds,
        fill_tokens_per_second=tokens / filling,
    )


def concatenate(lengths: Ints, seq_len: int) -> Result:
    """All documents one after the other, a new row every `seq_len` tokens."""
    ends = np.cumsum(lengths)
    cut = (ends - lengths) // seq_len != (ends - 1) // seq_len
    rows = -(-int(ends[-1]) // seq_len)
    return Result(
        packer="concatenate and chunk",
        seq_len=seq_len,
        rows=rows,
        padding=1 - int(ends[-1]) / (rows * seq_len),
        cut=float(cut.mean()),
        cut_needlessly=float((cut & (lengths <= seq_len)).mean()),
    )


def crop(lengths: Ints, seq_len: int) -> Result:
    """Best fit out of a buffer, cropping what fits nowhere: every row is full, and what was cropped is lost."""
    waiting = iter(lengths.tolist())
    buffer = sorted(islice(waiting, CROP_BUFFER))
    rows, cut, needless, lost = 0, 0, 0, 0
    while buffer:
        room = seq_len
        rows += 1
        while room and buffer:
            place = bisect_right(buffer, room) - 1
            length = buffer.pop(max(place, 0))
            if place < 0:
                cut, needless, lost = cut + 1, needless + (length <= seq_len), lost + length - room
            room -= min(length, room)
            for following in islice(waiting, 1):
                insort(buffer, following)
    total, number = int(lengths.sum()), len(lengths)
    return Result("best fit, cropping", seq_len, rows, 1 - (total - lost) / (rows * seq_len), cut / number, needless / number, lost / total)


def lengths_of(folder: Folder) -> Ints:
    """Tokens of every document that a run has tokenized."""
    counts = [file.table(["n_tokens"]).column("n_tokens").to_numpy() for file in RunFiles(folder).files("tokenize", "tokens")]
    return np.concatenate([np.zeros(0, np.int64), *counts])


def best_of(repeats: int, run: Callable[[], Any]) -> float:
    """Seconds of the fastest of `repeats` runs, after one that warms up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def table(results: Sequence[Result]) -> str:
    heads = f"{'packer':<22} {'row':>5} {'padding':>9} {'cut':>8} {'needlessly':>10} {'lost':>8}"
    head = f"{heads} {'documents/s':>12} {'tokens/s':>9} {'filling/s':>9}"
    lines = [
        f"{r.packer:<22} {r.seq_len:>5} {r.padding:>9.4%} {r.cut:>8.2%} {r.cut_needlessly:>10.2%} {r.lost:>8.2%}"
        f" {_number(r.documents_per_second, 12)} {_number(r.tokens_per_second, 9, 1e6)} {_number(r.fill_tokens_per_second, 9, 1e6)}"
        for r in results
    ]
    return "\n".join([head, *lines])


def _number(value: float | None, width: int, unit: float = 1.0) -> str:
    return f"{'-':>{width}}" if value is None else f"{f'{value / unit:,.0f}' + (' M' if unit > 1 else ''):>{width}}"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.packing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="the folder of a run that has tokenized its documents")
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--window", type=int, default=32_768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    made_up = np.random.default_rng(0).lognormal(6.3, 1.23, options.documents).astype(np.int64) + 1
    lengths = lengths_of(Folder(options.run)) if options.run else made_up
    results = [
        result
        for size in SEQ_LENS
        for result in (concatenate(lengths, size), crop(lengths, size), best_fit(lengths, size, options.window, options.repeats))
    ]
    if options.json:
        facts = {"documents": len(lengths), "tokens": int(lengths.sum()), "window": options.window}
        print(json.dumps({**facts, "results": [asdict(result) for result in results]}, indent=1))
    else:
        print(f"{len(lengths):,} documents, {int(lengths.sum()):,} tokens, mean {lengths.mean():,.0f}; windows of {options.window:,}")
        print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
