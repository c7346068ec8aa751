"""What the formats of conversations have in common: what a row gives, how it is refused, who is who."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Row = Mapping[str, Any]

#: A message as JSON holds it: role, content, and what else OpenAI's format has.
JsonMessage = dict[str, Any]

#: Who speaks, by the names that published sets give them (in lower case).
SPEAKERS = {
    "system": ("system",),
    "user": ("user", "human", "prompter", "instruction", "question"),
    "assistant": ("assistant", "gpt", "chatgpt", "bot", "model", "bard", "bing", "answer"),
    "tool": ("tool", "function", "observation", "ipython", "function_response"),
}
_ROLES = {name: role for role, names in SPEAKERS.items() for name in names}


class Refused(Exception):
    """A row that gives no conversation; the message is the reason it is counted under."""


class Options(NamedTuple):
    """What a format leaves to choice: see the reader."""

    paths: Literal["best", "all"] = "best"
    preference: Literal["chosen", "rejected", "both"] = "chosen"
    annotations: Literal["keep", "strip"] = "keep"


@dataclass(frozen=True)
class Chat:
    """One conversation of a row: messages, the tools offered, and what goes into the document's meta."""

    messages: list[JsonMessage]
    tools: Any = None
    lang: str | None = None
    about: Mapping[str, str | int | float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class ChatFormat:
    """A format: whether a row looks like it, and the conversations of a row that does (or Refused)."""

    name: str
    fits: Callable[[Row], bool]
    read: Callable[[Row, Options], Sequence[Chat]]


def role_of(name: object) -> str:
    """The role of a speaker; Refused for an unknown one."""
    role = _ROLES.get(name.strip().lower()) if isinstance(name, str) else None
    if role is None:
        raise Refused("unknown_role")
    return role


def said(role: str, content: object) -> JsonMessage:
    """A message; Refused when its content is no text."""
    if not isinstance(content, str):
        raise Refused("not_text")
    return {"role": role, "content": content}


def exchange(question: object, answer: object, *, system: object = None) -> list[JsonMessage]:
    """A question and its answer; Refused when either is missing or blank."""
    for text, reason in ((question, "no_question"), (answer, "no_answer")):
        if text is None or (isinstance(text, str) and not text.strip()):
            raise Refused(reason)
    before = [said("system", system)] if isinstance(system, str) and system.strip() else []
    return [*before, said("user", question), said("assistant", answer)]


def with_input(instruction: object, more: object) -> object:
    """An instruction and what it is about, a blank line between."""
    if isinstance(instruction, str) and isinstance(more, str) and more.strip():
        return f"{instruction}\n\n{more}" if instruction.strip() else more
    return instruction


def calls(value: object) -> list[dict[str, Any]]:
    """Tool calls as OpenAI writes them, from one call or several as JSON text or values: {"name", "arguments"}."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise Refused("bad_tool_call") from error
    items: list[Any] = found if isinstance(found, list) else [found]
    if not items or not all(isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in items):
        raise Refused("bad_tool_call")
    return [{"type": "function", "function": {"name": item["name"], "arguments": item.get("arguments", {})}} for item in items]


def is_list_of_rows(value: object, *keys: str) -> bool:
    """Whether a value is a list, not empty, of objects that have the keys."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) and set(keys) <= set(item) for item in value)
