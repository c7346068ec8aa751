"""datatrove's blocks as steps, and as the oracle of our own filters: document by document, every difference explained."""

from __future__ import annotations

import gzip
import re
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from datatrove_kit import BLOCKS, C4, FINEWEB, QUALITY, REPETITION, renamed
from fastwarc.warc import ArchiveIterator, WarcRecordType
from reference import CITATION
from resiliparse.extract.html2text import extract_plain_text

from pipeline.compat.datatrove import _verdicts, datatrove
from pipeline.errors import RecipeError, SourceError
from pipeline.filters.c4 import c4
from pipeline.filters.fineweb import fineweb
from pipeline.filters.gopher import gopher_quality
from pipeline.filters.repetition import gopher_repetition
from pipeline.job import Committed, TaskResult
from pipeline.kernels.unicode import END, SYMBOL, classes
from pipeline.recipe import parse_recipe
from pipeline.report import Report
from pipeline.schema import DOC
from pipeline.storage import Folder
from pipeline.worker import LocalStage

FORMATTERS = "datatrove.pipeline.formatters."


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


def test_an_edit_is_counted_where_the_document_is_kept() -> None:
    line = "Seven words stand here in this line.\n"
    docs, block = batch([f"{line}Too few\n" * 3, f"{line}Too few", "Four words stay here."]), BLOCKS + "C4QualityFilter"
    found = datatrove(docs, block=block, args={"min_num_sentences": 1, "min_words_per_line": 4}, words="whitespace")
    assert found.edits == {"edited": 2}
    found = datatrove(docs, block=block, args={"min_num_sentences": 2, "min_words_per_line": 4}, words="whitespace")
    assert found.reasons.to_pylist() == [None, *["datatrove:too_few_sentences"] * 2]
    assert found.edits == {"edited": 1}
    assert _verdicts([None, "datatrove:x", None], ["a", "b", "c"], ["A", "B", "c"]).edits == {"edited": 1}


MAIL = "Write to someone@mail.net or to other@mail.net today."


def test_a_formatter_edits_each_document_as_if_it_were_the_first() -> None:
    texts = ["someone@mail.net wrote.", "Nothing to hide.", MAIL, MAIL.replace("today", "now"), ""]
    found = datatrove(batch(texts), block=FORMATTERS + "PIIFormatter")
    masked = "Write to email@example.com or to firstname.lastname@example.org today."
    assert found.text.to_pylist() == ["email@example.com wrote.", None, masked, masked.replace("today", "now"), None]
    assert found.reasons.to_pylist() == [None] * 5
    assert found.edits == {"edited": 3}
    one = datatrove(batch(["someone@mail.net"]), block=FORMATTERS + "PIIFormatter", args={"email_replacement": "NAME", "remove_ips": False})
    assert one.text.to_pylist() == ["NAME"]


def test_a_text_that_a_formatter_takes_away_is_a_reason_in_the_stage(tmp_path: Path) -> None:
    with Folder(str(tmp_path)).sub("extract").parquet("web-00000.docs.parquet", DOC) as sink:
        sink.write(batch(["***\n---", "Words\n----\nand more."]))
    task = TaskResult("web-00000", (sink.entry(),), Report()).to_json()
    docs = Committed(Folder(str(tmp_path)).sub("extract"), {"stage": "extract-web", "tasks": [task], "fingerprint": "extract"})
    step = {"name": "datatrove", "args": {"block": FORMATTERS + "SymbolLinesFormatter"}}
    done = LocalStage(Folder(str(tmp_path / "out"))).run("filter", {"extract": docs}, steps=[step])
    assert done.folder.table("web-00000.docs.parquet")["text"].to_pylist() == ["Words\nand more."]
    assert done.report.dropped == {("web", "datatrove:empty"): 1}
    assert done.report.counts["web", "datatrove.edited"] == 2


def test_a_block_that_draws_draws_by_document() -> None:
    docs = batch([f"number {n}" for n in range(300)])
    drawn = [datatrove(part, block=BLOCKS + "SamplerFilter", args={"rate": 0.3}).reasons for part in (docs, docs[:100], docs[100:])]
    assert drawn[0].to_pylist() == drawn[1].to_pylist() + drawn[2].to_pylist()
    assert 60 < drawn[0].null_count < 120
    other = datatrove(docs, block=BLOCKS + "SamplerFilter", args={"rate": 0.3, "seed": 1}).reasons
    assert other.to_pylist() != drawn[0].to_pylist()


RECIPE = """\
name: tiny
sources:
  web:
    share: 1
    inputs:
      - fetch: {files: {paths: [web]}}
        read: any
    filters:
      - datatrove: {block: datatrove.pipeline.filters.GopherQualityFilter, args: {min_doc_words: 3}, words: whitespace}
      - datatrove: {block: datatrove.pipeline.filters.FineWebQualityFilter, words: whitespace}
      - datatrove: {block: datatrove.pipeline.formatters.PIIFormatter}
"""


def test_a_recipe_names_blocks_and_keeps_their_reasons() -> None:
    steps = parse_recipe(RECIPE, "tiny.yaml").sources[0].filters
    docs = batch(["Two words", "##### one two three #####", f"{MAIL} " * 5, "menu\nof\nshort\nlines"])
    quality, fineweb_quality, masked = (step(docs) for step in steps)
    assert quality.reasons.to_pylist()[:2] == ["datatrove:gopher_short_doc", "datatrove:gopher_too_many_hashes"]
    assert fineweb_quality.reasons.to_pylist()[3] == "datatrove:line_punct_ratio"
    assert "someone" not in masked.text[2].as_py()


def test_packages_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from datatrove.utils import _import_utils, word_tokenizers

    monkeypatch.setattr(_import_utils, "_is_package_available", lambda name: False)
    with pytest.raises(SourceError, match=r"FTFYFormatter needs what is not installed: .*pip install ftfy"):
        datatrove(batch(["a"]), block=FORMATTERS + "FTFYFormatter")
    tokenizers = dict.fromkeys(word_tokenizers.load_tokenizer_assignments(), partial(word_tokenizers.NLTKTokenizer, "english"))
    monkeypatch.setattr(word_tokenizers, "load_tokenizer_assignments", lambda: tokenizers)
    with pytest.raises(SourceError, match=r"needs what is not installed: .*`nltk`.*or set `words: whitespace`"):
        datatrove(batch(["some words"]), block=BLOCKS + "GopherQualityFilter", args={"max_doc_words": 77})


@pytest.mark.parametrize(
    ("block", "args", "message"),
    [
        ("GopherQualityFilter", {"min_words": 3}, r"GopherQualityFilter refuses its args \(.*'min_words'\); it takes min_doc_words, max"),
        ("RegexFilter", {}, "refuses its args .*'regex_exp'"),
        ("RegexFilter", {"regex_exp": "("}, "refuses its args .*missing"),
        ("base_filter.BaseFilter", {}, "refuses its args .*abstract"),
    ],
)
def test_args_that_a_block_refuses_are_named(block: str, args: dict[str, object], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        datatrove(batch([]), block=BLOCKS + block, args=args)


def test_a_wrong_block_is_a_mistake_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match=r"line \d+: .*'datatrove': there is no block 'datatrove\.pipeline\.filters\.Nope'"):
        parse_recipe(RECIPE.replace("FineWebQualityFilter", "Nope"), "tiny.yaml")


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
