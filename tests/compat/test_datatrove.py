"""datatrove's blocks as steps, and as the oracle of our own filters: document by document, every difference explained."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pyarrow as pa
import pytest
from datatrove_kit import BLOCKS, C4, FINEWEB, QUALITY, REPETITION, renamed
from fastwarc.warc import ArchiveIterator, WarcRecordType
from reference import CITATION
from resiliparse.extract.html2text import extract_plain_text

from pipeline.compat.datatrove import datatrove
from pipeline.errors import SourceError
from pipeline.filters.c4 import c4
from pipeline.filters.fineweb import fineweb
from pipeline.filters.gopher import gopher_quality
from pipeline.filters.repetition import gopher_repetition
from pipeline.kernels.unicode import END, SYMBOL, classes
from pipeline.schema import DOC


def batch(texts: list[str], **facts: str) -> pa.RecordBatch:
    rows = [{"id": str(n), "text": text, "source": "web", **facts} for n, text in enumerate(texts)]
    return pa.RecordBatch.from_pylist(rows, schema=DOC)


@pytest.fixture(scope="module")
def pages(corpus: Path) -> list[str]:
    """Web pages, whole and reduced to their main text, and pieces of books: menus, lists, code, tables, prose, many languages."""
    html = [page for path in sorted((corpus / "web").glob("*.warc.gz")) for page in first_pages(path, 60)]
    texts = [extract_plain_text(page, main_content=main)[:12_000] for page in html for main in (False, True)]
    books = [gzip.decompress(path.read_bytes()).decode("latin-1") for path in sorted((corpus / "books").glob("*.gz"))[:6]]
    return [text for text in texts if text.strip()] + [book[at : at + 9000] for book in books for at in range(0, 54_000, 9000)]


def first_pages(path: Path, count: int) -> list[str]:
    with path.open("rb") as file:
        records = zip(range(count), ArchiveIterator(file, record_types=WarcRecordType.response), strict=False)
        return [record.reader.read().decode("utf-8", "replace") for _, record in records]


def verdicts(docs: pa.RecordBatch, block: str, **args: object) -> list[str | None]:
    return datatrove(docs, block=BLOCKS + block, args=args, words="whitespace").reasons.to_pylist()


def differing(ours: list[str | None], theirs: list[str | None]) -> list[int]:
    return [row for row, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]


def test_repetition_gives_every_page_datatroves_verdict(pages: list[str]) -> None:
    ours = gopher_repetition(batch(pages)).reasons
    assert renamed(ours, REPETITION) == verdicts(batch(pages), "GopherRepetitionFilter")
    assert len(set(ours.to_pylist())) > 6  # else the pages wouldn't try the rules


def test_quality_differs_from_datatrove_only_by_what_counts_as_punctuation(pages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from datatrove.pipeline.filters import gopher_quality_filter as theirs

    ours = renamed(gopher_quality(batch(pages)).reasons, QUALITY)
    symbols = {chr(point) for point, bits in enumerate(classes()) if bits & SYMBOL}
    disputed = symbols ^ theirs.PUNCTUATION_SET
    for row in differing(ours, verdicts(batch(pages), "GopherQualityFilter")):
        assert any(disputed.issuperset(set(word) - symbols) or disputed.intersection(word) for word in pages[row].split())
    monkeypatch.setattr(theirs, "PUNCTUATION_SET", symbols)
    assert ours == verdicts(batch(pages), "GopherQualityFilter")
    assert len(set(ours)) > 4


def test_fineweb_differs_from_datatrove_only_by_its_list_of_end_marks(pages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from datatrove.pipeline.filters import fineweb_quality_filter as theirs

    ours = renamed(fineweb(batch(pages)).reasons, FINEWEB)
    ends = [chr(point) for point, bits in enumerate(classes()) if bits & END]
    disputed = theirs.TERMINAL_PUNCTUATION.symmetric_difference(ends)
    for row in differing(ours, verdicts(batch(pages), "FineWebQualityFilter")):
        assert any(line[-1:] in disputed for line in pages[row].split("\n"))
    monkeypatch.setattr(theirs, "TERMINAL_PUNCTUATION", set(ends))
    assert ours == verdicts(batch(pages), "FineWebQualityFilter", short_line_length=30)  # an argument, for a new block
    assert len(set(ours)) > 3


@pytest.mark.parametrize("end_marks", [True, False])
def test_c4_differs_from_datatrove_only_by_apostrophes_and_citations(
    pages: list[str], end_marks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datatrove.pipeline.filters import c4_filters as theirs

    args = {"min_num_sentences": 3, "min_words_per_line": 5, "filter_no_terminal_punct": end_marks}
    ours = c4(batch(pages), end_marks=end_marks)
    for row in differing(renamed(ours.reasons, C4), verdicts(batch(pages), "C4QualityFilter", **args)):
        lines = [CITATION.sub("", line.strip()) for line in pages[row].splitlines()]
        assert CITATION.search(pages[row]) or any(line.endswith("'") for line in lines)
    monkeypatch.setattr(theirs, "END_PUNCTUATION", (".", "?", "!", '"'))
    block = datatrove(batch(pages), block=BLOCKS + "C4QualityFilter", args={**args, "remove_citations": False}, words="whitespace")
    ours = c4(batch(pages), end_marks=end_marks, citations=False)
    assert renamed(ours.reasons, C4) == block.reasons.to_pylist()
    assert len(set(block.reasons.to_pylist())) > 2
    kept = [row for row, reason in enumerate(ours.reasons.to_pylist()) if reason is None]
    edited = [new or old for new, old in zip(block.text.to_pylist(), pages, strict=True)]
    assert [ours.text[row].as_py() for row in kept] == [edited[row] for row in kept]


def test_a_block_edits_and_its_language_becomes_the_documents() -> None:
    docs = batch(["Seven words stand here in this line.\nToo few\n" * 3, "A { here makes the page be dropped."], lang="fr")
    found = datatrove(docs, block=BLOCKS + "C4QualityFilter", args={"min_num_sentences": 3}, words="whitespace")
    assert found.reasons.to_pylist() == [None, "datatrove:curly_bracket"]
    assert found.text.to_pylist() == ["\n".join(["Seven words stand here in this line."] * 3), None]
    assert found.facts["lang"].to_pylist() == ["fr", "fr"]


def test_a_block_that_gives_no_reason_is_named() -> None:
    docs = batch(["keep me", "drop me"])
    found = datatrove(docs, block=BLOCKS + "RegexFilter", args={"regex_exp": "drop"})
    assert found.reasons.to_pylist() == [None, "datatrove:RegexFilter"]


def test_no_documents_are_no_work() -> None:
    found = datatrove(batch([]), block=BLOCKS + "RegexFilter", args={"regex_exp": "drop"})
    assert (len(found.reasons), found.reasons.type, found.text.type) == (0, pa.string(), pa.large_string())


@pytest.mark.parametrize("block", ["meddler.Block", "datatrove_meddler.Block", "meddler.datatrove.Block", ".meddler.Block", "datatrove"])
def test_only_modules_of_datatrove_are_imported(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("meddler", "datatrove_meddler"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SourceError, match=f"'{re.escape(block)}' is no block of datatrove: its name must begin with datatrove"):
        datatrove(batch(["a"]), block=block)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("block", ["datatrove.pipeline.filters.NoSuchFilter", "nowhere.Block", "Plain", "datatrove.data.Document"])
def test_what_is_no_filter_block_is_named(block: str) -> None:
    with pytest.raises(SourceError, match=block.replace(".", r"\.")):
        datatrove(batch(["a"]), block=block)
