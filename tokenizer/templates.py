"""Chat templates: conversations as text, and which characters of it the model is to learn.

Three are built in: `roles` (the tokenizer's own tokens <|user|> ... <|end|>), `chatml` (OpenAI's ChatML, as Qwen and others write
it) and `llama3` (the layout of Llama 3). Any other is given as Jinja, by a file of its own or by a tokenizer_config.json.

What is learnt of a conversation is found by rendering it. A template with `{% generation %}` says it itself. Of any other, the
conversation is rendered up to each answer with `add_generation_prompt`, and once more with the answer: what the second adds
is the answer, up to its last special token, which ends the turn. Each rendering must begin with the one before and the whole with
all of them; where it doesn't, because the template rewrites earlier turns, nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import StorageError
from tokenizer.sandbox import APART, CLOSES, OPENS, BadTemplate, Refused, Rendered, Sandbox

Message = Mapping[str, Any]

ROLES = ("system", "user", "assistant", "tool")
#: Special tokens of the built-in templates, beside the tokenizer's own.
CHATML = ("<|im_start|>", "<|im_end|>")
LLAMA3 = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
#: What is wrong with a conversation: the reasons it may be dropped for.
REFUSED, REWRITTEN = "template_refused", "turns_rewritten"

_TOOLS = (
    "{% if tools %}"
    "{{ BEGIN_system ~ 'Tools that can be called, a JSON schema each:' }}"
    "{% for tool in tools %}{{ '\\n' ~ tool|tojson }}{% endfor %}"
    "{{ END ~ NEXT }}"
    "{% endif %}"
)
_CALLS = (
    "{% for call in message['tool_calls'] or [] %}"
    "{{ '<tool_call>' ~ (call['function'] if 'function' in call else call)|tojson ~ '</tool_call>' }}"
    "{% endfor %}"
)
_MESSAGES = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "{{ BEGIN_assistant }}{% generation %}{{ CONTENT }}" + _CALLS + "{{ END }}{% endgeneration %}{{ NEXT }}"
    "{% elif message['role'] in ROLES %}"
    "{{ BEGIN_message ~ CONTENT ~ END ~ NEXT }}"
    "{% else %}{{ raise_exception('unknown role ' ~ message['role']) }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ BEGIN_assistant }}{% endif %}"
)


def roles(names: Sequence[str] = ROLES, end: str = "<|end|>") -> str:
    """<|user|>...<|end|><|assistant|>...<|end|>: a special token for each who speaks, and one that ends what they say."""
    return _filled("'<|' ~ {} ~ '|>'", json.dumps(end), "''", names)


def chatml() -> str:
    """<|im_start|>user\\n...<|im_end|>\\n, texts as they are."""
    start, end = CHATML
    return _filled(f"'{start}' ~ {{}} ~ '\\n'", f"'{end}'", "'\\n'", ROLES)


def llama3() -> str:
    """BOS, then <|start_header_id|>user<|end_header_id|>\\n\\n...<|eot_id|>, texts without blanks around them."""
    start, stop, end = LLAMA3
    body = _filled(f"'{start}' ~ {{}} ~ '{stop}\\n\\n'", f"'{end}'", "''", ROLES, content="(message['content'] or '')|trim")
    return "{{ bos_token }}" + body


def _filled(begin: str, end: str, after: str, names: Sequence[str], content: str = "(message['content'] or '')") -> str:
    """The common body; `begin` is an expression with a place for who speaks."""
    out = (_TOOLS if "system" in names else "") + _MESSAGES
    for name, text in (
        ("BEGIN_system", begin.format("'system'")), ("BEGIN_assistant", begin.format("'assistant'")),
        ("BEGIN_message", begin.format("message['role']")), ("CONTENT", content), ("END", end), ("NEXT", after),
        ("ROLES", json.dumps(list(names))),
    ):  # fmt: skip
        out = out.replace(name, text)
    return out


BUILT_IN: Mapping[str, Callable[[], str]] = {"roles": roles, "chatml": chatml, "llama3": llama3}
OWN_TOKENS: Mapping[str, Sequence[str]] = {"roles": (), "chatml": CHATML, "llama3": LLAMA3}


def read_template(content: bytes, name: str) -> str:
    """The Jinja of a file: the `chat_template` of a tokenizer_config.json (or chat_template.json), or the file itself."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise StorageError(f"{name} is no chat template: it is not UTF-8 ({error})") from error
    if not name.endswith(".json"):
        return text
    try:
        found = json.loads(text).get("chat_template")
    except (ValueError, AttributeError) as error:
        raise StorageError(f"{name} can't be read as a tokenizer's configuration ({error!r})") from error
    if isinstance(found, list):  # several, by name: the default one is for conversations
        found = next((entry.get("template") for entry in found if entry.get("name") == "default"), None)
    if not isinstance(found, str):
        raise StorageError(f"{name} has no chat_template: give the Jinja file that is with it (chat_template.jinja), or another template")
    return found


