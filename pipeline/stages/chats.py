"""Conversations of a part as TOKENIZED rows: written by the chat template, shortened or dropped where they are too long."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.conversations import Message, messages_of
from pipeline.errors import StorageError
from pipeline.job import Job
from pipeline.report import Report
from pipeline.schema import EXCERPT_CHARS, REJECT, conform
from pipeline.tokens import tokenized
from tokenizer.conversations import Chat, ChatEncoder, EncodedChats
from tokenizer.encode import Encoder
from tokenizer.special import CONFIG
from tokenizer.templates import ChatTemplate, Unusable

Overlong = Literal["drop", "truncate"]
#: Why a conversation is in no shard: it is longer than a row (and no answer of it fits into one), or its text was cut by a step.
TOO_LONG, CUT_UP = "overlong", "turns_lost"
USES = ("bos_token", "eos_token", "pad_token", "unk_token")


def open_chats(encoder: Encoder, settings: bytes) -> ChatEncoder:
    """The encoder of chats that a tokenizer_config.json describes; StorageError when it has no template."""
    found = json.loads(settings)
    source = found.get("chat_template")
    if not isinstance(source, str):
        raise StorageError(f"tokenize: {CONFIG} has no chat template, and there are conversations: set `chat` of tokenizer")
    vocabulary = encoder.vocabulary
    special = [token["content"] for token in vocabulary.spec.get("added_tokens") or () if token.get("special")]
    variables = {use: _text(found.get(use)) for use in USES}
    return ChatEncoder(encoder, ChatTemplate(source, "the chat template", special, variables))


def _text(token: Any) -> str | None:
    text = token["content"] if isinstance(token, dict) else token
    return None if text is None else str(text)


class _Made(NamedTuple):
    """What became of a batch: the ids and masks, how many conversations were shortened, what is wrong with each."""

    found: EncodedChats
    shortened: int
    faults: list[Unusable | None]


def encode_chats(
    job: Job, encoder: ChatEncoder, rows: pa.RecordBatch, report: Report, overlong: Overlong | None, max_tokens: int | None
) -> tuple[pa.Table, pa.RecordBatch]:
    """The rows as TOKENIZED, and REJECT rows for those that are dropped; `report` counts them."""
    made = _made(encoder, _chats(rows), overlong, max_tokens)
    faults = pa.array([fault.reason if fault else None for fault in made.faults], pa.string())
    keep = pc.is_null(faults)
    _count(report, job.source, rows, made, keep)
    return tokenized(rows, job.seed, made.found.ids, made.found.offsets, made.found.learnt).filter(keep), _rejects(rows, made.faults)


def _chats(rows: pa.RecordBatch) -> list[Chat | Unusable]:
    columns = (rows.column(name).to_pylist() for name in ("id", "text", "turns", "tools"))
    return [_chat(*row) for row in zip(*columns, strict=True)]


def _chat(id_: str, text: str, turns: Any, tools: str | None) -> Chat | Unusable:
    try:
        messages = [_as_given(message) for message in messages_of(text, turns)]
    except (ValueError, StorageError) as error:
        return Unusable(CUT_UP, str(error))
    return Chat(id_, messages, json.loads(tools) if tools else None)


def _as_given(message: Message) -> dict[str, Any]:
    """A message as a template expects it: arguments of calls as an object, which OpenAI's API has as JSON in a text."""
    given = message.as_json()
    for call in given.get("tool_calls", ()):
        function = call.get("function", call)
        if isinstance(function.get("arguments"), str):
            function["arguments"] = json.loads(function["arguments"])
    return given


def _made(encoder: ChatEncoder, chats: Sequence[Chat | Unusable], overlong: Overlong | None, max_tokens: int | None) -> _Made:
    whole = [number for number, chat in enumerate(chats) if isinstance(chat, Chat)]
    found = encoder.encode([chat for chat in chats if isinstance(chat, Chat)])
    faults: list[Unusable | None] = [chat if isinstance(chat, Unusable) else None for chat in chats]
    for number, fault in zip(whole, found.unusable, strict=True):
        faults[number] = fault
    pieces = [(np.zeros(0, np.uint32), np.zeros(0, np.bool_))] * len(chats)
    for number, start, stop in zip(whole, found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True):
        pieces[number] = found.ids[start:stop], found.learnt[start:stop]
    shortened = 0
    for number, chat in enumerate(chats):
        size = len(pieces[number][0])
        if overlong and max_tokens and size > max_tokens and isinstance(chat, Chat):
            shorter = _shortened(encoder, chat, pieces[number][1], max_tokens) if overlong == "truncate" else None
            shortened += shorter is not None
            pieces[number] = shorter or (pieces[number][0][:0], pieces[number][1][:0])
            if shorter is None:
                faults[number] = Unusable(TOO_LONG, f"{size:,} tokens, a row has {max_tokens:,}")
    return _Made(_joined(pieces), shortened, faults)


Piece = tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]


def _shortened(encoder: ChatEncoder, chat: Chat, learnt: npt.NDArray[np.bool_], max_tokens: int) -> Piece | None:
    """The conversation up to the last answer with which it fits; None when it doesn't with its first."""
    ends = np.flatnonzero(np.diff(learnt.astype(np.int8), append=0) == -1)
    answers = [number for number, message in enumerate(chat.messages) if message["role"] == "assistant"]
    for count in range(int((ends < max_tokens).sum()), 0, -1):
        found = encoder.encode([chat._replace(messages=chat.messages[: answers[count - 1] + 1])])
        if 0 < len(found.ids) <= max_tokens:
            return found.ids, found.learnt
    return None


def _joined(pieces: Sequence[Piece]) -> EncodedChats:
    ids = np.concatenate([np.zeros(0, np.uint32), *(ids for ids, _ in pieces)])
    learnt = np.concatenate([np.zeros(0, np.bool_), *(learnt for _, learnt in pieces)])
    return EncodedChats(ids, np.cumsum([0, *(len(ids) for ids, _ in pieces)]), learnt, ())


def _rejects(rows: pa.RecordBatch, faults: Sequence[Unusable | None]) -> pa.RecordBatch:
    gone = [number for number, fault in enumerate(faults) if fault is not None]
    dropped = rows.take(pa.array(gone, pa.int64()))
    found = [fault for fault in faults if fault is not None]
    columns = {
        **{name: dropped.column(name) for name in ("id", "source", "url")},
        "step": pa.array(["tokenize"] * len(found), pa.string()),
        "reason": pa.array([f"tokenize:{fault.reason}" for fault in found], pa.string()),
        "signals": pa.array([json.dumps({"tokenize.why": str(fault)}, ensure_ascii=False) for fault in found], pa.string()),
        "excerpt": pc.utf8_slice_codeunits(dropped.column("text"), 0, EXCERPT_CHARS).cast(pa.string()),
    }
    return conform(pa.RecordBatch.from_pydict(columns), REJECT)


def _count(report: Report, source: str, rows: pa.RecordBatch, made: _Made, keep: pa.BooleanArray) -> None:
    report.read[source] += rows.num_rows
    report.kept[source] += pc.sum(keep).as_py() or 0
    for fault in made.faults:
        if fault is not None:
            report.drop(source, f"tokenize:{fault.reason}")
    report.count(source, "bytes", pc.sum(pc.binary_length(rows.column("text").filter(keep))).as_py() or 0)
    report.count(source, "tokens", len(made.found.ids))
    report.count(source, "tokens learnt", int(made.found.learnt.sum()))
    report.count(source, "conversations", pc.sum(keep).as_py() or 0)
    if made.shortened:
        report.count(source, "conversations shortened", made.shortened)
