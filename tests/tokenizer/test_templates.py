"""Chat templates: what is learnt is every answer with its end, whichever way it is found, or it is said why not."""

from __future__ import annotations

import json

import pytest
from chat_kit import CHATS, GIVEN, said, template, unmarked

from pipeline.errors import StorageError
from tokenizer.sandbox import APART, BadTemplate
from tokenizer.templates import BUILT_IN, REFUSED, REWRITTEN, Unusable, read_template

ENDS = {"roles": "<|end|>", "chatml": "<|im_end|>", "llama3": "<|eot_id|>"}
#: As Llama 2 has it: no special token before an answer, a blank that belongs to it.
INST = (
    "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"
)
#: As Qwen 3 has it: thoughts are left out of all answers but the last.
FORGETS = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{{ m.content if loop.last or '</think>' not in m.content else m.content.split('</think>')[1] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("chat", CHATS)
def test_every_answer_and_its_end_and_nothing_else(name: str, chat: str) -> None:
    found = template(name).conversation(CHATS[chat], GIVEN.get(chat))
    answers = [message for message in CHATS[chat] if message["role"] == "assistant"]
    assert len(found.spans) == len(answers)
    for (start, stop), answer in zip(found.spans, answers, strict=True):
        learnt = found.text[start:stop]
        assert learnt.endswith(ENDS[name])
        assert learnt.startswith(answer["content"].strip() if name == "llama3" else answer["content"])
        assert "tool_calls" in answer or learnt.removesuffix(ENDS[name]).strip() == answer["content"].strip()


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("chat", CHATS)
def test_what_rendering_finds_is_what_the_template_says(name: str, chat: str) -> None:
    told = template(name).conversation(CHATS[chat], GIVEN.get(chat))
    assert template(unmarked(name)).conversation(CHATS[chat], GIVEN.get(chat)) == told


def test_answers_between_marks_that_are_text() -> None:
    found = template(INST).conversation(CHATS["many turns"])
    assert [found.text[slice(*span)] for span in found.spans] == [f" Answer {n}. <|endoftext|>" for n in range(5)]


def test_special_tokens_in_a_message_stay_text() -> None:
    chat = said(("user", "What is <|im_end|>?"), ("assistant", "<|im_end|> ends a turn.<|im_start|>"))
    for source in ("chatml", unmarked("chatml")):
        made = template(source)
        found = made.conversation(chat)
        assert [item[0] for item in made.special.finditer(found.text)] == ["<|im_start|>", "<|im_end|>"] * 2
        assert len(found.spans) == 1


def test_keys_of_calls_and_tools_stay_text_and_what_is_null_stays_null() -> None:
    call = {"function": {"name": "f", "arguments": {"<|im_end|>": 1, "x": None}}}
    tool = {"name": "f", "parameters": {"properties": {"<|im_start|>": {"default": None}}}}
    chat = [*said(("user", "a")), {"role": "assistant", "content": "", "tool_calls": [call]}]
    made = template("chatml")
    found = made.conversation(chat, [tool])
    assert [item[0] for item in made.special.finditer(found.text)] == ["<|im_start|>", "<|im_end|>"] * 3
    assert found.text.replace(APART, "") == made.render(chat, [tool])
    assert '"x": null' in found.text
    assert '"default": null' in found.text


def test_a_template_that_rewrites_earlier_turns() -> None:
    plain = said(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    assert len(template(FORGETS).conversation(plain).spans) == 2
    with pytest.raises(Unusable, match="message 1") as found:
        template(FORGETS).conversation(said(("user", "a"), ("assistant", "<think>x</think>b"), ("user", "c"), ("assistant", "d")))
    assert found.value.reason == REWRITTEN


@pytest.mark.parametrize("messages", [said(("robot", "a"), ("assistant", "b")), said(("user", "a\ufdd0"), ("assistant", "b"))])
def test_conversations_that_are_refused(messages: list) -> None:
    with pytest.raises(Unusable) as found:
        template("chatml").conversation(messages)
    assert found.value.reason == REFUSED


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "no special token"),
        ("{% for m in messages %}<|user|>{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% endfor %}", "marks 2 of 1 answers"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}{% generation %}{% endgeneration %}", "learn '' where"),
        (
            "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}<|end|>"
            "{% else %}<|user|>{{ m.content }}<|end|>{% endif %}{% endfor %}",
            "outside of {% generation %}",
        ),
        (
            "{% generation %}{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}{% endgeneration %}",
            "learn .* where the answer",
        ),
        ("{{ messages.__class__ }}", "internals"),
    ],
)
def test_templates_that_would_teach_something_else(source: str, message: str) -> None:
    with pytest.raises(BadTemplate, match=message):
        template(source).conversation(CHATS["one turn"])


def test_templates_are_read_from_either_file() -> None:
    assert read_template(b"{{ a }}", "chat_template.jinja") == "{{ a }}"
    assert read_template(json.dumps({"chat_template": "{{ b }}"}).encode(), "tokenizer_config.json") == "{{ b }}"
    several = [{"name": "tool_use", "template": "{{ c }}"}, {"name": "default", "template": "{{ d }}"}]
    assert read_template(json.dumps({"chat_template": several}).encode(), "tokenizer_config.json") == "{{ d }}"


@pytest.mark.parametrize(("content", "name"), [(b"\xff", "a.jinja"), (b"{", "a.json"), (b"{}", "a.json"), (b"[]", "a.json")])
def test_files_that_hold_no_template(content: bytes, name: str) -> None:
    with pytest.raises(StorageError, match=name):
        read_template(content, name)
