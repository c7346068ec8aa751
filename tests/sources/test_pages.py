"""The readers "pages" and "any": archives and files as documents."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from archive_kit import deb, input_file, tar
from pyarrow import feather
from pyarrow import parquet as pq

from pipeline import registry
from pipeline.contracts import InputFile, RawDocument
from pipeline.sources.any import READERS, ROOTS, XML, any_
from pipeline.sources.pages import pages

TREE = {
    "doc/index.html": b"<p>Start</p>",
    "doc/logo.png": b"\x89PNG",
    "doc/page.html.fr.utf8": b"<p>Fin</p>",
    "man/man7/well.7.gz": gzip.compress(b".TH WELL 7"),
    "src/lib.rs": b"fn main() {}",
    "include/Dense": b"#pragma once",
}


@pytest.fixture
def tree(tmp_path: Path) -> InputFile:
    (tmp_path / "tree.deb").write_bytes(deb(TREE))
    return input_file(tmp_path / "tree.deb", "deb:tree")


def test_each_file_of_a_known_kind_is_a_document(tree: InputFile) -> None:
    assert list(pages(tree)) == [
        RawDocument("doc/index.html", b"<p>Start</p>", "html", meta={}),
        RawDocument("doc/page.html.fr.utf8", b"<p>Fin</p>", "html", lang="fr", meta={"charset": "utf8"}),
        RawDocument("man/man7/well.7", b".TH WELL 7", "man", meta={}),
        RawDocument("src/lib.rs", b"fn main() {}", "code", meta={"path": "src/lib.rs", "language": "Rust"}),
    ]


def test_a_stated_format_holds_for_all_that_is_selected(tree: InputFile) -> None:
    (document,) = pages(tree, select=["include/*"], format="code", language="C++", lang="en")
    assert document == RawDocument("include/Dense", b"#pragma once", "code", lang="en", meta={"path": "include/Dense", "language": "C++"})
    assert {document.format for document in pages(tree, format="text")} == {"text"}
    assert len(list(pages(tree, format="text"))) == len(TREE)


def test_a_stated_language_goes_before_the_names(tree: InputFile) -> None:
    assert [document.lang for document in pages(tree, select=["doc/*"], lang="de")] == ["de", "de"]


def test_a_single_file_has_no_locator(tmp_path: Path) -> None:
    (tmp_path / "tale.md.gz").write_bytes(gzip.compress(b"# Once"))
    assert list(pages(input_file(tmp_path / "tale.md.gz"))) == [RawDocument("", b"# Once", "markdown", meta={})]


def test_a_file_is_cut_where_the_expression_matches(tmp_path: Path) -> None:
    book = b"\n\nPreface.\n\\chapter{One}\nA \\chapter.\n\\chapter{Two}\nB.\n"
    (tmp_path / "book.tar").write_bytes(tar({"book.tex": book}))
    cut = list(pages(input_file(tmp_path / "book.tar"), split=r"^\\chapter"))
    assert [(document.locator, document.content) for document in cut] == [
        ("book.tex#0", b"Preface."),
        ("book.tex#1", b"\\chapter{One}\nA \\chapter."),
        ("book.tex#2", b"\\chapter{Two}\nB."),
    ]
    assert [document.locator for document in pages(input_file(tmp_path / "book.tar"), split=r"^Preface")] == ["book.tex#0"]


@pytest.mark.parametrize("split", [None, "x"])
def test_a_damaged_member_is_an_invalid_document(tmp_path: Path, split: str | None) -> None:
    (tmp_path / "t").write_bytes(tar({"a.txt.gz": gzip.compress(b"lost" * 50)[:-9]}))
    (document,) = pages(input_file(tmp_path / "t"), split=split)
    assert (document.locator, document.format, document.content) == ("a.txt", "invalid", b"")
    assert document.meta
    assert document.meta["reason"] == "bad_compression"


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("crawl/CC-MAIN-1.warc.gz", "warc"),
        ("crawl/CC-MAIN-1.warc.wet.gz", "warc"),
        ("DATA.JSONL", "jsonl"),
        ("data.jsonl.zst", "jsonl"),
        ("data.ndjson.bz2", "jsonl"),
        ("train-00000-of-00002.parquet", "table"),
        ("data.arrow", "table"),
        ("tree.tar.gz", "pages"),
        ("tree.tgz", "pages"),
        ("tree.zip", "pages"),
        ("tale.txt.gz", "pages"),
        ("page.html", "pages"),
    ],
)
def test_any_chooses_the_reader_by_name(name: str, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(kind: str, chosen: str) -> registry.StepType:
        return registry.StepType(kind, chosen, 1, lambda file: iter([RawDocument(chosen, b"", "text")]))

    monkeypatch.setattr(registry, "lookup", lookup)
    assert next(any_(InputFile(name, name, "", 0))).locator == reader


WIKI, POSTS, ARTICLE = b"<mediawiki xml:lang='en'>", b"<posts>", b"<article dtd-version='1'>"


@pytest.mark.parametrize(
    ("name", "content", "reader"),
    [
        ("Posts.xml.gz", gzip.compress(b"\xef\xbb\xbf<?xml version='1.0'?>\n" + POSTS, mtime=0), "stackexchange"),
        ("PMC1234.nxml", b"<!DOCTYPE article PUBLIC 'a' 'b' [<!ELEMENT p (q)> ]>\n" + ARTICLE, "jats"),
        ("PMC1234.xml", b"<?xml version='1.0'?><!-- <posts> --><?style x?>" + ARTICLE, "jats"),
        ("blogposts.xml", WIKI, "mediawiki"),
        ("enwiki-pages-articles1.xml-p1p41242", WIKI, "mediawiki"),
        ("blogposts.xml", b"<blogposts><post>x</post></blogposts>", None),
        ("pom.xml", b"<?xml version='1.0'?><project xmlns='x'>", None),
        ("Users.xml", b"<users/>", None),
        ("empty.xml", b"", None),
        ("odd.xml", "<mediawiki/>".encode("utf-16"), None),
        ("long.xml", b"<?a?>" * 5000, None),
    ],
)
def test_any_tells_xml_by_its_outermost_element(
    tmp_path: Path, name: str, content: bytes, reader: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lookup(kind: str, chosen: str) -> registry.StepType:
        return registry.StepType(kind, chosen, 1, lambda file: iter([RawDocument(chosen, b"", "text")]))

    monkeypatch.setattr(registry, "lookup", lookup)
    (tmp_path / name).write_bytes(content)
    expected = RawDocument(reader, b"", "text") if reader else RawDocument("", b"", "invalid", meta={"reason": "unknown_kind"})
    assert list(any_(input_file(tmp_path / name))) == [expected]


def test_any_counts_xml_that_nothing_reads(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_bytes(b"<?xml version='1.0'?><project><name>x</name></project>")
    assert list(any_(input_file(tmp_path / "pom.xml"))) == [RawDocument("", b"", "invalid", meta={"reason": "unknown_kind"})]


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_any_counts_tables_without_a_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scores.{suffix}"
    scores = pa.table({"score": [1, 2]})
    pq.write_table(scores, path) if suffix == "parquet" else feather.write_feather(scores, path)
    assert list(any_(input_file(path))) == [RawDocument("", b"", "invalid", meta={"reason": "no_text_column"})]


def test_any_chooses_among_readers_that_there_are() -> None:
    assert {*READERS.values(), *ROOTS.values()} - {XML} <= set(registry.names("reader"))


def test_any_counts_files_of_no_known_kind(tmp_path: Path) -> None:
    (tmp_path / "photo.jpeg").write_bytes(b"\xff\xd8")
    assert list(any_(input_file(tmp_path / "photo.jpeg"))) == [RawDocument("", b"", "invalid", meta={"reason": "unknown_kind"})]


def test_any_counts_archives_in_which_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "photos.tar").write_bytes(tar({"photo.jpeg": b"\xff\xd8"}))
    (document,) = any_(input_file(tmp_path / "photos.tar"))
    assert document == RawDocument("", b"", "invalid", meta={"reason": "nothing_readable_inside"})


def test_any_reads_an_archive_through_the_registry(tree: InputFile, tmp_path: Path) -> None:
    assert list(any_(InputFile("tree.deb", tree.path, tree.sha256, tree.size))) == list(pages(tree))
