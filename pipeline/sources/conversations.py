"""The reader "conversations": instruction data in the formats that people publish, one document for each conversation."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from pipeline.chats.detect import FORMATS, LOOKED_AT, by_name, detect
from pipeline.chats.rows import Chat, ChatFormat, Options, Refused
from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.registry import did_you_mean, reader
from pipeline.sources.json_lines import json_lines
from pipeline.sources.streams import opened
from pipeline.sources.table import batches
from pipeline.sources.uncompressed import uncompressed

#: Rows that are kept while some are sought that can be read.
_MOST_LOOKED_AT = 1000


class _Item(NamedTuple):
    """A row of a file: its locator, and the row, or why there is none."""

    locator: str
    row: dict[str, Any] | None
    reason: str = ""
    content: bytes = b""


@reader("conversations", 2)
def conversations(
    file: InputFile,
    *,
    format: str = "auto",  # noqa: A002 - the recipe's word for it
    paths: Literal["best", "all"] = "best",
    preference: Literal["chosen", "rejected", "both"] = "chosen",
    annotations: Literal["keep", "strip"] = "keep",
    max_bytes: int = 1 << 30,
) -> Iterator[RawDocument]:
    """The conversations of JSON lines, a JSON array, or Parquet, plain or compressed.

    `format` is one of pipeline/chats (messages, sharegpt, alpaca, dolly, self_instruct, prompt_completion, inputs_targets,
    question_answer, oasst, dialogue, preference, ...), or told by the first rows; the meta says which ("chat_format"). `paths` of a
    tree: from the prompt along the best ranked replies, or all. `preference`: which answer of a pair. `annotations`: whether a
    calculator's notes stay in answers. A row that gives no conversation is of the format "invalid", with its reason. A JSON array, and
    a line, may have `max_bytes`. Raises SourceError naming the keys that are there when no format fits.
    """
    rows = _rows(file, max_bytes)
    first = _first(rows)
    chosen = _chosen(file, format, first)
    if chosen is None:  # nothing but rows that can't be read
        yield from (_invalid(item, item.reason or "bad_json") for item in itertools.chain(first, rows))
        return
    options = Options(paths, preference, annotations)
    for item in itertools.chain(first, rows):
        yield from _documents(item, chosen, options)


def _first(rows: Iterator[_Item]) -> list[_Item]:
    """Rows from the beginning until LOOKED_AT of them could be read."""
    first: list[_Item] = []
    readable = 0
    for item in rows:
        first.append(item)
        readable += item.row is not None
        if readable == LOOKED_AT or len(first) == _MOST_LOOKED_AT:
            break
    return first


def _chosen(file: InputFile, name: str, first: list[_Item]) -> ChatFormat | None:
    rows = [item.row for item in first if item.row is not None]
    if name != "auto":
        known = by_name(name)
        if known is None:
            raise SourceError(f"no format of conversations is called {name!r}{did_you_mean(name, [item.name for item in FORMATS])}")
        return known
    found = detect(rows)
    if found is None and rows:
        keys = sorted({key for row in rows for key in row})
        raise SourceError(
            f"{file.name} ({file.path}) is in no format that is known here; its rows have {', '.join(keys[:20])}: name its `format`"
        )
    return found


def _documents(item: _Item, chosen: ChatFormat, options: Options) -> Iterator[RawDocument]:
    if item.row is None:
        yield _invalid(item, item.reason)
        return
    if not chosen.fits(item.row):
        yield _invalid(item, f"not_{chosen.name}")
        return
    try:
        chats = chosen.read(item.row, options)
    except Refused as refused:
        yield _invalid(item, str(refused))
        return
    for number, chat in enumerate(chats, start=1):
        yield _document(f"{item.locator}#{number}" if len(chats) > 1 else item.locator, chat, chosen.name)


def _document(locator: str, chat: Chat, name: str) -> RawDocument:
    content = {"messages": chat.messages, **({"tools": chat.tools} if chat.tools is not None else {})}
    about = {"chat_format": name, **{key: value for key, value in chat.about.items() if value is not None}}
    # Dates and bytes, which Parquet has and JSON hasn't, stand beside messages: nothing that a conversation keeps.
    return RawDocument(locator, json.dumps(content, default=str).encode(), "conversation", lang=chat.lang, meta=about)


def _invalid(item: _Item, reason: str) -> RawDocument:
    content = item.content if item.row is None else json.dumps(item.row, default=str).encode()
    return RawDocument(item.locator, content, "invalid", meta={"reason": reason})


def _rows(file: InputFile, max_bytes: int) -> Iterator[_Item]:
    with opened(file) as raw:
        magic = raw.read(4)
    if magic == b"PAR1":
        yield from _parquet(file)
        return
    with uncompressed(file) as stream:
        head = stream.peek(64)[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
        if head.startswith(b"["):
            yield from _array(file, stream.read(max_bytes + 1), max_bytes)
            return
        for line in json_lines(stream, max_bytes):
            locator = f"row-{line.number}"
            yield _Item(locator, None, "too_large") if line.too_large else _item(locator, line.data)


def _item(locator: str, line: bytes) -> _Item:
    try:
        row = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError:
        return _Item(locator, None, "undecodable", line)
    except (ValueError, RecursionError):
        return _Item(locator, None, "bad_json", line)
    return _Item(locator, row) if isinstance(row, dict) else _Item(locator, None, "bad_json", line)


def _array(file: InputFile, data: bytes, max_bytes: int) -> Iterator[_Item]:
    """The objects of a JSON array; where it breaks, what is left of it is one row that can't be read."""
    if len(data) > max_bytes:
        raise SourceError(f"{file.name} ({file.path}) is a JSON array above max_bytes={max_bytes}: make it JSON lines (jq -c '.[]')")
    text = data.decode("utf-8-sig", "replace")
    decoder, place, number = json.JSONDecoder(), text.index("[") + 1, 0
    while True:
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        if text[place : place + 1] == "]" and not text[place + 1 :].strip():
            return
        number += 1
        try:
            row, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            yield _Item(f"row-{number}", None, "bad_json", text[place:].encode())
            return
        broken = not isinstance(row, dict)
        yield _Item(f"row-{number}", None, "bad_json", json.dumps(row).encode()) if broken else _Item(f"row-{number}", row)


def _parquet(file: InputFile) -> Iterator[_Item]:
    with opened(file) as stream:
        rows = (row for batch in batches(stream, file) for row in batch.to_pylist())
        yield from (_Item(f"row-{number}", row) for number, row in enumerate(rows, start=1))
