"""Conversations of every shape, and a tokenizer that has the special tokens of every built-in template."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kit import prose

from tokenizer.conversations import ChatEncoder
from tokenizer.encode import Encoder
from tokenizer.special import Specials
from tokenizer.templates import BUILT_IN, CHATML, LLAMA3, ChatTemplate
from tokenizer.train import train
from tokenizer.vocabulary import Vocabulary

CALL = {"type": "function", "function": {"name": "look", "arguments": {"where": "Zürich <b>", "n": 2}}}
TOOLS = [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}]

Messages = list[dict[str, Any]]


def said(*turns: tuple[str, str]) -> Messages:
    return [{"role": role, "content": content} for role, content in turns]


CHATS: dict[str, Messages] = {
    "one turn": said(("user", "Why is the sky blue?"), ("assistant", "Light is scattered.")),
    "system": said(("system", "Be brief.\n"), ("user", "2 + 2?"), ("assistant", "4")),
    "many turns": said(*[turn for n in range(5) for turn in (("user", f"Question {n}?"), ("assistant", f"Answer {n}."))]),
    "many tongues": said(("user", "Grüße, 世界 🙂 ‏مرحبا"), ("assistant", "नमस्ते — e\u0301 ﬁ\u200d")),
    "blanks": said(("user", "  a\n\n"), ("assistant", "x  \n"), ("user", "\tb"), ("assistant", "def f():\n    return 1\n\n\n")),
    "ends with the user": said(("user", "a"), ("assistant", "b"), ("user", "and then?")),
    "markup": said(("user", "{{ messages }} {% if %} <b>"), ("assistant", "{# no #} {{ 1 + 1 }}")),
    "tools": [
        *said(("system", "Look first."), ("user", "What is there?")),
        {"role": "assistant", "content": "", "tool_calls": [CALL, CALL]},
        *said(("tool", '{"found": "é"}'), ("assistant", "An é.")),
    ],
}
#: Given beside the messages.
GIVEN = {"tools": TOOLS}


class _Every(Specials):
    def tokens(self) -> list[str]:
        return [*super().tokens(), *CHATML, *LLAMA3]


@lru_cache(maxsize=1)
def tokenizer_json() -> bytes:
    return train([prose(str(number)) for number in range(30)], vocab_size=800, specials=_Every())


def template(source: str, name: str = "test") -> ChatTemplate:
    """`source`: Jinja, or the name of a built-in template."""
    text = BUILT_IN[source]() if source in BUILT_IN else source
    return ChatTemplate(
        text, name, list(Vocabulary.parse(tokenizer_json()).added), {"bos_token": "<|begin|>", "eos_token": "<|endoftext|>"}
    )


def chat_encoder(source: str) -> ChatEncoder:
    return ChatEncoder(Encoder(tokenizer_json()), template(source))


def unmarked(name: str) -> str:
    """A built-in template without its `{% generation %}`: what is learnt has to be found by rendering."""
    return BUILT_IN[name]().replace("{% generation %}", "").replace("{% endgeneration %}", "")
