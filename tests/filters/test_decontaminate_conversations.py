"""Evaluation items planted in conversations: found in any message and across two, named, and the conversation goes whole."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from talk_kit import batch, talk

from pipeline.evals.items import read_items
from pipeline.filters.decontaminate import decontaminate
from pipeline.registry import bind


def sentence(name: str, words: int) -> str:
    draw = random.Random(name)
    return " ".join("".join(draw.choices("abcdefghij", k=5)) for _ in range(words))


QUESTION, ANSWER, SHORT = sentence("question", 20), sentence("answer", 15), sentence("short", 6)
CLEAN = talk("s: Be brief.", f"u: {sentence('asked', 30)}", f"a: {sentence('said', 60)}")


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    path = tmp_path / "exam.jsonl"
    path.write_text(
        "".join(json.dumps(item) + "\n" for item in ({"question": QUESTION, "answer": ANSWER}, {"question": SHORT, "answer": "x y"}))
    )
    return path


PLANTED = {
    "asked": talk(f"u: Please help: {QUESTION.upper()}?", "a: No."),
    "answered": talk("u: Say it", f"a: So: {ANSWER}."),
    "asked later": [*CLEAN, *talk(f"u: {QUESTION}", "a: Yes.")],
    "in the system's": [*talk(f"s: {QUESTION}"), *CLEAN[1:]],
    "in a tool's": talk("u: Look", 'c: [{"function": {"name": "f"}}]', f"t: {QUESTION}", "a: There."),
    "as an argument": talk("u: Look", "c: " + json.dumps([{"function": {"name": "f", "arguments": {"q": QUESTION}}}])),
}


@pytest.mark.parametrize("action", ["drop", "cut"])
@pytest.mark.parametrize("where", PLANTED)
def test_an_item_is_found_in_any_message_and_named(exam: Path, where: str, action: str) -> None:
    docs = batch(CLEAN, PLANTED[where], talk("u: Hi", "a: Ho"))
    found = bind("filter", "decontaminate", {"evals": [str(exam)], "action": action, "margin": 10})[0](docs)
    assert found.reasons.to_pylist() == [None, "decontaminate:overlap", None]
    assert found.signals["hit"].to_pylist() == [None, "exam.jsonl:1", None]
    assert found.text is None or found.text.null_count == 3
    assert (found.signals["matched"].to_pylist()[1] or "").lower() in (QUESTION, ANSWER)


@pytest.mark.parametrize("method", ["ngrams", "qa"])
def test_a_question_and_its_answer_in_two_messages(exam: Path, method: str) -> None:
    docs = batch(talk(f"u: {SHORT}?", "a: X, y!"), talk(f"u: {SHORT}?", "a: Nothing."), CLEAN)
    found = bind("filter", "decontaminate", {"evals": [str(exam)], "method": method})[0](docs)
    assert found.reasons.to_pylist() == ["decontaminate:overlap", None, None]
    assert found.signals["hit"].to_pylist()[0] == "exam.jsonl:2"


def test_documents_beside_conversations_are_cut(exam: Path) -> None:
    docs = batch(f"{sentence('before', 100)} {QUESTION} {sentence('after', 100)}", talk(f"u: {QUESTION}", "a: Yes."))
    found = decontaminate(docs, evals=[str(exam)], action="cut")
    assert found.reasons.to_pylist() == [None, "decontaminate:overlap"]
    assert QUESTION not in (found.text.to_pylist()[0] or QUESTION)
    assert found.edits == {"passages": 1}


def test_published_items_in_conversations(corpus: Path) -> None:
    """Every twentieth item of GSM8K and MT-Bench as a user asks it: found, and each called by its own name."""
    evals = [str(corpus / "evals" / name) for name in ("gsm8k", "mt_bench")]
    items = read_items(evals)[::20]
    asked = [talk("s: You help.", f"u: Could you solve this? {item.question}", "a: I will think about it first.") for item in items]
    found = decontaminate(batch(CLEAN, *asked), evals=evals)
    hits = found.signals["hit"].to_pylist()
    assert hits[0] is None
    named = [hit == item.name for hit, item in zip(hits[1:], items, strict=True)]
    assert len(items) > 10
    assert sum(named) >= 0.95 * len(items)
