"""The reader "any": the user's own files, each read by the reader its name calls for."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pipeline import registry
from pipeline.contracts import InputFile, RawDocument
from pipeline.registry import reader
from pipeline.sources.archives import ARCHIVES, uncompressed_name
from pipeline.sources.formats import guess

#: Which reader takes files of a name (in small letters, its compression's suffix taken off), the first that fits; others go to "pages".
READERS = {
    "*.warc": "warc",
    "*.wet": "warc",
    "*.jsonl": "jsonl",
    "*.ndjson": "jsonl",
    "*.parquet": "table",
    "*.arrow": "table",
    "*.feather": "table",
    "*posts.xml": "stackexchange",
    "*.nxml": "jats",
    "*.xml": "mediawiki",
    "*.xml-p*p*": "mediawiki",
}


@reader("any")
def any_(file: InputFile) -> Iterator[RawDocument]:
    """Web archives, JSON lines, tables, dumps, archives of pages, single pages: told apart by the file's name.

    A file of no known kind (a picture in the folder), or one in which nothing is found, is one document of the format
    "invalid", so that it is counted.
    """
    name = uncompressed_name(file.name).lower()
    chosen = next((reader for glob, reader in READERS.items() if fnmatchcase(name, glob)), "pages")
    if chosen == "pages" and guess(name) is None and not name.endswith(ARCHIVES):
        yield _nothing("unknown_kind")
        return
    empty = True
    for document in registry.lookup("reader", chosen).function(file):
        empty = False
        yield document
    if empty:
        yield _nothing("nothing_readable_inside")


def _nothing(reason: str) -> RawDocument:
    return RawDocument("", b"", "invalid", meta={"reason": reason})
