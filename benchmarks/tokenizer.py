"""Encoding: ours beside `tokenizers` and tiktoken, with one vocabulary, on the same documents, one core each.

    python -m benchmarks.tokenizer [--files 'texts/*.txt.gz' ...] [--megabytes 8] [--vocab-size 16384] [--repeats 3] [--json]

Without `--files` (text files, perhaps gzipped) the documents are the modules of Python's standard library. The vocabulary is
trained on them first. Each way turns texts into ids: ours an Arrow column into one array, the others a list of strings into
lists. `unequal` counts the documents whose ids are not those of `tokenizers`. The last results are about one word of many
letters, where nothing but the cost of merging shows.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import random
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # before the library starts its threads

import fsspec
import numpy as np
import pyarrow as pa
import tiktoken
from tokenizers import Tokenizer

from tokenizer.encode import Encoder
from tokenizer.splits import gpt4_pattern
from tokenizer.train import train
from tokenizer.vocabulary import Vocabulary

DIGITS = 2
WORD_LETTERS = 200_000

Ids = list[list[int]]


@dataclass(frozen=True)
class Result:
    """One way of encoding: seconds of the best of the repeats, and the documents it encodes unlike `tokenizers`."""

    documents: str
    by: str
    seconds: float
    megabytes_per_second: float
    unequal: int


def ways(content: bytes) -> dict[str, Callable[[list[str]], Callable[[], object]]]:
    """By name: what prepares the texts, outside the clock, and returns what encodes them."""
    ours, reference = Encoder(content), Tokenizer.from_str(content.decode())
    reference.encode_special_tokens = True
    special = Vocabulary.parse(content).added
    ranks = {token: number for number, token in enumerate(Vocabulary.parse(content).token_bytes) if number not in special.values()}
    other = tiktoken.Encoding("benchmark", pat_str=gpt4_pattern(DIGITS), mergeable_ranks=ranks, special_tokens=dict(special))

    def column(texts: list[str]) -> Callable[[], object]:
        prepared = pa.array(texts, pa.large_string())
        return lambda: ours.encode(prepared)

    return {
        "ours": column,
        "tokenizers": lambda texts: lambda: [e.ids for e in reference.encode_batch_fast(texts, add_special_tokens=False)],
        "tiktoken": lambda texts: lambda: [other.encode_ordinary(text) for text in texts],
    }


def measure(content: bytes, name: str, texts: list[str], repeats: int) -> list[Result]:
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    found: dict[str, tuple[float, Ids]] = {}
    for by, prepare in ways(content).items():
        run = prepare(texts)
        encoded = run()  # compiles what is compiled
        found[by] = (min(_seconds(run) for _ in range(repeats)), _lists(encoded))
    expected = found["tokenizers"][1]
    return [
        Result(name, by, seconds, megabytes / seconds, sum(a != b for a, b in zip(ids, expected, strict=True)))
        for by, (seconds, ids) in found.items()
    ]


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _lists(encoded: object) -> Ids:
    if isinstance(encoded, list):
        return encoded
    ids, offsets = encoded  # type: ignore[misc]
    return [part.tolist() for part in np.split(ids, offsets[1:-1])]


def documents(patterns: Sequence[str], megabytes: float) -> list[str]:
    """Texts of the files, drawn in an order that doesn't change, until they hold so many megabytes."""
    paths = [path for pattern in patterns for path in sorted(glob.glob(pattern, recursive=True))]
    random.Random("benchmark").shuffle(paths)
    texts: list[str] = []
    held = 0
    for text in _read(paths):
        texts.append(text)
        held += len(text.encode())
        if held >= megabytes * 1e6:
            break
    return texts


def _read(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        with fsspec.open(path, "rb", compression="infer") as file:
            try:
                yield file.read().decode()
            except UnicodeDecodeError:
                continue


def table(results: Sequence[Result]) -> str:
    rows = [f"{'documents':<28}{'by':<14}{'MB/s':>8}{'unequal':>9}"]
    rows += [f"{r.documents:<28}{r.by:<14}{r.megabytes_per_second:>8.2f}{r.unequal:>9}" for r in results]
    return "\n".join(rows)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.tokenizer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", nargs="*", default=[str(Path(sysconfig.get_paths()["stdlib"]) / "**" / "*.py")])
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--vocab-size", type=int, default=16384)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    texts = documents(options.files, options.megabytes)
    start = time.perf_counter()
    content = train(texts, vocab_size=options.vocab_size, digits=DIGITS)
    training = time.perf_counter() - start
    word = "".join(random.Random("word").choices("etaoinshrdlu", k=WORD_LETTERS))
    results = measure(content, "texts", texts, options.repeats)
    results += measure(content, f"a word of {WORD_LETTERS:,} letters", [word], 1)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    facts = {"documents": len(texts), "megabytes": megabytes, "vocab_size": options.vocab_size, "training_seconds": training}
    if options.json:
        print(json.dumps({**facts, "results": [asdict(result) for result in results]}, indent=1))
    else:
        print(f"{len(texts):,} documents, {megabytes:.1f} MB; {options.vocab_size:,} ids trained on them in {training:.1f} s; one core")
        print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
