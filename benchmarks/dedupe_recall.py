"""Dedupe: what is found of what there is, against all pairs by exact Jaccard index.

    python -m benchmarks.dedupe_recall [--documents 2000] [--planted 100] [--write] [--json]

Web pages of the development corpus, and copies of some of them with so many words replaced that they are .5, .55 ... 1.0
like the original. Every pair is compared; then, by its true index, how many pairs share a band, beside what 14 bands of 8
rows promise, 1 - (1 - J^8)^14; then what the stages of dedupe remove at .8: how much of it is as like a kept document
as it should be (precision), and how many documents are left that are .8 like another one that is left. `--write` puts
the tables into benchmarks/dedupe_recall.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.dedupe import BANDS, ROWS, SHINGLE_WORDS, THRESHOLD, ours
from benchmarks.documents import pages
from benchmarks.machine import machine
from pipeline.kernels.leaders import jaccard
from pipeline.kernels.minhash import sketch
from pipeline.kernels.shingles import shingle_sets

LEAST, STEP = 0.5, 0.05
#: Words of a page that copies are made of: enough that each target can be met.
FEWEST_WORDS = 150
PAGE = Path(__file__).with_name("dedupe_recall.md")

Pairs = dict[tuple[int, int], float]


@dataclass(frozen=True)
class Bin:
    """Pairs of an index from `least` on, up to the next: how many, the share that shares a band, and what theory says."""

    least: float
    pairs: int
    found: float
    theory: float


@dataclass(frozen=True)
class Outcome:
    """What dedupe made of the documents: `false` removals, and documents `left` though another one is left that they are like."""

    documents: int
    megabytes: float
    removed: int
    false: int
    like_pairs: int
    left: int


def planted(texts: Sequence[str], count: int) -> list[str]:
    """Copies of pages, `count` for each likeness, words replaced at places that share no shingle."""
    draw = np.random.default_rng(0)
    long = [words for words in (text.split() for text in texts) if len(words) >= FEWEST_WORDS]
    out = []
    for target in np.arange(LEAST, 1 + STEP / 2, STEP):
        for original in draw.choice(len(long), count):
            words = list(long[original])
            shingles = len(words) - SHINGLE_WORDS + 1
            changes = round(shingles * (1 - target) / (SHINGLE_WORDS * (1 + target)))
            places = draw.choice(shingles // SHINGLE_WORDS, changes, replace=False) * SHINGLE_WORDS + SHINGLE_WORDS - 1
            for place in places:
                words[place] = f"planted{draw.integers(1 << 40)}"
            out.append(" ".join(words))
    return out


def all_pairs(texts: Sequence[str]) -> Pairs:
    """The pairs that are at least LEAST like, with their index: every pair is compared that sizes don't rule out."""
    sets = shingle_sets(pa.array(texts, pa.large_string()), SHINGLE_WORDS)
    sizes = np.diff(sets.offsets)
    order = np.argsort(sizes, kind="stable")
    out: Pairs = {}
    for place, left in enumerate(order):
        last = np.searchsorted(sizes[order], sizes[left] / LEAST, "right")
        for right in order[place + 1 : last]:
            value = jaccard(sets.offsets, sets.hashes, left, right, LEAST)
            if value >= LEAST:
                out[min(int(left), int(right)), max(int(left), int(right))] = value
    return out


def curve(texts: Sequence[str], pairs: Pairs) -> list[Bin]:
    """The pairs by their index: how many share a band."""
    keys = sketch(pa.array(texts, pa.large_string()), SHINGLE_WORDS, BANDS, ROWS).keys
    values = np.array(list(pairs.values()))
    together = np.array([bool((keys[left] == keys[right]).any()) for left, right in pairs])
    promised = 1 - (1 - values**ROWS) ** BANDS
    number = np.minimum(np.floor((values - LEAST) / STEP + 1e-9), round((1 - LEAST) / STEP)).astype(int)
    return [
        Bin(round(LEAST + n * STEP, 2), int(mine.sum()), float(together[mine].mean()), float(promised[mine].mean()))
        for n in range(number.max(initial=-1) + 1)
        if (mine := number == n).any()
    ]


def outcome(texts: Sequence[str], pairs: Pairs, twins: Mapping[int, int]) -> Outcome:
    """What dedupe's removals, each with its twin, are worth."""
    like = {pair for pair, value in pairs.items() if value >= THRESHOLD}
    false = sum((min(pair), max(pair)) not in like or pair[1] in twins for pair in twins.items())
    left = {max(pair) for pair in like if not twins.keys() & set(pair)}
    return Outcome(len(texts), sum(len(text.encode()) for text in texts) / 1e6, len(twins), false, len(like), len(left))


def tables(bins: Sequence[Bin], found: Outcome) -> str:
    """Both tables in Markdown."""
    lines = ["| Jaccard index | pairs | share a band | 1 - (1 - J^8)^14 |", "|---|---|---|---|"]
    for row in bins:
        range_ = "1" if row.least >= 1 else f"{row.least:.2f} to {row.least + STEP:.2f}"
        lines.append(f"| {range_} | {row.pairs:,} | {row.found:.1%} | {row.theory:.1%} |")
    lines += ["", "| at .8 | |", "|---|---|"]
    lines += [f"| documents | {found.documents:,} ({found.megabytes:.1f} MB) |", f"| pairs at least .8 like | {found.like_pairs:,} |"]
    lines += [f"| removed | {found.removed:,} |", f"| of these, not .8 like the document they name, or that one not kept | {found.false} |"]
    lines += [f"| precision | {1 - found.false / max(found.removed, 1):.4f} |"]
    lines += [f"| left, though .8 like another one that is left | {found.left} |"]
    lines += [f"| recall | {found.removed / max(found.removed + found.left, 1):.4f} |"]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.dedupe_recall", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--planted", type=int, default=100)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    real = list(islice((text for text, _ in pages() if text), options.documents))
    texts = real + planted(real, options.planted)
    pairs = all_pairs(texts)
    bins = curve(texts, pairs)
    with tempfile.TemporaryDirectory() as folder:
        _, _, twins = ours(texts, Path(folder))
    found = outcome(texts, pairs, twins)
    if options.write:
        about = f"{len(real):,} web pages, {options.planted} planted copies of each likeness; {machine()}."
        command = "`python -m benchmarks.dedupe_recall --write`"
        PAGE.write_text(f"# Dedupe against brute force\n\n{command}: {about}\n\n{tables(bins, found)}\n", "utf-8")
    print(json.dumps({"curve": [asdict(row) for row in bins], **asdict(found)}, indent=1) if options.json else tables(bins, found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
