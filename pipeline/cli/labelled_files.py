"""Files of texts that somebody has labelled: lines of text, JSON lines, CSV, Parquet and Arrow, plain or compressed."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.classifying import NEGATIVE, POSITIVE
from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.sources.archives import uncompressed_name
from pipeline.sources.jsonl import jsonl
from pipeline.sources.table import table
from pipeline.sources.uncompressed import uncompressed
from pipeline.storage import expand

#: What people write in a column of labels.
WRITTEN = {**dict.fromkeys(("positive", "1", "true", "yes"), POSITIVE), **dict.fromkeys(("negative", "0", "false", "no"), NEGATIVE)}


class Labelled(NamedTuple):
    """A text and its label."""

    label: str
    text: str


def read_labelled(paths: Sequence[str], text: str, *, label: str | None = None, label_column: str | None = None) -> Iterator[Labelled]:
    """The texts of files, folders and globs, all of one `label`, or each of that in its `label_column`.

    Rows without a text, lines that are no JSON and empty texts are passed over. Raises SourceError for a file of no known kind,
    without the columns, or with a label that isn't known.
    """
    for path in expand(paths) if paths else ():
        for row in _rows(InputFile(os.path.basename(path), path, "", 0), text, label_column):
            if row.format == "invalid" or not row.content.strip():
                continue
            yield Labelled(label or _label(row, path, label_column), row.content.decode("utf-8", "replace"))


def _rows(file: InputFile, text: str, label_column: str | None) -> Iterator[RawDocument]:
    name, meta = uncompressed_name(file.name).lower(), [label_column] if label_column else []
    if name.endswith((".jsonl", ".ndjson")):
        return jsonl(file, text=text, meta=meta)
    if name.endswith((".parquet", ".arrow", ".feather")):
        return table(file, text=text, meta=meta)
    if name.endswith(".csv"):
        return _csv(file, text, label_column)
    if name.endswith(".txt") and not label_column:
        return _lines(file)
    kinds = "JSON lines, CSV, Parquet and Arrow" if label_column else "text (one a line), JSON lines, CSV, Parquet and Arrow"
    raise SourceError(f"{file.path}: labelled texts are read from {kinds}, told by the file's name")


def _lines(file: InputFile) -> Iterator[RawDocument]:
    with uncompressed(file) as stream:
        for number, line in enumerate(stream):
            yield RawDocument(f"{number}", line.strip(), "text")


def _csv(file: InputFile, text: str, label_column: str | None) -> Iterator[RawDocument]:
    with uncompressed(file) as stream:
        rows = csv.DictReader(io.TextIOWrapper(stream, "utf-8", "replace", newline=""))
        missing = [name for name in (text, label_column) if name and name not in (rows.fieldnames or ())]
        if missing:
            raise SourceError(f"{file.path} has no column {missing[0]!r}; it has {', '.join(rows.fieldnames or ())}")
        for number, row in enumerate(rows):
            meta = {label_column: row[label_column]} if label_column else None
            yield RawDocument(f"{number}", (row[text] or "").encode(), "text", meta=meta)


def _label(row: RawDocument, path: str, column: str | None) -> str:
    value = (row.meta or {}).get((column or "").rpartition(".")[2])
    known = WRITTEN.get(str(value).strip().lower())
    if known is None:
        raise SourceError(f"{path}, row {row.locator}: the label {value!r} of {column!r} is none of {', '.join(WRITTEN)}")
    return known
