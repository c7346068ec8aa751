"""What stops a run between waves: too little text, and a mix that can't be made."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.download import Lock
from pipeline.errors import InfeasibleMix, SourceError
from pipeline.gates import MARGIN, check_before_going_on, check_mix
from pipeline.job import Committed
from pipeline.plan import Plan
from pipeline.report import Report
from pipeline.storage import Folder
from pipeline.waves import Run

SHARES = {"web": 0.75, "books": 0.25}


def report(source: str, read: int, kept: int, text_bytes: int) -> Report:
    found = Report()
    found.read[source], found.kept[source] = read, kept
    found.count(source, "text_bytes", text_bytes)
    return found


def state(tmp_path: Path, *, tokens: int | None = None, books: int = 50, max_epochs: float = 1.0) -> Run:
    """A run up to its tokenizer: of 100 web documents 80 are kept by dedupe, of 4 kB and 1,000 tokens (and a mark) each; books alike."""
    counted = {
        "extract-web": report("web", 100, 100, 400_000),
        "extract-books": report("books", books, books, books * 4000),
        "filter-web": report("web", 100, 100, 400_000),
        "filter-books": report("books", books, books, books * 4000),
        "dedupe": Report(),
    }
    for source, kept in (("web", 80), ("books", books)):
        counted["dedupe"].kept[source] = kept
    folder = Folder(str(tmp_path))
    folder.write("tokenizer.evaluation.json", json.dumps({"sources": {name: {"bytes": 400, "tokens": 100} for name in SHARES}}).encode())
    stages = {key: SimpleNamespace(committed=SimpleNamespace(report=found)) for key, found in counted.items()}
    stages["tokenizer"] = SimpleNamespace(committed=Committed(folder, {"tasks": []}))
    args = {"shares": SHARES, "tokens": tokens, "max_epochs": {"books": max_epochs}}
    recipe = SimpleNamespace(sources=[SimpleNamespace(name=name, floor=300_000 if name == "web" else 0) for name in SHARES])
    plan = SimpleNamespace(recipe=recipe, stage=lambda _: SimpleNamespace(step=SimpleNamespace(args=args)))
    return Run(cast("Plan", plan), folder, cast("Lock", SimpleNamespace(missing=("a.deb",))), "", cast("Any", stages))


def test_a_mix_that_the_text_allows_goes_on(tmp_path: Path) -> None:
    check_mix(state(tmp_path))
    check_mix(state(tmp_path, tokens=106_000))  # web: 80 documents of 1,001 tokens are three quarters of 106,773
    check_mix(state(tmp_path, tokens=int(106_773 * MARGIN)))


def test_a_mix_that_is_out_of_reach_stops_before_anything_is_encoded(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleMix) as stopped:
        check_before_going_on(state(tmp_path, tokens=200_000), "tokenizer")
    text = str(stopped.value)
    assert text.startswith("foretold before encoding: a mix of 200,000 tokens can't be made:")
    assert "web needs 150,000 tokens and has 80,080 in 80 documents" in text
    assert "books" not in text.partition("The largest")[0]
    assert "The largest total that keeps the shares is 106,773 tokens, bound by web" in text


def test_a_source_without_documents_stops_it_whatever_the_total(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleMix, match="books needs 1 tokens and has 0 in 0 documents"):
        check_mix(state(tmp_path, books=0))


def test_more_epochs_reach_further(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleMix, match="books"):
        check_mix(state(tmp_path, tokens=100_000, books=10))
    check_mix(state(tmp_path, tokens=100_000, books=10, max_epochs=3))


def test_too_little_text_stops_it_and_names_what_is_missing(tmp_path: Path) -> None:
    run = state(tmp_path)
    check_before_going_on(run, "extract")
    run.stages["extract-web"].committed.report.counts["web", "text_bytes"] = 299_999
    with pytest.raises(SourceError, match=r"web: 299,999 bytes of text, its floor is 300,000; missing: a\.deb"):
        check_before_going_on(run, "extract")
    check_before_going_on(run, "filter")
