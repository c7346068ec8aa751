"""Training and encoding: ours beside `tokenizers` and tiktoken, with one vocabulary, on the same documents, one core each.

    python -m benchmarks.tokenizer [--files 'texts/*.txt.gz' ...] [--megabytes 8] [--vocab-size 16384] [--repeats 3] [--json]

Without `--files` (text files, perhaps gzipped) the documents are the modules of Python's standard library. The vocabulary is
trained on them first, by us from counts, by `tokenizers` from the texts: both must come to the same file. Memory is what ours
takes at most beside the counts, for each different piece. Each way of encoding turns texts into ids: ours an Arrow column
into one array, the others a list of strings into lists. `unequal` counts the documents whose ids are not those of `tokenizers`.
The last results are about one word of many letters, where nothing but the cost of merging shows.
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
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # before the library starts its threads

import fsspec
import numpy as np
import pyarrow as pa
import tiktoken
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tokenizer.counts import count
from tokenizer.encode import Encoder
from tokenizer.special import Specials
from tokenizer.splits import gpt4_pattern, pre_tokenizer
from tokenizer.train import train, train_on_counts
from tokenizer.vocabulary import Vocabulary

DIGITS = 2
WORD_LETTERS = 200_000

Ids = list[list[int]]
T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """One way of encoding: seconds of the best of the repeats, and the documents it encodes unlike `tokenizers`."""

    documents: str
    by: str
    seconds: float
    megabytes_per_second: float
    unequal: int


@dataclass(frozen=True)
class Training:
    """Core seconds of training a vocabulary: ours to count and to merge, the library's altogether; and our memory."""

    pieces: int
    different_pieces: int
    counting_seconds: float
    merging_seconds: float
    library_seconds: float
    bytes_per_different_piece: float
    same_file: bool


def trainings(texts: list[str], vocab_size: int) -> tuple[bytes, Training]:
    """Train both ways; the content of our tokenizer.json."""
    train(texts[:1], vocab_size=300, digits=DIGITS)  # compiles what is compiled
    counting, counted = _core_seconds(lambda: count(texts, digits=DIGITS))
    merging, content = _core_seconds(lambda: train_on_counts(counted, vocab_size=vocab_size, digits=DIGITS))
    library, reference = _core_seconds(lambda: library_trained(texts, vocab_size))
    tracemalloc.start()
    train_on_counts(counted, vocab_size=vocab_size, digits=DIGITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    different = len(counted.counts)
    return content, Training(int(counted.counts.sum()), different, counting, merging, library, peak / different, content == reference)


def library_trained(texts: list[str], vocab_size: int) -> bytes:
    """What the library's own trainer makes of the texts with the same settings."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizer("gpt4", DIGITS), decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    settings = {"special_tokens": Specials().tokens(), "initial_alphabet": alphabet, "min_frequency": 2, "show_progress": False}
    made.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=vocab_size, **settings))
    return (str(made.to_str(pretty=True)) + "\n").encode()


def _core_seconds(run: Callable[[], T]) -> tuple[float, T]:
    start = time.process_time()
    found = run()
    return time.process_time() - start, found


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


def trained(found: Training) -> str:
    ours = f"counting {found.counting_seconds:.2f} s, merging {found.merging_seconds:.2f} s"
    pieces = f"{found.different_pieces:,} different pieces of {found.pieces:,}, {found.bytes_per_different_piece:.0f} bytes of memory each"
    return f"training: {ours}; tokenizers {found.library_seconds:.2f} s; {'the same file' if found.same_file else 'ANOTHER FILE'}; {pieces}"


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
    content, training = trainings(texts, options.vocab_size)
    word = "".join(random.Random("word").choices("etaoinshrdlu", k=WORD_LETTERS))
    results = measure(content, "texts", texts, options.repeats)
    results += measure(content, f"a word of {WORD_LETTERS:,} letters", [word], 1)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    facts = {"documents": len(texts), "megabytes": megabytes, "vocab_size": options.vocab_size, "training": asdict(training)}
    if options.json:
        print(json.dumps({**facts, "results": [asdict(result) for result in results]}, indent=1))
    else:
        print(f"{len(texts):,} documents, {megabytes:.1f} MB, {options.vocab_size:,} ids; one core")
        print(trained(training))
        print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
