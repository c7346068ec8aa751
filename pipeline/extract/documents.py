"""How every extractor walks a RAW batch: one document at a time, and what can't be read becomes a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipeline.contracts import Extracted

#: Descriptive columns of DOC that an extractor may find in a document.
_COLUMNS = ("url", "lang", "licence", "date")


class NoText(Exception):
    """A document has no text to give; the message is the reason it is counted under."""


@dataclass(frozen=True)
class Found:
    """The text of one document, and what the document says of itself; `about` goes into its `meta`."""

    text: str
    url: str | None = None
    lang: str | None = None
    licence: str | None = None
    date: str | None = None
    about: Mapping[str, str | int | None] = field(default_factory=dict)


def extracted(
    raw: pa.RecordBatch,
    read: Callable[[bytes, Mapping[str, Any]], Found],
    *,
    max_bytes: int,
    errors: tuple[type[Exception], ...] = (),
) -> Extracted:
    """`read(content, meta)` of every row of a RAW batch.

    Reasons: "too_large" above `max_bytes` of content, "empty" when no text is left, what a NoText says, and
    "raised_<error>" for the `errors` that the library behind `read` is known to raise.
    """
    found = [
        _one(content.as_py(), meta.as_py(), read, max_bytes, errors) for content, meta in zip(raw["content"], raw["meta"], strict=True)
    ]
    documents = [item if isinstance(item, Found) else None for item in found]
    facts = {name: _strings([getattr(document, name) if document else None for document in documents]) for name in _COLUMNS}
    facts["meta"] = _strings([_about(document) for document in documents])
    return Extracted(
        text=pa.array([document.text if document else None for document in documents], pa.large_string()),
        reasons=_strings([item if isinstance(item, str) else None for item in found]),
        facts={name: column for name, column in facts.items() if column.null_count < len(column)},
    )


def _one(
    content: bytes,
    meta: str | None,
    read: Callable[[bytes, Mapping[str, Any]], Found],
    max_bytes: int,
    errors: tuple[type[Exception], ...],
) -> Found | str:
    """The document, or the reason there is none."""
    if len(content) > max_bytes:
        return "too_large"
    known = json.loads(meta) if meta else {}
    if known.get("unreadable"):  # the reader couldn't undo the member's own compression
        return "unreadable"
    try:
        found = read(content, known)
    except NoText as no_text:
        return str(no_text)
    except errors as error:
        return f"raised_{type(error).__name__}"
    return found if found.text.strip() else "empty"


def _about(document: Found | None) -> str | None:
    known = {key: value for key, value in document.about.items() if value is not None} if document else {}
    return json.dumps(known, ensure_ascii=False, sort_keys=True) if known else None


def _strings(values: list[str | None]) -> pa.Array:
    return pa.array(values, pa.string())
