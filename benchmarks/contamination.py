"""Contamination: how many planted items of each evaluation set are found, in what disguise, by which method; and what is found unplanted.

    python -m benchmarks.contamination [--items 200] [--long-items 10] [--sources web books ...] [--samples 20] [--json]

Reads the development corpus beside the checkout. First every n-th item of each set, so that about `--items` are taken, is planted
in prose: the question, then the best answer. `found`: the document is dropped; by any item, for sets repeat themselves.
`--long-items` of each set are planted in documents of 100,000 words. Then all documents that our extractors find in the
corpus's sources, and all records of its instruction data, are looked through as they are: the hits are printed in full, to
be looked at, and the speed. Seconds are CPU seconds of the process with everything compiled.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts import InputFile, Task, Verdicts
from pipeline.evals.items import Item, read_items
from pipeline.evals.published import strings
from pipeline.filters.decontaminate import decontaminate
from pipeline.registry import bind, names
from pipeline.schema import DOC
from pipeline.storage import Folder
from pipeline.worker import LocalStage

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
SOURCES = ("web", "books", "wikipedia", "code", "academic", "curated")
#: Lists about the corpus, not documents of it.
ABOUT = ("sources.jsonl.gz", "ground_truth.jsonl.gz")

METHODS: Mapping[str, Mapping[str, Any]] = {
    "ngrams 13": {"method": "ngrams"},
    "ngrams 8": {"method": "ngrams", "ngram": 8},
    "qa": {"method": "qa"},
}
ALONE, AROUND, LONG = "question alone", 200, 100_000


def _spaced(text: str) -> str:
    return re.sub(r"\s+", lambda _: "  \n\t", text)


def _other_digits(text: str) -> str:
    return re.sub(r"\d", lambda found: str((int(found[0]) + 1) % 10), text)


def _half(text: str) -> str:
    words = text.split(" ")
    return " ".join(words[: (len(words) + 1) // 2])


def _gaps(text: str) -> str:
    """Every tenth word is gone."""
    return " ".join(word for number, word in enumerate(text.split(" ")) if number % 10 != 9)


#: What becomes of an item's text.
VARIANTS: Mapping[str, Callable[[str], str]] = {
    "verbatim": lambda text: text,
    "upper case": str.upper,
    "punctuation removed": lambda text: re.sub(r"[^\w\s]+", " ", text),
    "punctuation changed": lambda text: re.sub(r"[^\w\s]", " — ", text),
    "white space changed": _spaced,
    "digits changed": _other_digits,
    "every tenth word left out": _gaps,
    "first half": _half,
}


@dataclass(frozen=True)
class Recall:
    """How many of the planted items of a set a method found, and named."""

    method: str
    variant: str
    eval_set: str
    planted: int
    found: int
    named: int


@dataclass(frozen=True)
class Unplanted:
    """What a method finds in a source as it is."""

    method: str
    source: str
    documents: int
    hits: int
    megabytes: float
    megabytes_per_second: float


def prose(corpus: Path) -> list[str]:
    """The words of a few novels."""
    paths = sorted((corpus / "books").glob("*.txt.gz"))[:4]
    return " ".join(gzip.decompress(path.read_bytes()).decode("latin-1") for path in paths).split()


def chosen(items: Sequence[Item], number: int) -> dict[str, list[Item]]:
    """About so many items of each set, evenly drawn."""
    sets = defaultdict(list)
    for item in items:
        sets[item.name.partition(":")[0]].append(item)
    return {name: of_set[:: max(len(of_set) // number, 1)] for name, of_set in sorted(sets.items())}


def planted(text: str, words: Sequence[str], around: int, seed: str) -> str:
    """A text in the middle of so many words of prose."""
    start = random.Random(seed).randrange(len(words) - around)
    half = around // 2
    return f"{' '.join(words[start : start + half])}.\n\n{text}\n\n{' '.join(words[start + half : start + around])}"


def batch(texts: Sequence[str]) -> pa.RecordBatch:
    rows = {"id": [str(number) for number in range(len(texts))], "text": texts, "source": ["bench"] * len(texts)}
    nulls = {name: pa.nulls(len(texts), pa.string()) for name in DOC.names if name not in rows}
    return pa.RecordBatch.from_pydict({name: {**rows, **nulls}[name] for name in DOC.names}, schema=DOC)


def recall(evals: str, corpus: Path, number: int, long_number: int) -> Iterator[Recall]:
    items, words = read_items([evals]), prose(corpus)
    plans = [*((variant, number, AROUND) for variant in (*VARIANTS, ALONE)), ("in 100,000 words", long_number, LONG)]
    for method, keys in METHODS.items():
        for variant, many, around in plans:
            for name, drawn in chosen(items, many).items():
                texts = [planted(_told(item, variant), words, around, f"{variant}{item.name}") for item in drawn]
                found = decontaminate(batch(texts), evals=[evals], **keys)
                dropped = pc.is_valid(found.reasons).to_pylist()
                hits = found.signals["hit"].to_pylist()
                named = sum(ok and hit == item.name for ok, hit, item in zip(dropped, hits, drawn, strict=True))
                yield Recall(method, variant, name, len(drawn), sum(dropped), named)


def _told(item: Item, variant: str) -> str:
    """The question and the best answer, changed as the variant says; or the question alone."""
    return item.question if variant == ALONE else VARIANTS.get(variant, str)("\n".join([item.question, *item.answers[:1]]))


def extracted(corpus: Path, sources: Sequence[str], folder: str) -> dict[str, list[pa.RecordBatch]]:
    """The documents of each source, by the extract stage; instruction data as records of text."""
    out = {"instruct": [batch(list(records(corpus / "instruct")))]} if "instruct" in sources else {}
    stages = LocalStage(Folder(folder))
    for source in sources:
        if source in out:
            continue
        extractors = [{"name": name, "args": bind("extractor", name, {})[0].args} for name in names("extractor")]
        paths = [path for path in sorted((corpus / source).rglob("*")) if path.is_file() and path.name not in ABOUT]
        files = [asdict(InputFile(path.name, str(path), "", path.stat().st_size)) for path in paths]
        task = Task(f"{source}-00000", {"files": files, "read": {"name": "any", "args": {}}})
        done = stages.run("extract", {}, key=source, tasks=[task], extractors=extractors)
        out[source] = list(done.folder.batches(f"{source}-00000.docs.parquet"))
    return out


def records(folder: Path) -> Iterator[str]:
    """The texts of every record of the instruction data, line by line."""
    for path in sorted(folder.rglob("*.gz")):
        content = gzip.decompress(path.read_bytes()).decode()
        values = json.loads(content) if ".json." in path.name else [json.loads(line) for line in content.split("\n") if line.strip()]
        for value in values if isinstance(values, list) else [values]:
            yield "\n".join(strings(value))


def unplanted(evals: str, corpus: Path, sources: Sequence[str]) -> tuple[list[Unplanted], list[dict[str, Any]]]:
    """What is found in the corpus as it is: counts by method and source, and every hit."""
    rows, hits = [], []
    with tempfile.TemporaryDirectory() as folder:
        every = extracted(corpus, sources, folder)
        for method, keys in METHODS.items():
            decontaminate(batch(["a"]), evals=[evals], **keys)
            for source, batches in every.items():
                start = time.process_time()
                found = [decontaminate(docs, evals=[evals], **keys) for docs in batches]
                seconds = time.process_time() - start
                here = [hit for docs, one in zip(batches, found, strict=True) for hit in _hits(docs, one)]
                hits += [{"method": method, "source": source, **hit} for hit in here]
                size = sum(pc.sum(pc.binary_length(docs.column("text"))).as_py() or 0 for docs in batches) / 1e6
                number = sum(docs.num_rows for docs in batches)
                rows.append(Unplanted(method, source, number, len(here), round(size, 1), round(size / seconds, 1)))
    return rows, hits


def _hits(docs: pa.RecordBatch, found: Verdicts) -> Iterator[dict[str, Any]]:
    rows = pc.indices_nonzero(pc.is_valid(found.reasons))
    signals = {name: values.take(rows).to_pylist() for name, values in found.signals.items()}
    for number, (url, text) in enumerate(zip(*(docs.column(name).take(rows).to_pylist() for name in ("url", "text")), strict=True)):
        yield {"url": url, "chars": len(text), **{name: values[number] for name, values in signals.items()}}


def tables(results: Sequence[Recall], sums: Sequence[Unplanted]) -> str:
    sets = sorted({result.eval_set for result in results})
    by_row: dict[tuple[str, str], dict[str, Recall]] = defaultdict(dict)
    for result in results:
        by_row[result.method, result.variant][result.eval_set] = result
    lines = ["| method | variant | " + " | ".join(sets) + " | found | named |", "|---" * (len(sets) + 4) + "|"]
    for (method, variant), of_set in by_row.items():
        total, found, named = (sum(getattr(result, key) for result in of_set.values()) for key in ("planted", "found", "named"))
        shares = " | ".join(_percent(of_set[name].found, of_set[name].planted) for name in sets)
        lines.append(f"| {method} | {variant} | {shares} | {_percent(found, total)} | {_percent(named, total)} |")
    lines += ["", "| method | source | documents | MB | hits | MB/s |", "|---|---|---|---|---|---|"]
    lines += [f"| {s.method} | {s.source} | {s.documents} | {s.megabytes} | {s.hits} | {s.megabytes_per_second} |" for s in sums]
    return "\n".join(lines)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=200, help="items planted of each set")
    parser.add_argument("--long-items", type=int, default=10, help="items planted in long documents, of each set")
    parser.add_argument("--sources", nargs="*", default=[*SOURCES, "instruct"], help="what is looked through as it is")
    parser.add_argument("--samples", type=int, default=20, help="hits printed of each method")
    parser.add_argument("--json", action="store_true", help="print JSON, with all hits, in place of tables")
    args = parser.parse_args(argv)
    evals = CORPUS / "evals"
    if not evals.is_dir():
        print("there is no development corpus beside this checkout, and so no evaluation sets", file=sys.stderr)
        return 2
    results = list(recall(str(evals), CORPUS, args.items, args.long_items)) if args.items else []
    sums, hits = unplanted(str(evals), CORPUS, args.sources)
    if args.json:
        print(json.dumps({"recall": [asdict(r) for r in results], "unplanted": [asdict(s) for s in sums], "hits": hits}, indent=1))
        return 0
    print(tables(results, sums))
    for method in METHODS:
        for hit in [hit for hit in hits if hit["method"] == method][: args.samples]:
            where = f"{hit['source']} {hit['url']} ({hit['chars']} characters)"
            print(f"\n{method}: {where}\n  {hit['hit']} {hit['score']:.2f}: {hit['matched']!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