@dataclass(frozen=True)
class Conversation:
    """A conversation as a template writes it: `text`, and for each answer the characters (start, stop) that are to be learnt."""

    text: str
    spans: Sequence[tuple[int, int]]


class Unusable(Exception):
    """A conversation can't be rendered with its turns known; `reason` is counted, the text is its evidence."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class ChatTemplate:
    """A template of one tokenizer. `specials`: the texts of its special tokens; `variables`: those that have a use (bos_token ...)."""

    def __init__(self, source: str, name: str, specials: Sequence[str], variables: Mapping[str, str | None]) -> None:
        """BadTemplate when it is none that can be used (see tokenizer.sandbox)."""
        self.source, self.name = source, name
        self.special = re.compile("|".join(map(re.escape, sorted(specials, key=len, reverse=True))) or r"(?!)")
        self._sandbox = Sandbox(source, name)
        self._variables = {key: value for key, value in variables.items() if value is not None}

    def render(self, messages: Sequence[Message], tools: Sequence[Any] | None = None, *, add_generation_prompt: bool = False) -> str:
        """The text, as `transformers` gives it; Refused when the template won't have these messages."""
        return self._render(messages, tools, add_generation_prompt).text

    def conversation(self, messages: Sequence[Message], tools: Sequence[Any] | None = None) -> Conversation:
        """The text and its answers. Within what is said, special tokens are set apart by a character (see `apart`).

        Raises Unusable naming what is wrong with the conversation, BadTemplate what is wrong with the template.
        """
        said, given = self.apart(messages), self.apart(tools)
        try:
            rendered = self._render(said, given, False)
            spans = rendered.spans if self._sandbox.marks_turns else list(self._turns(said, given, rendered.text))
        except Refused as error:
            raise Unusable(REFUSED, str(error)) from error
        answers = [message for message in said if message["role"] == "assistant"]
        if len(spans) != len(answers):
            raise BadTemplate(
                f"{self.name} marks {len(spans)} of {len(answers)} answers: each is to stand in a {{% generation %}} of its own"
            )
        for span, answer in zip(spans, answers, strict=True):
            self._check(rendered.text[slice(*span)], answer)
        return Conversation(rendered.text, spans)

    def apart(self, value: Any) -> Any:
        """Plain data with APART within every text of it, keys too, that reads like a special token: it stays text when the rest is
        told apart.
        """
        if isinstance(value, str):
            if OPENS in value or CLOSES in value or APART in value:
                raise Unusable(REFUSED, "it holds a noncharacter of Unicode (U+FDD0 to U+FDD2)")
            while found := self.special.search(value):
                value = value[: found.start() + 1] + APART + value[found.start() + 1 :]
            return value
        if isinstance(value, Mapping):
            return {self.apart(key): self.apart(item) for key, item in value.items()}
        return [self.apart(item) for item in value] if isinstance(value, list | tuple) else value

    def _render(self, messages: Sequence[Message], tools: Sequence[Any] | None, prompt: bool) -> Rendered:
        values = {"messages": messages, "tools": tools, "documents": None, "add_generation_prompt": prompt}
        return self._sandbox.render({**self._variables, **values})

    def _turns(self, messages: Sequence[Message], tools: Sequence[Any] | None, whole: str) -> Iterator[tuple[int, int]]:
        """What each answer adds to the conversation before it, up to its last special token."""
        for number, message in enumerate(messages):
            if message["role"] == "assistant":
                before = self._render(messages[:number], tools, True).text
                after = self._render(messages[: number + 1], tools, False).text
                common = _common(after, whole)
                if not after.startswith(before) or common < len(after.rstrip()):
                    raise Unusable(REWRITTEN, f"message {number}: the template writes what is before it otherwise once it is there")
                ends = [found.end() for found in self.special.finditer(after, len(before), common)]
                if not ends:
                    raise BadTemplate(f"{self.name} ends an answer with no special token of the tokenizer: a model wouldn't learn to stop")
                yield len(before), ends[-1]

    def _check(self, learnt: str, answer: Message) -> None:
        """What is learnt of a turn is what the message says, and the token that ends it."""
        ends = [found.start() for found in self.special.finditer(learnt)]
        said = (learnt[: ends[-1]] if ends else learnt).strip()
        content = str(answer.get("content") or "").strip()
        if not (said.startswith(content) if answer.get("tool_calls") else said == content):
            raise BadTemplate(f"{self.name} has the model learn {said[:80]!r} where the answer is {content[:80]!r}")
        if not ends:
            raise BadTemplate(
                f"{self.name} leaves the token that ends an answer outside of {{% generation %}}: a model wouldn't learn to stop;"
                " move it inside"
            )


def _common(left: str, right: str) -> int:
    """The length of what two texts begin with alike."""
    if right.startswith(left):
        return len(left)
    return next((place for place, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
