"""Conversations: the extractor "chat" makes DOC rows of messages that a reader has found."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.conversations import ROLES, Message, joined
from pipeline.registry import extractor
from pipeline.schema import TURNS


class _Bad(Exception):
    """No conversation; the text is the reason."""


@extractor("chat")
def chat(raw: pa.RecordBatch) -> Extracted:
    """Text and turns of conversations, each a JSON object with `messages` (role, content, tool_calls) and, where there are any, `tools`.

    Reasons: bad_json, no_messages, unknown_role, content_not_text.
    """
    found = [_conversation(content) for content in raw.column("content").to_pylist()]
    texts, turns, tools, reasons = zip(*found, strict=True) if found else ((), (), (), ())
    facts = {"turns": pa.array(turns, TURNS), "tools": pa.array(tools, pa.string())}
    return Extracted(pa.array(texts, pa.large_string()), pa.array(reasons, pa.string()), facts)


def _conversation(content: bytes) -> tuple[str | None, Any, str | None, str | None]:
    try:
        found = json.loads(content)
        text, turns = joined([_message(item) for item in _messages(found)])
        tools = found.get("tools")
        return text, turns, json.dumps(tools, ensure_ascii=False) if tools else None, None
    except ValueError:
        return None, None, None, "bad_json"
    except _Bad as error:
        return None, None, None, str(error)


def _messages(found: Any) -> list[Any]:
    messages = found.get("messages") if isinstance(found, dict) else None
    if not isinstance(messages, list) or not messages:
        raise _Bad("no_messages")
    return messages


def _message(item: Any) -> Message:
    if not isinstance(item, dict) or item.get("role") not in ROLES:
        raise _Bad("unknown_role")
    content, calls = item.get("content"), item.get("tool_calls")
    if content is None and calls:
        content = ""
    if not isinstance(content, str):
        raise _Bad("content_not_text")
    return Message(
        item["role"], content, json.dumps(calls, ensure_ascii=False) if calls else None, item.get("name"), item.get("tool_call_id")
    )
