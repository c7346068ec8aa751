"""The extractor "conversation": messages as JSON, checked, cleaned, and joined into a text with its turns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.conversations import ROLES, Message, joined
from pipeline.extract.decoding import clean
from pipeline.extract.documents import NoText
from pipeline.registry import extractor
from pipeline.schema import TURNS, sound

#: The longest message, in characters, unless the recipe says otherwise: a book, not a dump.
MAX_MESSAGE = 4 << 20


@extractor("conversation", uses=("unicode",))
def conversation(raw: pa.RecordBatch, *, max_message_chars: int = MAX_MESSAGE, max_messages: int = 10_000) -> Extracted:
    """{"messages": [{role, content, ...}], "tools": [...]} as a conversation (see conversations.py).

    A content may be a list of text parts. Reasons: "bad_json", "no_messages", "unknown_role", "not_text" (pictures, numbers),
    "bad_tool_call", "message_too_long", "too_many_messages", "empty" (no message says anything).
    """
    rows = [_row(content.as_py(), max_message_chars, max_messages) for content in raw["content"]]
    good = [row if isinstance(row, tuple) else None for row in rows]
    facts: dict[str, pa.Array] = {
        "turns": pa.array([row[1] if row else None for row in good], TURNS),
        "tools": pa.array([row[2] if row else None for row in good], pa.string()),
    }
    text = pa.array([row[0] if row else None for row in good], pa.large_string())
    return Extracted(text, pa.array([row if isinstance(row, str) else None for row in rows], pa.string()), facts)


def _row(content: bytes, longest: int, most: int) -> tuple[str, list[dict[str, str | None]], str | None] | str:
    """Text, turns and tools of a conversation; or the reason there is none."""
    try:
        value = json.loads(content)
        found = value.get("messages") if isinstance(value, dict) else None
        if not isinstance(found, list) or not found:
            return "no_messages"
        if len(found) > most:
            return "too_many_messages"
        messages = [_message(item) for item in found]
        tools = _json(value["tools"]) if value.get("tools") else None
    except NoText as no_text:
        return str(no_text)
    except (ValueError, RecursionError):
        return "bad_json"
    if max(len(message.content) for message in messages) > longest:
        return "message_too_long"
    if not any(message.content.strip() or message.tool_calls for message in messages):
        return "empty"
    text, turns = joined(messages)
    return text, turns, tools


def _message(item: Any) -> Message:
    if not isinstance(item, Mapping):
        raise NoText("no_messages")
    role = "system" if item.get("role") == "developer" else item.get("role")
    if role not in ROLES:
        raise NoText("unknown_role")
    calls = item.get("tool_calls")
    if calls is not None and not (isinstance(calls, list) and all(isinstance(call, Mapping) for call in calls)):
        raise NoText("bad_tool_call")
    name, call = item.get("name"), item.get("tool_call_id")
    return Message(
        role,
        clean(_content(item.get("content"), bool(calls)), compose=False),
        _json(calls) if calls else None,
        name if isinstance(name, str) else None,
        call if isinstance(call, str) else None,
    )


def _content(value: Any, calls: bool) -> str:
    """A message's text: as it is, as a list of text parts, or none beside tool calls."""
    if value is None and calls:
        return ""
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, Mapping) and part.get("type", "text") == "text" else None for part in value]
        if all(isinstance(part, str) for part in parts):
            return "".join(part for part in parts if part is not None)
    if not isinstance(value, str):
        raise NoText("not_text")
    return value


def _json(value: Any) -> str:
    return sound(json.dumps(value, ensure_ascii=False, sort_keys=True))
