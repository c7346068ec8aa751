"""The reader "pages": every file of an archive is a document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pipeline.contracts import InputFile, RawDocument
from pipeline.registry import reader
from pipeline.sources.archives import Member, members
from pipeline.sources.formats import Kind, guess


@reader("pages")
def pages(
    file: InputFile,
    *,
    select: Sequence[str] = ("*",),
    skip: Sequence[str] = (),
    format: str | None = None,  # noqa: A002 - the recipe's word for it
    language: str | None = None,
    lang: str | None = None,
    split: str | None = None,
    max_member_bytes: int = 256 << 20,
) -> Iterator[RawDocument]:
    """One document for each file of an archive (or for a plain file), whatever its compression.

    `select` and `skip` are globs on the whole path, in which `*` also matches "/". `format` names the extractor; None
    tells it by the suffix (sources/formats.py) and passes over what it doesn't know, such as pictures. `language` is
    that of code, `lang` that of prose. `split` is a regular expression (of whole bytes, ^ matches at each line) at
    whose matches a file is cut into documents "NAME#0", "NAME#1" ... A member whose own compression is damaged is a
    document of the format "invalid".
    """
    cut = re.compile(split.encode(), re.MULTILINE) if split else None
    known = None if format else (lambda name: guess(name) is not None)
    for member in members(file, select, skip, known=known, max_member_bytes=max_member_bytes):
        kind = guess(member.name) or Kind(format or "")
        kind = kind._replace(format=format or kind.format, language=language or kind.language, lang=lang or kind.lang)
        if cut is None or member.broken:
            yield _document(member, kind, member.data, "")
            continue
        for index, piece in enumerate(_pieces(cut, member.data)):
            yield _document(member, kind, piece, f"#{index}")


def _document(member: Member, kind: Kind, content: bytes, mark: str) -> RawDocument:
    locator = (member.name if member.inside else "") + mark
    if member.broken:
        return RawDocument(locator, b"", "invalid", meta={"reason": "bad_compression", "cause": member.broken})
    facts = {"path": member.name, "language": kind.language} if kind.format == "code" else {"charset": kind.charset}
    return RawDocument(locator, content, kind.format, lang=kind.lang, meta={key: fact for key, fact in facts.items() if fact})


def _pieces(cut: re.Pattern[bytes], data: bytes) -> Iterator[bytes]:
    """`data` in pieces that each begin at a match; what stands before the first match is a piece unless it is blank."""
    starts = [0, *(match.start() for match in cut.finditer(data)), len(data)]
    for start, end in pairwise(starts):
        if piece := data[start:end].strip():
            yield piece
