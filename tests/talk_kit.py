"""Conversations for tests: written short, as DOC batches."""

from __future__ import annotations

import pyarrow as pa

from pipeline.conversations import Message, joined
from pipeline.registry import bind
from pipeline.schema import DOC, conform

_ROLES = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}


def talk(*lines: str) -> list[Message]:
    """Messages of lines like "u: Why?", "a: So."; "c: {...}" adds a tool call to the assistant's message before, or makes one."""
    said: list[Message] = []
    for line in lines:
        role, _, content = line.partition(":")
        if role == "c":
            before = said.pop() if said and said[-1].role == "assistant" and said[-1].tool_calls is None else Message("assistant", "")
            said.append(before._replace(tool_calls=content.strip()))
        else:
            said.append(Message(_ROLES[role], content.removeprefix(" ")))
    return said


def batch(*talks: list[Message] | str) -> pa.RecordBatch:
    """A DOC batch: conversations, and plain documents for texts."""
    rows = []
    for number, item in enumerate(talks):
        text, turns = (item, None) if isinstance(item, str) else joined(item)
        rows.append({"id": f"{number:032x}", "text": text, "source": "chat", "turns": turns})
    return conform(pa.RecordBatch.from_pylist(rows, DOC), DOC)


def verdicts(name: str, *talks: list[Message] | str, **keys: object) -> list[str | None]:
    """The reasons of a filter, without its name."""
    step, mistakes = bind("filter", name, keys)
    assert mistakes == []
    return [reason and reason.removeprefix(f"{name}:") for reason in step(batch(*talks)).reasons.to_pylist()]
