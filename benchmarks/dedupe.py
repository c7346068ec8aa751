"""Dedupe: ours beside datatrove's MinHash and rensa's, on the same documents, one core each, in seconds of the processor.

    python -m benchmarks.dedupe [--documents 2000] [--files 'texts/*.txt.gz' ...] [--repeats 3] [--json]

Without `--files` (text files, perhaps gzipped, cut into documents of 5,000 characters) documents are made up: words drawn
by Zipf's law, half of the documents edited from another one, one word in so many, so that likeness of every degree
occurs. First how fast documents are signed, in MB of UTF-8 per second, with 112 permutations of shingles of five words:
datatrove's signatures as shipped (English words by spaCy; on every tenth document), and with words split at white space;
rensa's from texts (lower case, split at white space, shingles joined in Python), and its Rust code alone, handed the
shingles. Then the whole way to a decision, with datatrove's four stages: how many documents go, and how many of those
are less than .8 like (by the shingles of five words that ours counts) the one kept for them.
"""

from __future__ import annotations

import argparse
import glob
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.utils.logging import logger
from datatrove.utils.word_tokenizers import WordTokenizer
from rensa import RMinHash

from pipeline.compat.datatrove import WhitespaceWords
from pipeline.job import Committed, TaskResult
from pipeline.kernels.minhash import sketch
from pipeline.kernels.shingles import shingle_sets
from pipeline.report import Report
from pipeline.schema import DOC, document_id
from pipeline.storage import Folder
from pipeline.worker import LocalStage

DOCUMENT_CHARS = 5000
THRESHOLD, SHINGLE_WORDS, BANDS, ROWS = 0.8, 5, 14, 8


@dataclass(frozen=True)
class Result:
    """One way of doing one piece of work; `removed` of the documents, `unlike` of those less than .8 like what was kept."""

    work: str
    by: str
    seconds: float
    megabytes_per_second: float
    removed: int | None = None
    unlike: int | None = None


class PeerWords(WhitespaceWords, WordTokenizer):  # type: ignore[misc]
    """Our words, as the kind of object that datatrove's MinHash asks for."""


def made_up(count: int) -> list[str]:
    """Documents of 100 to 1,500 words; every second one is edited from an earlier one."""
    draw = np.random.default_rng(0)
    vocabulary = np.array([f"{'bcdfghklmnprst'[n % 14]}{'aeiou'[n % 5]}{np.base_repr(n, 36).lower()}" for n in range(50_000)])
    out: list[np.ndarray] = []
    for number in range(count):
        if number % 2 and draw.random() < 0.5:
            words = out[draw.integers(len(out))].copy()
            words[draw.random(len(words)) < draw.choice([0, 0.01, 0.03, 0.1])] = "edited"
        else:
            words = vocabulary[np.minimum(draw.zipf(1.2, draw.integers(100, 1500)), 50_000) - 1]
        out.append(words)
    return [" ".join(words) for words in out]


def from_files(patterns: Sequence[str]) -> list[str]:
    """Texts of files, cut into documents of DOCUMENT_CHARS."""
    out = []
    for path in sorted(found for pattern in patterns for found in glob.glob(pattern, recursive=True)):
        with fsspec.open(path, "rb", compression="infer") as file:
            text = file.read().decode("utf-8", "replace")
        out += [text[start : start + DOCUMENT_CHARS] for start in range(0, len(text), DOCUMENT_CHARS)]
    return out


def best_of(repeats: int, run: Callable[[], Any]) -> float:
    """Seconds of the processor that the fastest of `repeats` runs took."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def sign_by_kernel(texts: Sequence[str], repeats: int) -> float:
    column = pa.array(texts, pa.large_string())
    sketch(column.slice(0, 1), SHINGLE_WORDS, BANDS, ROWS)
    return best_of(repeats, lambda: sketch(column, SHINGLE_WORDS, BANDS, ROWS))


def shingled(texts: Sequence[str]) -> list[list[str]]:
    """The shingles of texts as rensa takes them."""
    words = [text.lower().split() for text in texts]
    return [[" ".join(found[n : n + SHINGLE_WORDS]) for n in range(max(1, len(found) - SHINGLE_WORDS + 1))] for found in words]


def sign_by_rensa(shingles: Sequence[list[str]]) -> None:
    RMinHash.digest_matrix_from_token_sets(shingles, BANDS * ROWS, 1)


def sign_by_datatrove(texts: Sequence[str], language: Any) -> None:
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        MinhashDedupSignature(folder, language=language).run(iter(documents))


def ours(texts: Sequence[str], out: Path) -> tuple[float, float, dict[int, int]]:
    """Seconds of the signatures stage, of all stages, and the kept twin of each removed document."""
    stages = LocalStage(Folder(str(out)))
    ids = [document_id("bench", str(number)) for number in range(len(texts))]
    docs = _committed(stages.out.sub("filter"), ids, texts)
    start = time.process_time()
    signed = stages.run("signatures", {"filter": docs}, shingle_words=SHINGLE_WORDS, bands=BANDS, rows=ROWS)
    signing = time.process_time() - start
    linked = stages.run("candidates", {"signatures": signed})
    joined = stages.run("components", {"signatures": signed, "candidates": linked})
    gathered = stages.run("gather", {"filter": docs, "signatures": signed, "components": joined})
    judged = stages.run("verify", {"gather": gathered}, threshold=THRESHOLD, priority=[], shingle_words=SHINGLE_WORDS)
    decided = stages.run("dedupe", {"signatures": signed, "verify": judged}, threshold=THRESHOLD, override_guard=True)
    seconds = time.process_time() - start
    numbers = {name: number for number, name in enumerate(ids)}
    rows = decided.folder.table("bench-00000.decisions.parquet").to_pylist()
    return signing, seconds, {numbers[row["id"]]: numbers[row["twin"]] for row in rows if row["twin"]}


def _committed(folder: Folder, ids: Sequence[str], texts: Sequence[str]) -> Committed:
    rows = [{"id": name, "text": text, "source": "bench"} for name, text in zip(ids, texts, strict=True)]
    with folder.parquet("bench-00000.docs.parquet", DOC) as sink:
        sink.write(pa.RecordBatch.from_pylist(rows, schema=DOC))
    result = TaskResult("bench-00000", (sink.entry(),), Report())
    return Committed(folder, {"stage": "filter", "fingerprint": "benchmark", "tasks": [result.to_json()]})


def datatrove(texts: Sequence[str], out: Path) -> tuple[float, float, dict[int, int]]:
    """The same of datatrove's four stages; the document it keeps of a cluster is the twin of the others."""
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    start = time.process_time()
    MinhashDedupSignature(str(out / "signatures"), language=PeerWords()).run(iter(documents))
    signing = time.process_time() - start
    buckets = MinhashDedupBuckets(str(out / "signatures"), str(out / "buckets"))
    for rank in range(BANDS):
        buckets.run(rank=rank, world_size=BANDS)
    MinhashDedupCluster(str(out / "buckets"), str(out / "clusters"), save_cluster_id=True).run()
    left = sum(1 for _ in MinhashDedupFilter(str(out / "clusters")).run(iter(documents)))
    seconds = time.process_time() - start
    removed = set(_numbers(out / "clusters/000000.remove"))
    if left + len(removed) != len(texts):
        raise RuntimeError(f"datatrove's filter kept {left} of {len(texts)} documents, its clusters remove {len(removed)}")
    clusters = list(_numbers(out / "clusters/000000.clusters"))
    kept = {cluster: document for document, cluster in _pairs(clusters) if document not in removed}
    return signing, seconds, {document: kept[cluster] for document, cluster in _pairs(clusters) if document in removed}


