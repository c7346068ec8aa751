"""Conversations as plain messages, for people who train elsewhere: JSON lines or Parquet, as TRL and others load them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.conversations import messages_of
from pipeline.errors import ShardError
from pipeline.registry import export
from pipeline.shards.read import open_dataset
from pipeline.shards.run_of import packed_documents, run_of
from pipeline.storage import Folder

_CALL = pa.struct(
    [("id", pa.string()), ("type", pa.string()), ("function", pa.struct([("name", pa.string()), ("arguments", pa.string())]))]
)
#: Rows of a Parquet row group.
GROUP_ROWS = 4096


@export("messages")
def export_messages(dataset: Folder, target: Folder, *, form: Literal["jsonl", "parquet"] = "jsonl") -> None:
    """Write SPLIT.jsonl or SPLIT.parquet: the conversations of a split's shards, each once and whole, as lists of role and content.

    Columns: `messages` (with `tool_calls` where there are any), `tools` (JSON) where there are any, and id, source, licence, url. Read from
    the run's documents, so the dataset must lie in its run's folder. ShardError when it holds no conversation.
    """
    opened = open_dataset(dataset)
    run = run_of(opened)
    rows = [row for batch in packed_documents(opened, run, _COLUMNS) for row in _rows(batch)]
    if not rows:
        raise ShardError(f"{dataset.url} holds no conversation: there are no messages to export")
    with target.create(f"{opened.manifest.split}.{form}") as file:
        if form == "jsonl":
            for row in rows:
                file.write(f"{json.dumps(_lean(row), ensure_ascii=False)}\n".encode())
            return
        schema = _schema(rows)
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for start in range(0, len(rows), GROUP_ROWS):
                writer.write_table(pa.Table.from_pylist([_flat(row) for row in rows[start : start + GROUP_ROWS]], schema=schema))


_COLUMNS = ["text", "turns", "tools", "source", "licence", "url"]


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """The conversations of a batch; texts that are none are passed over."""
    for row in batch.to_pylist():
        if row["turns"] is not None:
            messages = [message.as_json() for message in messages_of(row["text"], row["turns"])]
            tools = json.loads(row["tools"]) if row["tools"] else None
            yield {"messages": messages, "tools": tools, **{name: row[name] for name in ("id", "source", "licence", "url")}}


def _lean(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}


def _schema(rows: list[dict[str, Any]]) -> pa.Schema:
    """Columns of tools only where there are tools: a loader takes the others as they are."""
    calling = any("tool_calls" in message for row in rows for message in row["messages"])
    message = [("role", pa.string()), ("content", pa.large_string()), *([("tool_calls", pa.list_(_CALL))] if calling else [])]
    tools = [("tools", pa.string())] if any(row["tools"] for row in rows) else []
    facts = [(name, pa.string()) for name in ("id", "source", "licence", "url")]
    return pa.schema([("messages", pa.list_(pa.struct(message))), *tools, *facts])


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for Parquet: the arguments of calls, and tools, as JSON."""
    messages = [{**message, "tool_calls": [_call(call) for call in message.get("tool_calls", [])] or None} for message in row["messages"]]
    return {**row, "messages": messages, "tools": json.dumps(row["tools"], ensure_ascii=False) if row["tools"] else None}


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function", call)
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": call.get("id"), "type": call.get("type", "function"), "function": {"name": function.get("name"), "arguments": text}}
