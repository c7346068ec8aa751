"""Main text of web pages: ours beside Resiliparse's and trafilatura's, against texts that people marked, one run, one core.

    python -m benchmarks.extraction [--corpus FOLDER] [--pages FILE.jsonl.gz ...] [--engines tokenmill,resiliparse,trafilatura] [--write]

Precision and recall are of bags of 4-word shingles, averaged over pages, F1 is of these averages: Scrapinghub's
article-extraction-benchmark. Pages per second are of CPU time of this process, charset to text, the best of three (trafilatura:
one). Each set is cut in two by a hash of the address: our weights were trained on the one half (`benchmarks.extraction_training`)
and never saw the other. `how good` says what made the reference texts. `--pages` adds sets of lines {"url", "html", "text", "set"}; a set
whose name ends in "unseen" isn't cut.
`resiliparse alone` is `extract_plain_text(main_content=True)`, without what our engine "resiliparse" changes before it.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from benchmarks.documents import CORPUS
from benchmarks.extraction_training import held_out
from benchmarks.machine import machine
from pipeline.contracts import InputFile
from pipeline.extract.html import html
from pipeline.schema import RAW
from pipeline.sources.warc import warc

TABLE = Path(__file__).with_name("extraction.md")
_WORD = re.compile(r"\w+")
_SHINGLE = 4
#: Reference texts that end with the page; goose3's are only the beginnings of texts.
_WHOLE = {"human": "scrapinghub (people)", "readability": "readability (reviewed output)"}


#: How the name of a set ends that no weight was trained on.
_UNSEEN = "unseen"


class Labelled(NamedTuple):
    """A page, its address, what is known of its charset, and its main text."""

    set: str
    url: str
    content: bytes
    meta: str
    text: str


class Score(NamedTuple):
    """Means over the pages of a set that one engine read."""

    pages: int
    precision: float
    recall: float
    per_second: float

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


#: Pages to texts.
Way = Callable[[Sequence[Labelled]], list[str]]


def corpus_pages(corpus: Path) -> Iterator[Labelled]:
    """The pages of the development corpus that have a whole reference text."""
    with gzip.open(corpus / "web" / "ground_truth.jsonl.gz", "rt") as lines:
        known = {row["url"]: row for row in map(json.loads, lines)}
    for page in warc(InputFile("benchmark", str(corpus / "web" / "extraction-benchmarks.warc.gz"), "", 0)):
        row = known.get(page.url)
        if row and row["method"].split()[0] in _WHOLE:
            yield Labelled(_WHOLE[row["method"].split()[0]], row["url"], page.content, json.dumps(dict(page.meta or {})), row["text"])


def further_pages(paths: Sequence[Path]) -> Iterator[Labelled]:
    """Pages of files."""
    for path in paths:
        with gzip.open(path, "rt") as lines:
            for row in map(json.loads, lines):
                yield Labelled(row["set"], row["url"], row["html"].encode(), "{}", row["text"])


def engines() -> dict[str, Way]:
    """What turns pages into texts, by name; trafilatura where it is installed."""
    ways: dict[str, Way] = {"tokenmill": partial(_extracted, "tokenmill"), "resiliparse": partial(_extracted, "resiliparse")}
    ways["resiliparse alone"] = _alone
    if importlib.util.find_spec("trafilatura"):
        ways["trafilatura"] = partial(_extracted, "trafilatura")
    return ways


def _extracted(engine: str, pages: Sequence[Labelled]) -> list[str]:
    """The pages as the extract stage gives them: one batch."""
    rows = [{"id": "", "content": page.content, "format": "html", "source": "", "meta": page.meta} for page in pages]
    found = html(pa.RecordBatch.from_pylist(rows, schema=RAW), engine=engine)
    return [text or "" for text in found.text.to_pylist()]


def _alone(pages: Sequence[Labelled]) -> list[str]:
    return [extract_plain_text(HTMLTree.parse_from_bytes(page.content), main_content=True) for page in pages]


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """The bag of 4-word shingles; a shorter text is one."""
    words = _WORD.findall(text)
    bag = Counter(zip(*(words[shift:] for shift in range(_SHINGLE)), strict=False))
    return bag or Counter([tuple(words)] if words else [])


def scored(pages: Sequence[Labelled], read: Way, repeats: int) -> Score:
    """Precision where something was found, recall where something is to be found, and pages per second."""
    read(pages[:1])
    seconds, texts = float("inf"), list[str]()
    for _ in range(repeats):
        start = time.process_time()
        texts = read(pages)
        seconds = min(seconds, time.process_time() - start)
    precisions, recalls = [], []
    for page, text in zip(pages, texts, strict=True):
        found, wanted = shingles(text), shingles(page.text)
        common = (found & wanted).total()
        precisions += [common / found.total()] if found else []
        recalls += [common / wanted.total()] if wanted else []
    return Score(len(pages), sum(precisions) / max(len(precisions), 1), sum(recalls) / max(len(recalls), 1), len(pages) / seconds)


def table(groups: Mapping[str, Sequence[Labelled]], ways: Mapping[str, Way]) -> str:
    """One line per set, half and engine."""
    lines = ["| set | half | pages | engine | F1 | precision | recall | pages/s |", "|---|---|---:|---|---:|---:|---:|---:|"]
    for name, pages in sorted(groups.items()):
        halves = {
            "tuned on": [page for page in pages if not held_out(page.url)],
            "held out": [page for page in pages if held_out(page.url)],
        }
        for half, chosen in ({"never seen": pages} if name.endswith(_UNSEEN) else halves).items():
            for engine, read in ways.items() if chosen else ():
                score = scored(chosen, read, 1 if engine == "trafilatura" else 3)
                numbers = f"{score.f1:.3f} | {score.precision:.3f} | {score.recall:.3f} | {score.per_second:.0f}"
                lines.append(f"| {name} | {half} | {score.pages} | {engine} | {numbers} |")
                print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Print the table; 1 when there is nothing to measure on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extraction", description="Main text beside other extractors'.")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--pages", type=Path, nargs="*", default=[])
    parser.add_argument("--engines", default="")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args(argv)
    groups: dict[str, list[Labelled]] = defaultdict(list)
    for page in [*(corpus_pages(args.corpus) if (args.corpus / "web").is_dir() else ()), *further_pages(args.pages)]:
        groups[page.set].append(page)
    if not groups:
        print(f"no pages: {args.corpus} isn't there, and no --pages were given", file=sys.stderr)
        return 1
    ways = {name: way for name, way in engines().items() if not args.engines or name in args.engines.split(",")}
    text = f"{__doc__.partition(chr(10))[0]}\n\n{machine()}\n\n{table(groups, ways)}\n" if __doc__ else ""
    print(text)
    if args.write:
        TABLE.write_text(f"# Extraction\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
