"""Whole books: dedupe takes nothing of them that brute force does not confirm. Elsewhere it once took 97 in 100 (by closure over links)."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
from corpus_kit import read_texts
from dedupe_kit import FREE, check, dedupe

from pipeline.kernels.leaders import jaccard
from pipeline.kernels.shingles import shingle_sets


def decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def test_all_books_against_each_other_and_the_web(corpus: Path, tmp_path: Path) -> None:
    """As they lie there, with Gutenberg's small print, which they share; and twice more: another edition of one, and one cut short."""
    books = [(path.name, decoded(gzip.decompress(path.read_bytes()))) for path in sorted((corpus / "books").glob("*.txt.gz"))]
    edition = books[3][1].replace("colour", "color").replace("--", "-") + "\nSecond edition\n"
    planted = [("edition", edition), ("half", books[5][1][: len(books[5][1]) // 2])]
    web = [(f"page {n}", text) for n, text in enumerate(read_texts(corpus, "web"))]
    run = dedupe(tmp_path, {"books-00000": books[::2], "books-00001": books[1::2] + planted, "web-00000": web}, **FREE)
    check(run)
    documents = [*books, *planted, *web]
    sets = shingle_sets(pa.array([text for _, text in documents], pa.large_string()), 5)
    alike = {
        (documents[left][0], documents[right][0])
        for left in range(len(books) + len(planted))
        for right in range(len(documents))
        if left != right and jaccard(sets.offsets, sets.hashes, left, right, 0.8) >= 0.8
    }
    assert {(name, twin) for name, (reason, twin, _) in run.decisions.items() if reason and not name.startswith("page")} <= alike
    assert alike == {(books[3][0], "edition"), ("edition", books[3][0])}
    assert len(run.kept & {name for name, _ in [*books, *planted]}) == len(books) + 1
    assert np.diff(sets.offsets)[: len(books)].min() > 1000
