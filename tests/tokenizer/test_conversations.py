"""Conversations as ids and masks: those of `transformers`, and what is learnt spells the answers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from chat_kit import CHATS, GIVEN, chat_encoder, said, template, tokenizer_json, unmarked

from pipeline.errors import StorageError
from tokenizer.conversations import SPECIAL, STRADDLED, Chat, ChatEncoder, EncodedChats
from tokenizer.encode import Encoder
from tokenizer.special import Specials, config
from tokenizer.templates import BUILT_IN
from tokenizer.vocabulary import Vocabulary


def every() -> list[Chat]:
    return [Chat(name, messages, GIVEN.get(name)) for name, messages in CHATS.items()]


def row(found: EncodedChats, number: int) -> tuple[list[int], list[bool]]:
    where = slice(*found.offsets[number : number + 2])
    return found.ids[where].tolist(), found.learnt[where].tolist()


def spelled(ids: np.ndarray) -> str:
    tokens = Vocabulary.parse(tokenizer_json()).token_bytes
    return b"".join(tokens[id_] for id_ in ids.tolist()).decode()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    transformers = pytest.importorskip("transformers", reason="the library that ids and masks are compared with isn't installed")
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.json").write_bytes(tokenizer_json())
    (folder / "tokenizer_config.json").write_bytes(config(Specials(), Vocabulary.parse(tokenizer_json())))
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("name", BUILT_IN)
def test_ids_and_masks_are_those_of_transformers(name: str, library: Any) -> None:
    found = chat_encoder(name).encode(every())
    for number, chat in enumerate(every()):
        due = library.apply_chat_template(
            chat.messages,
            tools=chat.tools,
            chat_template=BUILT_IN[name](),
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        assert row(found, number) == (due["input_ids"], list(map(bool, due["assistant_masks"])))


@pytest.mark.parametrize("name", BUILT_IN)
def test_other_ways_give_the_same(name: str) -> None:
    """Turns found by rendering, and the library on whole conversations: another way each, the same ids and masks."""
    chats = [chat for chat in every() if chat.id != "blanks"]  # whose first token of an answer the library joins with what is before
    found = chat_encoder(name).encode(chats)
    slow = Encoder(tokenizer_json())
    slow.slow_because = "a test asks for it"
    others = [chat_encoder(unmarked(name)), ChatEncoder(slow, template(name))]
    for other in others:
        again = other.encode(chats)
        assert again.unusable == [None] * len(chats)
        assert all(np.array_equal(a, b) for a, b in zip(found[:3], again[:3], strict=True))


def test_what_is_learnt_spells_the_answers() -> None:
    found = chat_encoder("chatml").encode(every())
    for number, chat in enumerate(every()):
        ids, learnt = (np.array(values) for values in row(found, number))
        due = "".join(message["content"] + "<|im_end|>" for message in chat.messages if message["role"] == "assistant")
        assert chat.id == "tools" or spelled(ids[learnt]) == due


def test_what_reads_like_a_special_token_is_encoded_as_text() -> None:
    chat = said(("user", "What is <|im_end|>?"), ("assistant", "<|im_end|> ends a turn."))
    encoder = chat_encoder("chatml")
    ids, _ = row(encoder.encode([Chat("a", chat)]), 0)
    end = Vocabulary.parse(tokenizer_json()).added["<|im_end|>"]
    assert ids.count(end) == 2
    assert spelled(np.array(ids)).count("<|im_end|>") == 4


def test_a_tokenizer_that_is_left_to_the_library_drops_what_it_cant_tell() -> None:
    spec = json.loads(tokenizer_json())
    spec["normalizer"] = {"type": "NFC"}
    content = json.dumps(spec).encode()
    source = "{% for m in messages %}<|{{ m.role }}|> {% generation %}{{ m.content }}<|end|>{% endgeneration %}{% endfor %}"
    encoder = ChatEncoder(Encoder(content), template(source))
    chats = [Chat("a", said(("assistant", "!"))), Chat("b", said(("assistant", "<|end|>"))), Chat("c", said(("assistant", "the same")))]
    found = encoder.encode(chats)
    assert [fault and fault.reason for fault in found.unusable] == [None, SPECIAL, STRADDLED]
    assert found.offsets[-1] == found.offsets[1] > 0


def test_a_refused_conversation_has_no_ids_and_says_why() -> None:
    found = chat_encoder("llama3").encode([Chat("a", said(("robot", "a"), ("assistant", "b"))), Chat("b", CHATS["one turn"])])
    assert found.offsets[1] == 0 < found.offsets[2]
    assert [str(fault) for fault in found.unusable] == ["unknown role robot", "None"]


def test_a_conversation_without_an_answer_is_an_error_with_its_id() -> None:
    with pytest.raises(StorageError, match="conversation f00d: no token"):
        chat_encoder("chatml").encode([Chat("fine", CHATS["one turn"]), Chat("f00d", said(("user", "a")))])


def test_a_conversation_that_is_all_answer_is_an_error_with_its_id() -> None:
    source = (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        "{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% endif %}{% endfor %}"
    )
    with pytest.raises(StorageError, match="conversation f00d: every token"):
        chat_encoder(source).encode([Chat("f00d", CHATS["one turn"])])


def test_no_conversations() -> None:
    found = chat_encoder("chatml").encode([])
    assert (len(found.ids), found.offsets.tolist()) == (0, [0])
