"""Filters on texts of hostile shapes, each one document, beside web pages: how many times slower per byte they run.

    python -m benchmarks.shapes [--megabytes 4] [--repeats 3] [--json]

A filter must run in linear time on any input: no shape may cost twice what pages cost, at any size. `--megabytes 200` tries
documents of that size, and prints the most memory that the process had.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa

from benchmarks.documents import documents, one_document, pages, size_of
from benchmarks.rows import KERNELS, ours, timed


@dataclass(frozen=True)
class Shape:
    """One filter on one shape of text: its speed, and how many times slower per byte than on pages."""

    filter: str
    shape: str
    megabytes_per_second: float
    slower: float


def _letters(size: int) -> str:
    return "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=size))


def _cut(size: int, piece: str) -> str:
    return piece * (size // len(piece))


#: Each makes a text of about so many characters out of the prose of pages.
SHAPES: Mapping[str, Callable[[int, str], str]] = {
    "pages as one document": lambda size, prose: _cut(size, prose),
    "pages on one line": lambda size, prose: _cut(size, " ".join(prose.split())),
    "one word, repeated": lambda size, _: _cut(size, "word "),
    "one line, repeated": lambda size, _: _cut(size, "The same line stands here again and again.\n"),
    "a line without white space": lambda size, _: _letters(size),
    "newlines": lambda size, _: _cut(size, "\n"),
    "punctuation": lambda size, _: _cut(size, ".,;:!?'\"()[]{}-…#"),
    "dots": lambda size, _: _cut(size, "."),
    "words of one letter": lambda size, _: _cut(size, "a b c d e f g "),
}


def measure(docs: pa.RecordBatch, megabytes: float, repeats: int) -> list[Shape]:
    """Every shape under every filter that has a kernel."""
    size = int(megabytes * 1e6)
    prose = "\n".join(itertools.islice((text for text in docs.column("text").to_pylist()), 1000))
    base = {name: _speed(name, docs, repeats) for name in KERNELS}
    found = [Shape(name, "pages", round(base[name], 1), 1.0) for name in KERNELS]
    for shape, make in SHAPES.items():
        batch = one_document(make(size, prose[:size]))
        for name in KERNELS:
            speed = _speed(name, batch, repeats)
            found.append(Shape(name, shape, round(speed, 1), round(base[name] / speed, 2)))
    return found


def _speed(name: str, docs: pa.RecordBatch, repeats: int) -> float:
    """MB/s."""
    step = ours(name)
    return size_of(docs) / timed(lambda: step(docs), repeats).best / 1e6


def table(shapes: Sequence[Shape]) -> str:
    """Markdown: a line per shape, a column per filter, how many times slower than on pages."""
    slower = {(item.shape, item.filter): item.slower for item in shapes}
    lines = [f"| shape | {' | '.join(KERNELS)} |", "|---" * (len(KERNELS) + 1) + "|"]
    return "\n".join(lines + [f"| {shape} | {' | '.join(f'{slower[shape, name]:.2f}' for name in KERNELS)} |" for shape in SHAPES])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=4.0, help="size of each document")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    args = parser.parse_args(argv)
    shapes = measure(documents(pages(), 8.0), args.megabytes, args.repeats)
    print(json.dumps([asdict(shape) for shape in shapes], indent=1) if args.json else table(shapes))
    if not args.json:
        print(f"\nmost memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
