"""The reader "stardict": StarDict dictionaries (.ifo, .idx, .dict), whose entries are often one line each."""

from __future__ import annotations

import html
import re
import struct
from collections.abc import Iterator
from itertools import islice

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.registry import reader
from pipeline.sources.dictionaries import databases, entry

#: Types of entries (`sametypesequence`): plain texts, and marked up ones whose tags are taken out.
PLAIN = ("m", "l", "t", "y")
MARKED_UP = ("g", "h", "x")


@reader("stardict")
def stardict(file: InputFile, *, per_document: int = 25, lang: str | None = None) -> Iterator[RawDocument]:
    """Documents of `per_document` neighbouring entries, one "word: meaning" per line, as UTF-8 of format "text".

    Entries of one line are too short to be documents of their own. Raises SourceError for a dictionary whose entries
    are not texts of one type.
    """
    for name, (ifo, idx, text) in databases(file, (".ifo", ".idx", ".dict")):
        facts = dict(line.split("=", 1) for line in ifo.decode("utf-8", "replace").splitlines() if "=" in line)
        kind = facts.get("sametypesequence", "")
        if kind not in PLAIN + MARKED_UP:
            raise SourceError(f"{file.name}: {name} has entries of type {kind!r}; readable are {', '.join(PLAIN + MARKED_UP)}")
        words = _words(idx, ">Q" if facts.get("idxoffsetbits") == "64" else ">L", f"{file.name}: {name}")
        lines = (f"{word}: {_meaning(entry(text, offset, size, f'{file.name}: {name}'), kind)}" for word, offset, size in words)
        number = 0
        while group := list(islice(lines, per_document)):
            title = group[0].partition(":")[0]
            yield RawDocument(f"{name}/{number:06d}", "\n".join(group).encode(), "text", lang=lang, meta={"title": title})
            number += 1


def _words(idx: bytes, offset_type: str, name: str) -> Iterator[tuple[str, int, int]]:
    """Word, offset and size of each entry."""
    numbers = struct.Struct(offset_type + "L")
    at = 0
    while at < len(idx):
        end = idx.find(b"\0", at)
        if end < 0 or end + 1 + numbers.size > len(idx):
            raise SourceError(f"{name}: the index is cut short at byte {at}")
        yield idx[at:end].decode("utf-8", "replace"), *numbers.unpack_from(idx, end + 1)
        at = end + 1 + numbers.size


def _meaning(data: bytes, kind: str) -> str:
    text = data.decode("utf-8", "replace")
    if kind in MARKED_UP:
        text = html.unescape(re.sub(r"<[^<>]*>", "", text))
    return " ".join(text.split())
