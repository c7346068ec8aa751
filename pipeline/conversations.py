"""Conversations: documents whose text is the contents of their messages, joined by a character that stands in no text.

The separator, U+001E (RECORD SEPARATOR), is whitespace and ends a line for Unicode and for Python, so every filter, dedupe,
decontamination and language identification takes a conversation as it takes any text, and what an edit puts into the text
stands in the message afterwards. `turns` says who says each piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import StorageError

SEPARATOR = "\x1e"

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[str, ...] = get_args(Role)

CONTENT, TOOL_CALLS = "content", "tool_calls"


class Message(NamedTuple):
    """One message. `tool_calls` is the JSON of what the assistant calls (a list, as OpenAI writes it), None for nothing.

    `name` says who a message is of, or which tool it answers for; `call` the id of the call it answers.
    """

    role: str
    content: str
    tool_calls: str | None = None
    name: str | None = None
    call: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The message as OpenAI writes it; what it doesn't have is left out."""
        calls = json.loads(self.tool_calls) if self.tool_calls else None
        more = {"name": self.name, "tool_call_id": self.call, "tool_calls": calls}
        return {"role": self.role, "content": self.content, **{key: value for key, value in more.items() if value}}


def joined(messages: Iterable[Message]) -> tuple[str, list[dict[str, str | None]]]:
    """The text and the turns of a conversation. A separator within a message becomes a space."""
    pieces: list[str] = []
    turns: list[dict[str, str | None]] = []
    for message in messages:
        for part, piece in ((CONTENT, message.content), (TOOL_CALLS, message.tool_calls)):
            if piece is not None:
                pieces.append(piece.replace(SEPARATOR, " "))
                turns.append({"role": message.role, "part": part, "name": message.name, "call": message.call})
    return SEPARATOR.join(pieces), turns


def messages_of(text: str, turns: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The messages of a conversation's text; StorageError when an edit has taken or added a separator."""
    pieces = text.split(SEPARATOR) if turns else []
    if len(pieces) != len(turns) or (text and not turns):
        raise StorageError(f"a conversation of {len(turns)} turns has a text of {len(pieces)} pieces: a step cut across its messages")
    messages: list[Message] = []
    for piece, turn in zip(pieces, turns, strict=True):
        if turn["part"] == TOOL_CALLS:
            messages[-1] = messages[-1]._replace(tool_calls=piece)
        else:
            messages.append(Message(turn["role"], piece, None, turn["name"], turn["call"]))
    return messages


def intact(text: pa.Array, turns: pa.Array) -> pa.BooleanArray:
    """Row by row, whether a text has as many pieces as turns; true for documents that are no conversation."""
    lengths = pc.list_value_length(turns)
    pieces = pc.add(pc.count_substring(text, SEPARATOR), 1)
    none = pc.and_(pc.equal(lengths, 0), pc.equal(pc.binary_length(text), 0))
    return pc.or_(pc.equal(pieces, lengths), none).fill_null(True)


class Split(NamedTuple):
    """The pieces of a batch of conversations as flat columns: the row of each, what `turns` says of it, and its text."""

    rows: npt.NDArray[np.int64]
    turns: pa.StructArray
    text: pa.LargeStringArray


def split(text: pa.Array, turns: pa.Array) -> Split:
    """All pieces of columns of texts and turns; documents that are no conversation have none.

    StorageError where a text has other pieces than turns.
    """
    if not pc.all(intact(text, turns), min_count=0).as_py():
        raise StorageError("a conversation's text has other pieces than turns: the step before edited across its messages")
    lengths = np.asarray(pc.fill_null(pc.list_value_length(turns), 0), np.int64)
    pieces = pc.list_flatten(pc.split_pattern(text.filter(pa.array(lengths > 0)), SEPARATOR)).cast(pa.large_string())
    return Split(np.repeat(np.arange(len(text)), lengths), pc.list_flatten(turns), pieces)
