"""Planted faults of conversations, one of each kind, and a clean set in which none is found."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from talk_kit import batch, talk, verdicts

from pipeline.chats.arithmetic import Unreadable, holds, value_of
from pipeline.conversations import Message, messages_of
from pipeline.filters.pieces import pieces_of
from pipeline.registry import bind

FILTERS = ("chat_roles", "chat_answers", "chat_repetition", "chat_language", "chat_arithmetic")

LONG = (
    "The mill stands at the river, and its wheel turns day and night. Farmers bring their grain in autumn, wait in the yard, and "
    "talk about the weather. Inside it is dark and loud; flour lies on every beam like snow. When the water is low, the miller sits "
    "on the wall and counts the swallows. "
)
CALL = 'c: [{"type": "function", "function": {"name": "f", "arguments": {}}}]'

GERMAN = (
    "Das Wasser treibt das Rad an, und das Rad dreht den Stein, der das Korn zerreibt. Im Herbst bringen die Bauern ihr Getreide, "
    "warten im Hof und reden über das Wetter. Drinnen ist es dunkel und laut, und das Mehl liegt wie Schnee auf den Balken."
)

#: Written for this test, each read by hand: nothing in them is a fault.
CLEAN = [
    talk("u: What is a mill?", "a: A building in which grain is ground."),
    talk("s: Be brief.", "u: Hi", "a: Hello."),
    talk("u: 2+2?", "a: 4"),
    talk("u: Is the sky blue?", "a: Yes"),
    talk("u: Name three grains.", "a: - wheat\n- rye\n- barley"),
    talk("u: Write a loop.", "a: ```python\nfor i in range(3):\n    print(i)\n```"),
    talk("u: And in C?", "a: Use this:\n\n```c\nfor (int i = 0; i < 3; i++) puts(\"x\");\n```\n\nIt prints x three times."),
    talk("u: How do I print?", "a: With ```cout << x``` and so on."),
    talk("u: Weather?", "a: Let me look.", CALL, "t: rain", "a: It rains."),
    talk("u: Two calls", CALL, "t: one", "t: two", "a: One and two."),
    talk("u: Wer bist du?", "a: Ein Programm, das Fragen beantwortet."),
    talk("u: " + LONG, "a: " + LONG.replace("mill", "house").replace("river", "hill")),
    talk("u: Betty has 48 apples and gives half away.", "a: She gives 48/2 = <<48/2=24>>24.\n#### 24"),
    talk("u: A third of 10?", "a: 10/3 = <<10/3=3.33>>3.33"),
    talk("u: Percent?", "a: <<20%*50=10>>10, and <<0.2*50=10.0>>10.0"),
    talk("u: Write a poem.", "a: The wheel goes round\nthe water falls\nthe flour is white"),
    talk("u: Repeat after me: I am a mill.", "a: I am a mill, you say; what shall I grind for you today, and how fine should it be?"),
    talk("u: Fix: I has a mill", "a: I have a mill."),
    talk("u: What's GPT-3?", "a: A language model developed by OpenAI: it gives each next word a probability, learnt from texts."),
    talk("u: Can AI help?", "a: AI helps with many tasks; an assistant can write, sum up and explain."),
    talk("u: Translate 'mill' to German.", "a: Mühle"),
    talk("u: Define [INPUT].", "a: The word stands for whatever is put in."),
    talk("u: Show a Markdown heading.", "a: ## Results\n\nThe text goes here."),
    talk("u: Instruction set?", "a: An instruction set lists what a processor can do: add, jump, load."),
    talk("u: Sing", "a: La la la la la la la la la la la la"),
    talk("u: Count", "a: " + ", ".join(map(str, range(200))) + "."),
    talk("u: Is x < y?", "a: If x << 2 is meant, that is a shift: x * 4."),
    talk("u: Tell me more.", "a: Of what?", "u: Mills.", "a: Windmills or watermills?", "u: Both.", "a: " + LONG),
    talk("u: ok?", "a: ok", "u: sure?", "a: yes", "u: really?", "a: ok, really"),
    talk("u: Sorry, can you help?", "a: Of course! I'm sorry to hear that you have trouble. What is it?"),
    talk("u: Shall I say sorry?", "a: Say: \"I can't come, I'm sorry.\" That is polite and short."),
    talk("u: Limits?", "a: You can't divide by zero; I cannot think of any other limit here."),
    talk("u: JSON?", 'a: {"a": [1, 2, 3]}'),
    talk("u: Quote", "a: > The wheel\n> turns."),
    talk("u: Table", "a: | a | b |\n|---|---|\n| 1 | 2 |"),
    talk("u: 日本の首都は?", "a: 東京です。"),
    talk("u: Long list", "a: " + "\n".join(f"{n}. item number {n} of the list" for n in range(1, 60))),
    talk("u: Play the miller.", "a: Miller: \"Welcome! What brings you here?\""),
    talk("u: Erkläre mir bitte ausführlich, wie eine Mühle funktioniert und warum sie am Fluss steht, mit allen Einzelheiten.",
         "a: Das Wasser treibt das Rad an, das Rad dreht die Welle, die Welle den Mühlstein, der das Korn zerreibt. Darum der Fluss."),
    talk("u: Please translate this into German. " + LONG, "a: " + GERMAN),
]  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    assert len(CLEAN) == 40
    found = {number: reason for number, reason in enumerate(verdicts(name, *CLEAN)) if reason}
    assert found == {}


FAULTS: list[tuple[str, list[Message], str]] = [
    ("chat_roles", talk("a: Hello.", "u: Hi", "a: Yes?"), "bad_start"),
    ("chat_roles", talk("s: Be brief.", "a: Hello."), "bad_start"),
    ("chat_roles", talk("u: Hi", "s: Be brief.", "a: Hello."), "late_system"),
    ("chat_roles", talk("s: Be brief.", "s: Be kind.", "u: Hi", "a: Hello."), "late_system"),
    ("chat_roles", talk("u: Hi", "u: You there?", "a: Hello."), "same_role_twice"),
    ("chat_roles", talk("u: Hi", "a: Hello.", "a: Again."), "same_role_twice"),
    ("chat_roles", talk("u: Hi", "t: 1", "a: Hello."), "tool_without_call"),
    ("chat_roles", talk("u: Hi", "a: Hello.", "t: 1", "a: So."), "tool_without_call"),
    ("chat_roles", talk("u: Hi"), "no_answer"),
    ("chat_roles", talk("s: Be brief."), "no_answer"),
    ("chat_roles", [], "no_answer"),
    ("chat_roles", talk("u: Hi", "a: Hello.", "u: And?"), "no_last_answer"),
    ("chat_answers", talk("u: Hi", "a: "), "empty"),
    ("chat_answers", talk("u: Hi", "a: \n \t"), "empty"),
    ("chat_answers", talk("u: Hi", "a: \u00a0\u3000"), "empty"),
    ("chat_answers", talk("u: Hi", "a: I\u2019m sorry, but I can\u2019t help with that."), "refused"),
    ("chat_answers", talk("u: Hi", "a: Hello.", "u: And?", "a: "), "empty"),
    ("chat_answers", talk("u: Hi", "a: " + LONG + "It stands there because of"), "truncated"),
    ("chat_answers", talk("u: Hi", "a: " + LONG + "wheat, rye,"), "truncated"),
    ("chat_answers", talk("u: Hi", "a: I'm sorry, but I can't help with that."), "refused"),
    ("chat_answers", talk("u: Hi", "a: Sorry, but I'm unable to assist."), "refused"),
    ("chat_answers", talk("u: Hi", "a: I cannot provide that."), "refused"),
    ("chat_answers", talk("u: Hi", "a: Well. As an AI language model, I have no taste."), "boilerplate"),
    ("chat_answers", talk("u: Hi", "a: Hello.<|im_end|>"), "template"),
    ("chat_answers", talk("u: [INST] Hi [/INST]", "a: Hello."), "template"),
    ("chat_answers", talk("u: Hi", "a: Hello.\n### Instruction:\nNext"), "template"),
    ("chat_answers", talk("u: Hi", "a: Hello.\nHuman: And you?"), "template"),
    ("chat_answers", talk("s: <<SYS>> x <</SYS>>", "u: Hi", "a: Hello."), "template"),
    ("chat_answers", talk("u: Hi", "a: ```python\nprint(1)"), "code_fence"),
    ("chat_answers", talk("u: What is a mill at the river?", "a: what is a mill at the river?"), "copied"),
    ("chat_answers", talk("u: What is a mill at the river?", "a: What is a mill at the river? Yes."), "copied"),
    ("chat_answers", talk("u: Hi", "a: " + "x" * 100_001), "long"),
    ("chat_repetition", talk("u: Hi", "a: " + "the wheel turns and the water falls on and on today " * 20), "dup_10gram"),
    ("chat_repetition", talk(*["u: Hi", "a: I don't know."] * 4), "same_answers"),
    ("chat_language", talk("u: " + LONG, "a: " + GERMAN), "mismatch"),
    ("chat_arithmetic", talk("u: Half of 48?", "a: <<48/2=26>>26"), "wrong"),
    ("chat_arithmetic", talk("u: A third of 10?", "a: <<10/3=3.4>>3.4"), "wrong"),
]


@pytest.mark.parametrize(("name", "conversation", "reason"), FAULTS)
def test_a_planted_fault(name: str, conversation: list[Message], reason: str) -> None:
    assert verdicts(name, CLEAN[0], conversation, "no conversation", CLEAN[1]) == [None, reason, None, None]


def test_every_rule_has_a_fault_and_can_be_turned_off() -> None:
    keys: dict[str, dict[str, Any]] = {
        "chat_roles": dict.fromkeys(
            ("min_answers", "max_bad_starts", "max_late_systems", "max_repeats", "max_lone_tools", "max_open_ends")
        ),
        "chat_answers": dict.fromkeys(
            (
                "max_empty",
                "max_truncated",
                "max_refusals",
                "max_boilerplate",
                "max_leaks",
                "max_open_fences",
                "max_copies",
                "max_message_chars",
            )
        ),
        "chat_repetition": {"max_dup_10gram": None, "max_same_answers": None},
        "chat_arithmetic": {"max_wrong": None},
    }
    for name, off in keys.items():
        assert set(verdicts(name, *[talks for filter_name, talks, _ in FAULTS if filter_name == name], **off)) == {None}
        every = set(bind("filter", name, {})[0].args) - {
            "truncated_from",
            "refusals",
            "boilerplate",
            "min_answer_chars",
            "same_answers_from",
            "min_chars",
        }
        assert set(off) == every


def test_what_is_measured() -> None:
    step, _ = bind("filter", "chat_answers", {"min_answer_chars": 3})
    found = step(batch(talk("u: Hi", "a: Ho", "u: x", "a: long"), "document", talk("u: Hi", "a: ", CALL, "t: 1", "a: Done.")))
    assert found.signals["answer_chars"].to_pylist() == [2, 0, 5]
    assert found.signals["message_chars"].to_pylist() == [4, 0, 5]
    assert found.signals["empty"].to_pylist() == [0, 0, 0]
    assert found.reasons.to_pylist() == ["chat_answers:short", None, None]


@pytest.mark.parametrize("name", FILTERS)
def test_batches_without_conversations_and_without_rows(name: str) -> None:
    assert verdicts(name) == []
    assert verdicts(name, "a document", "") == [None, None]
    sliced = batch(*CLEAN).slice(7, 5)
    step, _ = bind("filter", name, {})
    whole = step(batch(*CLEAN))
    part = step(sliced)
    assert all(part.signals[key].equals(whole.signals[key].slice(7, 5)) for key in whole.signals)


texts = st.text(st.characters(exclude_characters="\x1e", exclude_categories=["Cs"]), max_size=40)
chats = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant", "tool"]), texts, st.none() | st.just("[]")), max_size=6)


@given(st.lists(st.one_of(chats, texts), max_size=5))
def test_any_conversation_has_verdicts(talks: list[Any]) -> None:
    docs = batch(*talks)
    for name in FILTERS:
        found = bind("filter", name, {})[0](docs)
        assert len(found.reasons) == docs.num_rows
        json.dumps([column.to_pylist() for column in found.signals.values()])
    said = pieces_of(docs)
    flat = [(row, message.content) for row, item in enumerate(talks) if not isinstance(item, str) for message in item]
    assert list(zip(said.rows.tolist(), said.text.to_pylist(), strict=True)) == flat
    assert said.first.sum() == said.last.sum() == len(np.unique(said.rows))


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("48/2=24", True), ("48/2=25", False), ("10/3=3.33", True), ("10/3=3.34", False), ("10/3=3.4", False),
        ("10/3=3", True), ("11/3=3", True), ("11/3=4", True), ("11/3=5", False), ("2(3+4)=14", True),
        ("1,000*2=2,000", True), ("$5*3=15", True), ("20%*50=10", True), (".5*4=2", True), ("-3+5=2", True), ("2*-3=-6", True),
        ("3x4=12", True), ("6÷2=3", True), ("1+1=1+1", True), ("a+b=c", None), ("5", None), ("", None), ("1/0=0", None), ("2**3=8", None),
        ("__import__('os')=1", None), ("(1+2=3", None), ("1 2=3", None), ("1+2+3=3+3=6", True), ("7*8=56.0", True), ("7*8=56.1", False),
        ("1/3=33%", True), ("1/3=33.3%", True), ("1/3=50%", False), ("1/3=34 %", False), ("2/3=67%", True), ("3/4=75%", True),
        ("1/3=33.3 %", True), ("1/3=33.5 %", False), ("(" * 300 + "1" + ")" * 300 + "=1", None),
    ],
)  # fmt: skip
def test_calculations(note: str, expected: bool | None) -> None:
    assert holds(note) is expected


@given(st.integers(-999, 999), st.integers(-999, 999), st.integers(1, 99), st.sampled_from("+-*"))
def test_calculations_are_exact(one: int, two: int, three: int, sign: str) -> None:
    expected = Fraction(eval(f"({one} {sign} {two})")) / three  # the numbers are this test's own
    assert value_of(f"({one} {sign} {two}) / {three}") == expected


def test_what_is_no_calculation() -> None:
    for text in ("", "1+", ")", "1..2", "1 + * 2", "sin(1)"):
        with pytest.raises(Unreadable):
            value_of(text)


def test_who_asks_for_a_translation_is_named_by_the_recipe() -> None:
    asked = talk("u: Please translate this into German. " + LONG, "a: " + GERMAN)
    answered = talk("u: " + LONG, "a: " + GERMAN + " Translate!")
    assert verdicts("chat_language", asked, answered) == [None, "mismatch"]
    assert verdicts("chat_language", asked, answered, unless=[]) == ["mismatch", "mismatch"]


def test_what_is_replaced_is_replaced_in_its_message() -> None:
    docs = batch(talk("u: Write to jane.roe@gmail.com", "a: I wrote to jane.roe@gmail.com.", "u: Thanks", "a: Welcome."))
    edited = bind("filter", "pii", {})[0](docs).text.to_pylist()[0]
    assert "jane" not in edited
    assert [message.role for message in messages_of(edited, docs["turns"].to_pylist()[0])] == ["user", "assistant"] * 2


def test_numbers_without_end_are_no_calculation() -> None:
    assert holds("1" * 1_000_000 + "*2=3") is None
    assert holds("*".join(["9" * 3000] * 90) + "=3") is None
    assert holds("1*2=3") is False
