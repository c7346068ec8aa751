"""Conversations as ids, and which of them are learnt.

The ids are those of `apply_chat_template(..., tokenize=True)`: special tokens that the template writes are told apart, each
stretch of text between them is encoded on its own. Two things differ on purpose. What reads like a special token within a message
stays text: nobody's message ends a turn or opens one. And an answer begins and ends where tokens do, as when a model
writes it behind its prompt: where the library would join the last blank of the prompt with the first of the answer, this doesn't.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Tokenizer

from pipeline.errors import StorageError
from tokenizer.encode import Encoder, gathered
from tokenizer.sandbox import APART
from tokenizer.templates import ChatTemplate, Conversation, Message, Unusable

#: Why a conversation is dropped here: a token of a tokenizer that is left to the library reaches over the edge of an answer, and
#: a message of one that is can't be told from the template's special tokens.
STRADDLED, SPECIAL = "token_straddles_turn", "special_token_in_message"


class Chat(NamedTuple):
    """What is to be encoded."""

    id: str
    messages: Sequence[Message]
    tools: Sequence[object] | None = None


class EncodedChats(NamedTuple):
    """The ids of conversations: those of number i are ids[offsets[i]:offsets[i + 1]]; `learnt` says which are targets.

    `unusable`: what is wrong with a conversation (it has no ids then), None where nothing is.
    """

    ids: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    learnt: npt.NDArray[np.bool_]
    unusable: Sequence[Unusable | None]


class _Piece(NamedTuple):
    """A stretch of a conversation: text, or a special token where `special` is its id."""

    text: str
    special: int
    learnt: bool


class ChatEncoder:
    """Encodes conversations with one tokenizer and one of its templates."""

    def __init__(self, encoder: Encoder, template: ChatTemplate) -> None:
        self.template = template
        self._encoder, self._added = encoder, encoder.vocabulary.added
        self._bytes = pa.array(encoder.vocabulary.token_bytes, pa.large_binary())
        self._library = None if _plain(encoder) else Tokenizer.from_str(json.dumps(encoder.vocabulary.spec))
        if self._library is not None:
            self._library.no_truncation()
            self._library.no_padding()

    def encode(self, chats: Sequence[Chat]) -> EncodedChats:
        """Raises StorageError naming a conversation whose mask is all true or all false, or isn't what its answers say; BadTemplate
        when that is the template's doing.
        """
        rendered, unusable = self._rendered(chats)
        found = self._whole(rendered, unusable) if self._library is not None else self._pieced(rendered, unusable)
        self._check(chats, rendered, found)
        return found

    def _rendered(self, chats: Sequence[Chat]) -> tuple[list[Conversation | None], list[Unusable | None]]:
        rendered: list[Conversation | None] = []
        unusable: list[Unusable | None] = []
        for chat in chats:
            try:
                rendered.append(self.template.conversation(chat.messages, chat.tools))
                unusable.append(None)
            except Unusable as error:
                rendered.append(None)
                unusable.append(error)
        return rendered, unusable

    def _pieced(self, rendered: Sequence[Conversation | None], unusable: list[Unusable | None]) -> EncodedChats:
        """Stretch by stretch, all texts of all conversations encoded at once."""
        pieces = [list(self._pieces(found)) if found else [] for found in rendered]
        flat = [piece for found in pieces for piece in found]
        special = np.array([piece.special for piece in flat], np.int64)
        texts = self._encoder.encode(pa.array([piece.text for piece in flat if piece.special < 0], pa.large_string()))
        pool = np.concatenate([texts.ids, special[special >= 0].astype(np.uint32)])
        starts, lengths = np.empty(len(flat), np.int64), np.ones(len(flat), np.int64)
        starts[special < 0], lengths[special < 0] = texts.offsets[:-1], texts.lengths
        starts[special >= 0] = len(texts.ids) + np.arange(int((special >= 0).sum()))
        encoded = gathered(pool, starts, lengths)
        ends = np.cumsum([0, *map(len, pieces)])
        learnt = np.repeat(np.array([piece.learnt for piece in flat], bool), lengths)
        return EncodedChats(encoded.ids, encoded.offsets[ends], learnt, unusable)

    def _pieces(self, found: Conversation) -> Iterator[_Piece]:
        """The special tokens, and the texts between them, cut where an answer begins or ends."""
        at = 0
        for start, stop in found.spans:
            yield from self._stretch(found.text[at:start], False)
            yield from self._stretch(found.text[start:stop], True)
            at = stop
        yield from self._stretch(found.text[at:], False)

    def _stretch(self, text: str, learnt: bool) -> Iterator[_Piece]:
        at = 0
        for special in self.template.special.finditer(text):
            if special.start() > at:
                yield _Piece(text[at : special.start()].replace(APART, ""), -1, learnt)
            yield _Piece("", self._added[special[0]], learnt)
            at = special.end()
        if at < len(text):
            yield _Piece(text[at:].replace(APART, ""), -1, learnt)

    def _whole(self, rendered: Sequence[Conversation | None], unusable: list[Unusable | None]) -> EncodedChats:
        """By the library, each conversation in one piece, its tokens told by the characters they stand for."""
        assert self._library is not None
        ids, learnt = [np.zeros(0, np.uint32)], [np.zeros(0, bool)]
        for number, found in enumerate(rendered):
            if found is None or APART in found.text:
                unusable[number] = unusable[number] or Unusable(SPECIAL, "a message holds the text of a special token")
                ids.append(np.zeros(0, np.uint32))
                learnt.append(np.zeros(0, bool))
                continue
            encoding = self._library.encode(found.text, add_special_tokens=False)
            inside = _inside(np.array(encoding.offsets, np.int64).reshape(-1, 2), found.spans)
            if inside is None:
                unusable[number] = Unusable(STRADDLED, "a token holds characters of an answer and of what is around it")
            ids.append(np.array(encoding.ids if inside is not None else (), np.uint32))
            learnt.append(inside if inside is not None else np.zeros(0, bool))
        return EncodedChats(np.concatenate(ids), np.cumsum([len(found) for found in ids]), np.concatenate(learnt), unusable)

    def _check(self, chats: Sequence[Chat], rendered: Sequence[Conversation | None], found: EncodedChats) -> None:
        """Each mask holds something and leaves something out, and its ids spell the answers, end tokens and all."""
        inside = np.concatenate([[0], np.cumsum(found.learnt)])[found.offsets]
        learnt, lengths = np.diff(inside), np.diff(found.offsets)
        spelled = self._bytes.take(pa.array(found.ids[found.learnt]))
        ends = _offsets(spelled)
        data = spelled.buffers()[2]
        text = memoryview(data if data is not None else b"").cast("B")
        for number, (chat, conversation) in enumerate(zip(chats, rendered, strict=True)):
            if conversation is None or found.unusable[number] is not None:
                continue
            if not 0 < learnt[number] < lengths[number]:
                share = "no token" if not learnt[number] else "every token"
                raise StorageError(f"conversation {chat.id}: {share} of it would be learnt: {_advice(bool(learnt[number]))}")
            due = "".join(conversation.text[start:stop] for start, stop in conversation.spans).replace(APART, "").encode()
            if self._library is None and text[ends[inside[number]] : ends[inside[number + 1]]] != due:
                raise StorageError(
                    f"conversation {chat.id}: what would be learnt is not what its answers say: the tokenizer doesn't restore them"
                )


def _advice(everything: bool) -> str:
    return (
        "the template marks all of it as an answer"
        if everything
        else "it has no answer; drop it by a filter (messages without an assistant)"
    )


def _plain(encoder: Encoder) -> bool:
    """Whether a text between special tokens has the ids that it has alone."""
    flags = ("lstrip", "rstrip", "single_word")
    tokens = encoder.vocabulary.spec.get("added_tokens") or ()
    return encoder.slow_because is None and not any(token.get(flag) for token in tokens for flag in flags)


def _inside(offsets: npt.NDArray[np.int64], spans: Sequence[tuple[int, int]]) -> npt.NDArray[np.bool_] | None:
    """Which tokens lie within a span; None when one lies partly in it."""
    learnt = np.zeros(len(offsets), bool)
    for start, stop in spans:
        touching = (offsets[:, 0] < stop) & (offsets[:, 1] > start)
        if (touching & ((offsets[:, 0] < start) | (offsets[:, 1] > stop))).any():
            return None
        learnt |= touching
    return learnt


def _offsets(column: pa.Array) -> npt.NDArray[np.int64]:
    offsets = column.buffers()[1]
    return np.frombuffer(offsets, np.int64, len(column) + 1) if offsets is not None and len(column) else np.zeros(1, np.int64)
