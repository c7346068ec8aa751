"""Special tokens, and the tokenizer_config.json that tells `transformers` what each is for.

They have the first ids, whatever the size of the vocabulary: a larger one, cut to a smaller size, is the smaller one.
In a text they are ordinary text: only the pipeline puts a special id into a stream of tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import StorageError
from tokenizer.templates import BUILT_IN, OWN_TOKENS, roles
from tokenizer.vocabulary import Vocabulary

CONFIG = "tokenizer_config.json"
#: What stands before the prefix, the suffix and the middle of a text told out of order, as StarCoder spells them.
INFILLING = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


@dataclass(frozen=True)
class Specials:
    """The special tokens. `roles` name who speaks in a chat; each has the token <|role|>, and `end` ends what they say.

    `chat` names the built-in template (tokenizer.templates) that chats are written by; those but `roles` have tokens of their own.
    `infilling` marks prefix, suffix and middle (see tokenizer.infilling).
    `reserved` tokens <|reserved_0|> ... are left for those who train further, so that they need not grow the embedding.
    """

    eos: str = "<|endoftext|>"
    bos: str = "<|begin|>"
    pad: str = "<|pad|>"
    roles: Sequence[str] = ("system", "user", "assistant", "tool")
    end: str = "<|end|>"
    reserved: int = 5
    infilling: Sequence[str] = INFILLING
    chat: str = "roles"

    def tokens(self) -> list[str]:
        """All of them in the order of their ids; StorageError when two are the same."""
        roles = [f"<|{role}|>" for role in self.roles]
        every = [self.eos, self.bos, self.pad, *roles, self.end, *self.infilling, *(f"<|reserved_{n}|>" for n in range(self.reserved))]
        every += OWN_TOKENS[self.chat]
        twice = sorted({token for token in every if every.count(token) > 1})
        if twice or "" in every:
            raise StorageError(f"special tokens must differ and hold text: look at {twice or ['']}")
        return every

    def chat_template(self) -> str:
        """The Jinja template by which `apply_chat_template` writes a chat."""
        return roles(self.roles, self.end) if self.chat == "roles" else BUILT_IN[self.chat]()

    def speaking(self) -> list[str]:
        """The special tokens without which the template can't be used."""
        return [f"<|{role}|>" for role in (*self.roles, "assistant")] + [self.end] if self.chat == "roles" else [*OWN_TOKENS[self.chat]]


def config(specials: Specials, vocabulary: Vocabulary) -> bytes:
    """The tokenizer_config.json of a tokenizer: what it has of the special tokens, and the chat template if it has all of that's."""
    present = {key: token for key, token in _uses(specials) if token in vocabulary.added}
    chat = {"chat_template": specials.chat_template()} if all(token in vocabulary.added for token in specials.speaking()) else {}
    content = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": int(1e30),
        "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": dict(sorted(_added(vocabulary), key=lambda item: int(item[0]))),
        **present,
        **chat,
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def with_template(config_file: bytes, template: str) -> bytes:
    """A tokenizer_config.json with another chat template."""
    return (json.dumps({**json.loads(config_file), "chat_template": template}, indent=1, ensure_ascii=False) + "\n").encode()


def _uses(specials: Specials) -> Iterator[tuple[str, str]]:
    yield from (("bos_token", specials.bos), ("eos_token", specials.eos), ("pad_token", specials.pad))


def _added(vocabulary: Vocabulary) -> Iterator[tuple[str, Mapping[str, object]]]:
    for token in vocabulary.spec.get("added_tokens") or ():
        yield str(token["id"]), {key: value for key, value in token.items() if key != "id"}


def special_id(config_file: bytes, vocabulary: Vocabulary, use: str) -> int | None:
    """The id of the token that a tokenizer_config.json gives a use ("eos_token"), or None when it gives it none.

    `transformers` writes the token as text or as an object with `content`.
    """
    try:
        token = json.loads(config_file).get(use)
        text = token["content"] if isinstance(token, Mapping) else token
    except (ValueError, AttributeError, KeyError) as error:
        raise StorageError(f"{CONFIG} can't be read ({error!r}): give one that `transformers` has saved, or none") from error
    if text is None:
        return None
    found = vocabulary.added.get(text, vocabulary.ids.get(text))
    if found is None:
        raise StorageError(f"{CONFIG} names {text!r} as {use}, which is not in the vocabulary: the two files don't belong together")
    return int(found)
