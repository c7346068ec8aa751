"""The readers "gutenberg" and "jats"."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from archive_kit import COMPRESS, input_file, tar

from pipeline.contracts import RawDocument
from pipeline.sources.gutenberg import gutenberg
from pipeline.sources.jats import jats

HEADER = """\ufeffThe Project Gutenberg EBook of L'été, by Renée\r
\r
Title: L'été\r
       A subtitle\r
Author: Renée\r
Release Date: {date} [EBook #123]\r
Language: French\r
Character set encoding: {charset}\r
\r
*** START OF THIS PROJECT GUTENBERG EBOOK L'ÉTÉ ***\r
"""


@pytest.mark.parametrize("charset", ["UTF-8", "ISO-8859-1"])
def test_a_books_header(tmp_path: Path, charset: str) -> None:
    content = HEADER.format(date="June 5, 2008", charset=charset).lstrip("\ufeff").encode(charset)
    (tmp_path / "123.txt.gz").write_bytes(gzip.compress(content))
    meta = {"title": "L'été", "author": "Renée", "ebook": "123", "charset": charset}
    expected = RawDocument("", content, "gutenberg", "https://www.gutenberg.org/ebooks/123", "fr", date="2008-06-05", meta=meta)
    assert list(gutenberg(input_file(tmp_path / "123.txt.gz"))) == [expected]


@pytest.mark.parametrize(
    ("date", "iso"), [("July, 1991", "1991-07"), ("March 20, 2006", "2006-03-20"), ("1992", None), ("Foo 3, 20", None)]
)
def test_dates_of_a_header(tmp_path: Path, date: str, iso: str | None) -> None:
    (tmp_path / "x.txt").write_bytes(HEADER.format(date=date, charset="x").encode())
    (book,) = gutenberg(input_file(tmp_path / "x.txt"))
    assert book.date == iso


def test_old_headers_and_none(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"**The Project Gutenberg Etext of X** [Etext #77]\nThis header should be the first thing seen")
    assert [book.url for book in gutenberg(input_file(tmp_path / "x.txt"))] == ["https://www.gutenberg.org/ebooks/77"]
    (tmp_path / "y.txt").write_bytes(b"No header at all.")
    assert list(gutenberg(input_file(tmp_path / "y.txt"))) == [RawDocument("", b"No header at all.", "gutenberg", meta={})]


def test_archives_of_books_and_articles(tmp_path: Path) -> None:
    files = {"a/1.txt": b"one", "a/readme.txt": b"no", "a/2.txt.gz": gzip.compress(b"two"), "b/x.nxml": b"<article/>", "b/y.pdf": b"%PDF"}
    (tmp_path / "all.tar.gz").write_bytes(COMPRESS[".gz"](tar(files)))
    file = input_file(tmp_path / "all.tar.gz")
    assert [(book.locator, book.content) for book in gutenberg(file)] == [("a/1.txt", b"one"), ("a/2.txt", b"two")]
    assert list(jats(file)) == [RawDocument("b/x.nxml", b"<article/>", "jats")]


def test_a_single_article_and_a_damaged_member(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_bytes(b"<article/>")
    assert list(jats(input_file(tmp_path / "x.xml"))) == [RawDocument("", b"<article/>", "jats")]
    (tmp_path / "x.tar").write_bytes(tar({"a.nxml.gz": gzip.compress(b"<article/>" * 99)[:-9]}))
    (found,) = jats(input_file(tmp_path / "x.tar"))
    assert (found.meta or {})["unreadable"]
