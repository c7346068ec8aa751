"""Formats of a row that holds messages, a tree of them, a dialogue, or two answers to choose between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.chats.rows import Chat, ChatFormat, JsonMessage, Options, Refused, Row, calls, is_list_of_rows, role_of, said

#: How ShareGPT's descendants name the message in which the assistant calls a tool.
_CALLERS = ("function_call", "tool_call")


def _messages(row: Row, _: Options) -> list[Chat]:
    """OpenAI's messages, as they are: the extractor checks them."""
    return [Chat([dict(message) for message in row["messages"]], _tools(row.get("tools")))]


def _sharegpt(row: Row, _: Options) -> list[Chat]:
    """ShareGPT: conversations of {from, value}; LLaMA-Factory's system and tools beside them."""
    return [Chat([*_system(row), *map(_from_value, row["conversations"])], _tools(row.get("tools")))]


def _from_value(item: Mapping[str, Any]) -> JsonMessage:
    if isinstance(item["from"], str) and item["from"].lower() in _CALLERS:
        return {"role": "assistant", "content": "", "tool_calls": calls(item["value"])}
    return said(role_of(item["from"]), item["value"])


def _system(row: Row) -> list[JsonMessage]:
    text = row.get("system")
    return [said("system", text)] if isinstance(text, str) and text.strip() else []


def _tools(value: Any) -> Any:
    """The tools of a row, which some sets keep as JSON text; None for none."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Refused("bad_tools") from error
    return value or None


def _oasst(row: Row, options: Options) -> list[Chat]:
    """OpenAssistant's trees: from the prompt down to a leaf; of replies to one message the best ranked, or every path."""
    paths = list(_paths(row["prompt"], options.paths == "all"))
    return [
        Chat([said(role_of(node.get("role")), node.get("text")) for node in path], lang=_lang(path), about={"rank": path[-1].get("rank")})
        for path in paths
    ]


def _paths(root: Mapping[str, Any], every: bool) -> Iterator[list[Mapping[str, Any]]]:
    """Paths to where an assistant speaks last; deleted messages end theirs before them. Without recursion: trees may be deep."""
    waiting = [[root]]
    while waiting:
        path = waiting.pop()
        replies = [reply for reply in path[-1].get("replies") or [] if isinstance(reply, Mapping) and not reply.get("deleted")]
        replies.sort(key=_rank)
        answered = [reply for reply in replies if reply.get("role") == "assistant" or reply.get("replies")]
        if answered:
            waiting += [[*path, reply] for reply in reversed(answered if every else answered[:1])]
        elif len(path) > 1 or path[-1].get("role") == "assistant":
            yield path
        else:
            raise Refused("no_answer")


def _rank(reply: Mapping[str, Any]) -> tuple[bool, int]:
    """Ranks begin with 0; a reply without one stands behind those that have one."""
    rank = reply.get("rank")
    return (False, rank) if isinstance(rank, int) else (True, 0)


def _lang(path: Sequence[Mapping[str, Any]]) -> str | None:
    lang = path[0].get("lang")
    return lang.partition("-")[0] if isinstance(lang, str) else None


def _dialogue(row: Row, _: Options) -> list[Chat]:
    """Dialogues of people about tasks, as the Schema-Guided Dialogue set has them: the SYSTEM is who assists."""
    messages = [said("assistant" if turn["speaker"] == "SYSTEM" else role_of(turn["speaker"]), turn["utterance"]) for turn in row["turns"]]
    services = row.get("services")
    return [Chat(messages, about={"services": ", ".join(map(str, services)) if isinstance(services, list) else None})]


def _preference(row: Row, options: Options) -> list[Chat]:
    """Pairs of a better and a worse answer to one prompt: messages (TRL), {from, value} (LLaMA-Factory), or texts."""
    asked = ("chosen", "rejected") if options.preference == "both" else (options.preference,)
    before = _asked(row)
    return [Chat(_with_answer(before, row[name]), _tools(row.get("tools")), about={"preference": name}) for name in asked]


def _asked(row: Row) -> list[JsonMessage]:
    if is_list_of_rows(row.get("conversations"), "from", "value"):
        return [*_system(row), *map(_from_value, row["conversations"])]
    prompt = row.get("prompt", row.get("question"))
    if is_list_of_rows(prompt, "role", "content"):
        return [dict(message) for message in prompt]
    return [*_system(row), *([said("user", prompt)] if isinstance(prompt, str) and prompt.strip() else [])]


def _with_answer(before: list[JsonMessage], value: Any) -> list[JsonMessage]:
    """A prompt and its answer: a text, a message, or messages, which may say the prompt again, or all of the conversation."""
    if isinstance(value, str):
        if not before:
            raise Refused("no_question")
        return [*before, said("assistant", value)]
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, Mapping) for item in items):
        raise Refused("not_text")
    found = [_from_value(item) if "from" in item else dict(item) for item in items]
    own = [message for message in found if message.get("role") != "system"]
    if not before or not own or own[0].get("role") != "user":
        return [*before, *found]
    systems = [message for message in before if message["role"] == "system"]
    if len(own) > len(before) - len(systems):  # all of the conversation, of which the prompt may be the beginning alone
        return found if len(own) < len(found) else [*systems, *found]
    return [*before, *own[-1:]]


MESSAGES = ChatFormat("messages", lambda row: is_list_of_rows(row.get("messages"), "role"), _messages)
SHAREGPT = ChatFormat("sharegpt", lambda row: is_list_of_rows(row.get("conversations"), "from", "value"), _sharegpt)
OASST = ChatFormat("oasst", lambda row: "message_tree_id" in row and isinstance(row.get("prompt"), Mapping), _oasst)
DIALOGUE = ChatFormat("dialogue", lambda row: is_list_of_rows(row.get("turns"), "speaker", "utterance"), _dialogue)
PREFERENCE = ChatFormat("preference", lambda row: {"chosen", "rejected"} <= set(row), _preference)
