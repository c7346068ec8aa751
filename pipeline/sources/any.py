"""The reader "any": the user's own files, each read by the reader its name calls for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from pipeline import registry
from pipeline.contracts import InputFile, RawDocument
from pipeline.registry import reader
from pipeline.sources.archives import ARCHIVES, uncompressed_name
from pipeline.sources.formats import guess
from pipeline.sources.table import NoColumn
from pipeline.sources.uncompressed import uncompressed

#: In place of a reader: the outermost element says which.
XML = "xml"

#: Which reader takes files of a name (in small letters, its compression's suffix taken off), the first that fits; others go to "pages".
READERS = {
    "*.warc": "warc",
    "*.wet": "warc",
    "*.jsonl": "jsonl",
    "*.ndjson": "jsonl",
    "*.parquet": "table",
    "*.arrow": "table",
    "*.feather": "table",
    "*.xml": XML,
    "*.nxml": XML,
    "*.xml-p*p*": XML,
}

#: Which reader takes XML whose outermost element has this name; other XML (a pom.xml, a feed) is read by none.
ROOTS = {"mediawiki": "mediawiki", "article": "jats", "posts": "stackexchange"}

#: What stands before the outermost element (declaration, comments, document type), and the element's name.
_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)*+<([A-Za-z_][\w.:-]*)", re.DOTALL)

#: Bytes of a file in which its outermost element is looked for.
_HEAD = 1 << 16


@reader("any")
def any_(file: InputFile) -> Iterator[RawDocument]:
    """Web archives, JSON lines, tables, dumps, archives of pages, single pages: told apart by the file's name, XML by its root.

    A file of no known kind (a picture in the folder, a pom.xml), a table without a column "text", or a file in which nothing
    is found, is one document of the format "invalid", so that it is counted.
    """
    name = uncompressed_name(file.name).lower()
    chosen = next((reader for glob, reader in READERS.items() if fnmatchcase(name, glob)), "pages")
    if chosen == XML:
        chosen = ROOTS.get(_root(file), "")
    if not chosen or (chosen == "pages" and guess(name) is None and not name.endswith(ARCHIVES)):
        yield _nothing("unknown_kind")
        return
    why = "nothing_readable_inside"
    empty = True
    try:
        for document in registry.lookup("reader", chosen).function(file):
            empty = False
            yield document
    except NoColumn:  # known before the first row
        why = "no_text_column"
    if empty:
        yield _nothing(why)


def _root(file: InputFile) -> str:
    """The name of the outermost element, "" when none is found where one should be."""
    with uncompressed(file) as stream:
        found = _ROOT.match(stream.read(_HEAD))
    return found[1].decode("utf-8", "replace") if found else ""


def _nothing(reason: str) -> RawDocument:
    return RawDocument("", b"", "invalid", meta={"reason": reason})