def _numbers(path: Path) -> list[int]:
    return np.frombuffer(path.read_bytes() if path.exists() else b"", "<u4").tolist()


def _pairs(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(values[::2], values[1::2], strict=True)


def unlike(texts: Sequence[str], twins: dict[int, int]) -> int:
    """How many removed documents are less than THRESHOLD like the one kept for them."""
    sets = shingle_sets(pa.array(texts, pa.large_string()), SHINGLE_WORDS)
    rows = [sets.hashes[start:stop] for start, stop in zip(sets.offsets, sets.offsets[1:], strict=False)]
    common = {removed: len(np.intersect1d(rows[removed], rows[kept], assume_unique=True)) for removed, kept in twins.items()}
    return sum(found / (len(rows[removed]) + len(rows[twins[removed]]) - found) < THRESHOLD for removed, found in common.items())


def measure(texts: Sequence[str], repeats: int) -> list[Result]:
    megabytes = _megabytes(texts)
    kernel, shingles, tenth = sign_by_kernel(texts, repeats), shingled(texts), texts[::10]
    sign_by_datatrove(tenth[:2], "eng")  # loads spaCy's tokenizer
    rensa, rust = best_of(repeats, lambda: sign_by_rensa(shingled(texts))), best_of(repeats, lambda: sign_by_rensa(shingles))
    shipped = best_of(1, lambda: sign_by_datatrove(tenth, "eng")) * megabytes / _megabytes(tenth)
    signed = {"tokenmill, kernel": kernel, "rensa, texts": rensa, "rensa, shingles given": rust, "datatrove as shipped": shipped}
    results = [Result("sign", name, seconds, megabytes / seconds) for name, seconds in signed.items()]
    for name, run in (("tokenmill", ours), ("datatrove", datatrove)):
        with tempfile.TemporaryDirectory() as folder:
            if name == "tokenmill":
                run(texts[:10], Path(folder) / "warm")
            signing, seconds, twins = run(texts, Path(folder) / "run")
        results.append(Result("sign", f"{name}, files", signing, megabytes / signing))
        results.append(Result("dedupe", name, seconds, megabytes / seconds, len(twins), unlike(texts, twins)))
    return sorted(results, key=lambda result: (result.work != "sign", result.by != "tokenmill, kernel"))


def _megabytes(texts: Sequence[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def table(results: Sequence[Result]) -> str:
    first = {result.work: result.seconds for result in reversed(results) if result.by.startswith("tokenmill")}
    lines = [f"{'work':<8} {'by':<22} {'seconds':>9} {'MB/s':>8} {'times':>6} {'removed':>8} {'unlike':>7}"]
    for r in results:
        removed = "-" if r.removed is None else f"{r.removed:,}"
        bad = "-" if r.unlike is None else f"{r.unlike:,}"
        times = r.seconds / first[r.work]
        lines.append(f"{r.work:<8} {r.by:<22} {r.seconds:>9.3f} {r.megabytes_per_second:>8.2f} {times:>6.1f} {removed:>8} {bad:>7}")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.dedupe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--files", nargs="*", default=[])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    pa.set_cpu_count(1)
    logger.remove()
    texts = from_files(options.files)[: options.documents] if options.files else made_up(options.documents)
    results = measure(texts, options.repeats)
    megabytes = _megabytes(texts)
    if options.json:
        print(json.dumps({"documents": len(texts), "megabytes": megabytes, "results": [asdict(result) for result in results]}, indent=1))
    else:
        print(f"{len(texts):,} documents, {megabytes:.1f} MB; one core")
        print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
