"""The reader "jats": articles in the journals' XML (PubMed Central's archives, or single .nxml and .xml files)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.contracts import InputFile, RawDocument
from pipeline.registry import reader
from pipeline.sources.archives import members


@reader("jats")
def jats(
    file: InputFile, *, select: Sequence[str] = ("*.nxml", "*.xml"), skip: Sequence[str] = (), max_member_bytes: int = 64 << 20
) -> Iterator[RawDocument]:
    """One document for each XML file; what it is and says of itself is the extractor's to find. Locator: the path."""
    for member in members(file, select, skip, max_member_bytes=max_member_bytes):
        meta = {"unreadable": member.broken} if member.broken else None
        yield RawDocument(member.name if member.inside else "", member.data, "jats", meta=meta)
