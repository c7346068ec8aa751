"""The reader "jsonl": one JSON object per line, plain or compressed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.registry import reader
from pipeline.sources.columns import Columns
from pipeline.sources.json_lines import json_lines
from pipeline.sources.uncompressed import uncompressed


@reader("jsonl")
def jsonl(
    file: InputFile,
    *,
    text: str = "text",
    format: str = "text",  # noqa: A002 - the recipe's word for it
    id: str | None = None,  # noqa: A002
    url: str | None = "url",
    lang: str | None = None,
    licence: str | None = None,
    date: str | None = None,
    meta: Sequence[str] = (),
    max_line_bytes: int = 256 << 20,
) -> Iterator[RawDocument]:
    """One document for each line; the keys name columns (see Columns; "a.b" is b in the object a).

    A line that is no JSON object, or is longer than `max_line_bytes`, is a document of the format "invalid" ("bad_json",
    "too_large"); an object without the text is "no_text". A file that is one JSON array is a SourceError.
    """
    columns = Columns(text, format, id, url, lang, licence, date, meta)
    with uncompressed(file) as stream:
        if stream.peek(1)[:1] == b"[":
            raise SourceError(f"{file.name} ({file.path}) is a JSON array; one object per line is needed (jq -c '.[]' makes it so)")
        for line in json_lines(stream, max_line_bytes):
            yield _invalid(line.number, b"", "too_large") if line.too_large else _document(line.data, line.number, columns)


def _document(line: bytes, number: int, columns: Columns) -> RawDocument:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return _invalid(number, line, "bad_json")
    return columns.document(row, number) if isinstance(row, dict) else _invalid(number, line, "bad_json")


def _invalid(number: int, line: bytes, reason: str) -> RawDocument:
    return RawDocument(f"row-{number}", line, "invalid", meta={"reason": reason})
