"""Conversations with a model through its tokenizer's chat template, a Jinja text that is run in Jinja's sandbox."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from trainer.errors import ConfigError, DataError, TrainerError
from trainer.generate import Sampling
from trainer.speaking import Speaker

Message = dict[str, str]

#: Set within what is said where it reads like a special token, so that it stays text; a noncharacter, which no text holds.
APART = "\ufdd0"
#: An answer that no template changes.
ANSWER = "answer"


class Chat:
    """A conversation; the model forgets its oldest exchanges when its context is full."""

    def __init__(self, speaker: Speaker, system: str | None = None) -> None:
        """DataError when the tokenizer has no chat template, or one that can't be used."""
        if speaker.settings.template is None:
            raise DataError("the tokenizer has no chat template: tokenizer_config.json beside it must have one, as one of instruct-v1 does")
        self.speaker = speaker
        self.messages: list[Message] = [{"role": "system", "content": system}] if system else []
        self.forgotten = 0
        added = speaker.coder.get_added_tokens_decoder()
        self._specials = {token.content: number for number, token in added.items()}
        self._pattern = re.compile("|".join(map(re.escape, sorted(self._specials, key=len, reverse=True))) or "(?!)")
        self._template = _compiled(speaker.settings.template)
        self._ends = self._ends_of_answers()

    def say(self, text: str, tokens: int, how: Sampling, stops: Sequence[str] = ()) -> Iterator[str]:
        """The model's answer, as it is made; kept as what the next one follows."""
        self.messages.append({"role": "user", "content": text})
        said = ""
        for (piece,) in self.speaker.continued([self._prompt(tokens)], tokens, how, stops, self._ends):
            said += piece
            yield piece
        self.messages.append({"role": "assistant", "content": said.strip()})

    def ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids of a conversation up to where an answer begins; special tokens are the template's alone, as in training."""
        apart = [{key: self._apart(text) for key, text in message.items()} for message in messages]
        text, ids, at = self._render(apart, True), list[int](), 0
        for found in self._pattern.finditer(text):
            ids += [*self._plain(text[at : found.start()]), self._specials[found[0]]]
            at = found.end()
        return ids + self._plain(text[at:])

    def _prompt(self, tokens: int) -> list[int]:
        context = self.speaker.model.config.context
        while len(ids := self.ids(self.messages)) > context - min(tokens, context // 2):
            first = next(place for place, message in enumerate(self.messages) if message["role"] == "user")
            if first + 1 == len(self.messages):
                del self.messages[first]
                raise ConfigError(f"a conversation of {len(ids)} tokens doesn't fit this model's context of {context}: say less")
            del self.messages[first : first + 2]
            self.forgotten += 1
        return ids

    def _plain(self, text: str) -> list[int]:
        self.speaker.coder.encode_special_tokens = True  # as what they are spelled with
        return list(self.speaker.coder.encode(text.replace(APART, ""), add_special_tokens=False).ids) if text else []

    def _apart(self, text: str) -> str:
        text = text.replace(APART, "")
        return self._pattern.sub(lambda found: found[0][0] + APART + found[0][1:], text) if self._specials else text

    def _ends_of_answers(self) -> frozenset[int]:
        """The special token that the template sets after an answer."""
        asked = [{"role": "user", "content": "question"}, {"role": "assistant", "content": ANSWER}]
        found = self._pattern.search(self._render(asked, False).rpartition(ANSWER)[2])
        return frozenset({self._specials[found[0]]} if found else ())

    def _render(self, messages: Sequence[Message], prompt: bool) -> str:
        from jinja2 import TemplateError

        values = {"messages": messages, "tools": None, "documents": None, "add_generation_prompt": prompt}
        try:
            return str(self._template.render({**dict(self.speaker.settings.variables), **values}))
        except (TemplateError, TypeError, ValueError, KeyError, AttributeError, OverflowError, ZeroDivisionError) as error:
            raise DataError(f"the chat template can't write this conversation: {error}") from error


def _compiled(source: str) -> Any:
    if importlib.util.find_spec("jinja2") is None:
        raise TrainerError("jinja2 is not installed, and chat templates are written in it: pip install jinja2")
    from jinja2 import TemplateSyntaxError
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """{% generation %} marks what is learnt; here it says nothing."""

        tags = {"generation"}  # noqa: RUF012 - Jinja's own declaration

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def refuse(text: str) -> None:
        raise ValueError(text)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation])
    made.filters["tojson"] = lambda value, **how: json.dumps(value, ensure_ascii=False, **how)  # Jinja's own escapes HTML
    made.globals["raise_exception"] = refuse
    try:
        return made.from_string(source)
    except TemplateSyntaxError as error:
        raise DataError(f"the chat template is no Jinja: {error}") from error
