"""Rows of tables as documents: which column holds what. Shared by the readers of JSON lines, tables and datasets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.contracts import RawDocument
from pipeline.schema import sound


class Columns(NamedTuple):
    """The columns that are read; a dot leads into a nested object ("metadata.url").

    `text` is read by the extractor `format`; a column of bytes is taken as it is. Without an `id` column, the locator
    is the row's number. `meta` are columns that go into the document's meta, by their last name.
    """

    text: str
    format: str
    id: str | None
    url: str | None
    lang: str | None
    licence: str | None
    date: str | None
    meta: Sequence[str]

    def roots(self) -> list[str]:
        """The top-level columns that are needed."""
        named = (self.text, self.id, self.url, self.lang, self.licence, self.date, *self.meta)
        return list(dict.fromkeys(name.partition(".")[0] for name in named if name))

    def document(self, row: Mapping[str, Any], number: int) -> RawDocument:
        """The document of a row; one without a text is of the format "invalid"."""
        locator = _text(_at(row, self.id)) or f"row-{number}"
        value = _at(row, self.text)
        if not isinstance(value, str | bytes):
            return RawDocument(locator, b"", "invalid", meta={"reason": "no_text"})
        meta = {name.rpartition(".")[2]: _scalar(_at(row, name)) for name in self.meta}
        return RawDocument(
            locator,
            value if isinstance(value, bytes) else sound(value).encode(),
            self.format,
            url=_text(_at(row, self.url)),
            lang=_text(_at(row, self.lang)),
            licence=_text(_at(row, self.licence)),
            date=_text(_at(row, self.date)),
            meta={key: fact for key, fact in meta.items() if fact is not None},
        )


def _at(row: Mapping[str, Any], path: str | None) -> Any:
    """The value at a dotted path, or None; a column whose own name has the dot goes first."""
    if path is None or path in row:
        return row.get(path) if path else None
    value: Any = row
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str | None:
    return None if value is None else sound(str(value)) or None


def _scalar(value: Any) -> str | int | float | None:
    if isinstance(value, str):
        return sound(value)
    if value is None or isinstance(value, int | float):
        return value
    return sound(json.dumps(value, sort_keys=True, default=str))
