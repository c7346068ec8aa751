"""The reader "any": the user's own files, each read by the reader its name calls for."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pipeline import registry
from pipeline.contracts import InputFile, RawDocument
from pipeline.registry import reader
from pipeline.sources.archives import ARCHIVES, uncompressed_name
from pipeline.sources.formats import guess

#: Which reader takes files of a name (its compression's suffix taken off); all others go to "pages".
READERS = {
    "*.warc": "warc",
    "*.wet": "warc",
    "*.jsonl": "jsonl",
    "*.ndjson": "jsonl",
    "*.xml": "mediawiki",
    "*.xml-p*p*": "mediawiki",
}


@reader("any")
def any_(file: InputFile) -> Iterator[RawDocument]:
    """Web archives, JSON lines, wiki dumps, archives of pages, single pages: told apart by the file's name.

    A file of no known kind (a picture in the folder) is one document of the format "invalid", so that it is counted.
    """
    name = uncompressed_name(file.name).lower()
    chosen = next((reader for glob, reader in READERS.items() if fnmatchcase(name, glob)), "pages")
    if chosen == "pages" and guess(name) is None and not name.endswith(ARCHIVES):
        yield RawDocument("", b"", "invalid", meta={"reason": "unknown_kind"})
        return
    yield from registry.lookup("reader", chosen).function(file)
