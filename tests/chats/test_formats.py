"""The formats of conversations: how each is told, what its rows become, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.chats.detect import FORMATS, by_name, detect
from pipeline.chats.rows import Options, Refused

Q, A = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}
NO = {"role": "assistant", "content": "No."}
SAID = [{"speaker": "USER", "utterance": "Why?"}, {"speaker": "SYSTEM", "utterance": "So."}]

#: A row of each format, and its messages.
ROWS: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    ("messages", {"messages": [Q, A], "id": 1}, [Q, A]),
    ("sharegpt", {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]}, [Q, A]),
    ("alpaca", {"instruction": "Why?", "input": "", "output": "So."}, [Q, A]),
    ("alpaca", {"instruction": "Why?", "response": "So."}, [Q, A]),
    ("alpaca", {"instruction": "Why", "input": "1 2", "output": "So."}, [{"role": "user", "content": "Why\n\n1 2"}, A]),
    (
        "alpaca",
        {"instruction": "Why?", "output": "So.", "system": "Be brief.", "history": [["Hi", "Ho"]]},
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}, Q, A],
    ),
    ("dolly", {"instruction": "Why?", "context": "", "response": "So.", "category": "open_qa"}, [Q, A]),
    ("self_instruct", {"id": "t", "instruction": "Why?", "instances": [{"input": "", "output": "So."}]}, [Q, A]),
    ("prompt_completion", {"prompt": "Why?", "completion": "So.<|endoftext|>"}, [Q, A]),
    ("inputs_targets", {"inputs": "Why?", "targets": "So."}, [Q, A]),
    ("prompt_response", {"prompt": "Why?", "response": "So."}, [Q, A]),
    ("question_answer", {"question": "Why?", "answer": "So."}, [Q, A]),
    ("question_answer", {"query": "Why?", "response": "So.", "type": "x"}, [Q, A]),
    ("dialogue", {"dialogue_id": "1", "turns": SAID}, [Q, A]),
    ("preference", {"prompt": "Why?", "chosen": "So.", "rejected": "No."}, [Q, A]),
    ("preference", {"chosen": [Q, A], "rejected": [Q, NO]}, [Q, A]),
    (
        "preference",
        {"conversations": [{"from": "human", "value": "Why?"}], "chosen": {"from": "gpt", "value": "So."}, "rejected": 0},
        [Q, A],
    ),
    ("preference", {"prompt": [Q], "chosen": [A], "rejected": [A]}, [Q, A]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "row", "messages"), ROWS)
def test_a_row_of_each_format(name: str, row: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    found = detect([row])
    assert found is not None
    assert found.name == name
    (chat,) = found.read(row, Options())
    assert chat.messages == messages


def test_every_format_but_two_gives_conversations() -> None:
    assert {known.name for known in FORMATS} - {name for name, _, _ in ROWS} == {"oasst", "prompts", "answers"}
    assert all(by_name(known.name) is known for known in FORMATS)
    assert detect([]) is None
    assert detect([{"text": "no conversation"}]) is None
    alpaca, qa = {"instruction": "a", "output": "b"}, {"question": "a", "answer": "b"}
    assert detect([alpaca, qa]) is None
    assert detect([qa, alpaca, alpaca]) is by_name("alpaca")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"instruction": "Why?", "output": " "}, "no_answer"),
        ({"instruction": " ", "input": "", "output": "So."}, "no_question"),
        ({"instruction": "Why?", "output": 3}, "not_text"),
        ({"instruction": "Why?", "output": "So.", "history": ["x"]}, "not_text"),
        ({"instruction": "Why?"}, "no_answer"),
        ({"question_id": "1", "turns": [{"content": "Why?"}]}, "no_answer"),
        ({"answer_id": "1", "question_id": "1", "choices": [{"turns": [{"content": "So."}]}]}, "no_question"),
        ({"conversations": [{"from": "narrator", "value": "x"}]}, "unknown_role"),
        ({"conversations": [{"from": None, "value": "x"}]}, "unknown_role"),
        ({"conversations": [{"from": "human", "value": ["x"]}]}, "not_text"),
        ({"conversations": [{"from": "function_call", "value": "not json"}]}, "bad_tool_call"),
        ({"conversations": [{"from": "function_call", "value": "[]"}]}, "bad_tool_call"),
        ({"conversations": [{"from": "human", "value": "x"}], "tools": "{"}, "bad_tools"),
        ({"question": "Why?", "answer": ""}, "no_answer"),
        ({"chosen": "So.", "rejected": "No."}, "no_question"),
        ({"prompt": "Why?", "chosen": 1, "rejected": 2}, "not_text"),
        ({"message_tree_id": "1", "prompt": {"role": "prompter", "text": "Why?", "replies": []}}, "no_answer"),
        (
            {"message_tree_id": "1", "prompt": {"role": "prompter", "text": None, "replies": [{"role": "assistant", "text": "So."}]}},
            "not_text",
        ),
    ],
)
def test_rows_that_give_no_conversation(row: dict[str, Any], reason: str) -> None:
    found = detect([row])
    assert found is not None
    with pytest.raises(Refused) as caught:
        found.read(row, Options())
    assert str(caught.value) == reason


def test_tools() -> None:
    row = {
        "conversations": [
            {"from": "human", "value": "Add"},
            {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'},
            {"from": "observation", "value": "1"},
        ],
        "tools": '[{"name": "add"}]',
        "system": "You add.",
    }
    (chat,) = by_name("sharegpt").read(row, Options())  # type: ignore[union-attr]
    assert [message["role"] for message in chat.messages] == ["system", "user", "assistant", "tool"]
    assert chat.messages[2]["tool_calls"] == [{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}]
    assert chat.tools == [{"name": "add"}]


def reply(text: str, role: str = "assistant", replies: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"text": text, "role": role, "replies": replies or [], "lang": "en-US", **more}


TREE = {
    "message_tree_id": "1",
    "prompt": reply(
        "Why?", "prompter",
        [
            reply("second", rank=1),
            reply("best", rank=0, replies=[reply("More?", "prompter", [reply("More.")]), reply("unanswered", "prompter")]),
            reply("deleted", rank=-1, deleted=True),
            reply("unranked"),
        ],
    ),
}  # fmt: skip


def test_trees() -> None:
    found = detect([TREE])
    assert found is not None
    (chat,) = found.read(TREE, Options())
    assert [message["content"] for message in chat.messages] == ["Why?", "best", "More?", "More."]
    assert (chat.lang, chat.messages[0]["role"]) == ("en", "user")
    every = found.read(TREE, Options(paths="all"))
    assert [[message["content"] for message in chat.messages][-1] for chat in every] == ["More.", "second", "unranked"]


def test_a_tree_deeper_than_the_stack() -> None:
    node = reply("end")
    for depth in range(3000):
        node = reply(str(depth), "prompter" if depth % 2 == 0 else "assistant", [node])
    row = {"message_tree_id": "1", "prompt": reply("Why?", "prompter", [node])}
    (chat,) = by_name("oasst").read(row, Options())  # type: ignore[union-attr]
    assert len(chat.messages) == 3002


def test_pairs_are_kept_apart() -> None:
    row = {"prompt": "Why?", "chosen": "So.", "rejected": "No."}
    found = by_name("preference")
    assert found is not None
    chats = found.read(row, Options(preference="both"))
    assert [(chat.messages[-1]["content"], chat.about["preference"]) for chat in chats] == [("So.", "chosen"), ("No.", "rejected")]
    (worse,) = found.read(row, Options(preference="rejected"))
    assert worse.messages[-1]["content"] == "No."


def test_notes_of_a_calculator() -> None:
    row = {"question": "Half of 48?", "answer": "48/2 = <<48/2=24>>24\n#### 24"}
    found = by_name("question_answer")
    assert found is not None
    assert found.read(row, Options())[0].messages[1]["content"] == row["answer"]
    assert found.read(row, Options(annotations="strip"))[0].messages[1]["content"] == "48/2 = 24\n#### 24"


def test_instances_of_a_task() -> None:
    row = {"instruction": "Sum", "instances": [{"input": "1 2", "output": "3"}, {"input": "2 2", "output": "4"}]}
    found = by_name("self_instruct")
    assert found is not None
    assert [chat.messages[1]["content"] for chat in found.read(row, Options())] == ["3", "4"]


MORE = [Q, A, {"role": "user", "content": "And?"}, {"role": "assistant", "content": "That."}]
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"prompt": "Why?", "chosen": MORE, "rejected": 0}, MORE),  # the prompt is the first question alone
        ({"prompt": [SYSTEM, Q], "chosen": MORE, "rejected": 0}, [SYSTEM, *MORE]),
        ({"prompt": [SYSTEM, Q], "chosen": [SYSTEM, Q, A], "rejected": 0}, [SYSTEM, Q, A]),
        ({"prompt": [Q], "chosen": MORE[1:], "rejected": 0}, MORE),  # an answer of several turns
        ({"prompt": MORE[:3], "chosen": MORE[2:], "rejected": 0}, MORE),  # the last question again
        ({"prompt": MORE[:3], "chosen": MORE, "rejected": 0}, MORE),
    ],
)
def test_no_turn_of_a_pair_is_lost_or_said_twice(row: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    (chat,) = by_name("preference").read(row, Options())  # type: ignore[union-attr]
    assert chat.messages == messages
