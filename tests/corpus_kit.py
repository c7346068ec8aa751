"""Texts of the development corpus as they lie there, for tests that only need much real text of every kind."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from fastwarc.warc import ArchiveIterator
from resiliparse.extract.html2text import extract_plain_text

SOURCES = ("web", "books", "wikipedia", "code", "academic", "curated")


def read_texts(corpus: Path, source: str) -> Iterator[str]:
    """The texts of a source that are UTF-8 and not empty."""
    files = {"web": "recipes.warc.gz", "books": "*.txt.gz", "wikipedia": "*.jsonl.gz"}.get(source, "*.tar.gz")
    reader = {"web": _web, "books": _books, "wikipedia": _wikipedia}.get(source, _archive)
    for path in sorted((corpus / source).glob(files)):
        for data in reader(path):
            try:
                text = data.decode()
            except UnicodeDecodeError:
                continue
            if text.strip():
                yield text


def _web(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            if record.headers.get("WARC-Type") == "response":
                page = record.reader.read().decode(errors="replace")
                yield extract_plain_text(page, main_content=True).encode()


def _books(path: Path) -> Iterator[bytes]:
    yield gzip.decompress(path.read_bytes())


def _wikipedia(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line).get("text", "").encode()


def _archive(path: Path) -> Iterator[bytes]:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and 500 < member.size < 1_000_000:
                yield archive.extractfile(member).read()  # type: ignore[union-attr]
