"""Conversations compared whole, by what is asked in them, or by how they begin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest
from dedupe_kit import FREE, Dedupe, Doc, dedupe, edited, text
from hypothesis import given
from hypothesis import strategies as st
from talk_kit import batch, talk

from pipeline.conversations import ROLES, SEPARATOR, Message, joined
from pipeline.dedupe.compared import Of, columns, compared
from pipeline.errors import StorageError

Chats = Mapping[str, list[Message]]
ASK, OTHER = text(40, "ask"), text(40, "other")
CALL = 'c: [{"function": {"name": "f"}}]'

CHATS: Chats = {
    "one": talk("s: Be brief.", f"u: {ASK}", f"a: {text(80, 'first answer')}"),
    "reworded": talk("s: Be brief.", f"u: {edited(ASK, 20)}", f"a: {text(60, 'second answer')}"),
    "longer": talk("s: Be brief.", f"u: {ASK}", f"a: {text(70, 'third answer')}", f"u: {OTHER}", f"a: {text(70, 'fourth answer')}"),
    "other": talk(f"u: {OTHER}", f"a: {text(80, 'first answer')}"),
}


def run(out: Path, chats: Chats, of: Of, *against: Dedupe, documents: tuple[Doc, ...] = ()) -> Dedupe:
    made = {name: joined(said) for name, said in chats.items()}
    docs = [*((name, found[0]) for name, found in made.items()), *documents]
    turns = {name: found[1] for name, found in made.items()}
    return dedupe(out, {"chat-00000": docs[::2], "chat-00001": docs[1::2]}, of=of, turns=turns, threshold=0.7, against=against, **FREE)


@pytest.mark.parametrize(
    ("of", "kept"),
    [("text", {"one", "reworded", "longer", "other"}), ("prompts", {"one", "longer", "other"}), ("first_prompt", {"longer", "other"})],
)
def test_of_those_that_ask_the_same_the_longest_conversation_stays(tmp_path: Path, of: Of, kept: set[str]) -> None:
    assert run(tmp_path, CHATS, of).kept == kept


def test_exact_copies_go_whole_and_by_their_prompts(tmp_path: Path) -> None:
    chats = {"a": CHATS["one"], "copy": CHATS["one"], "answered otherwise": [*CHATS["one"][:-1], Message("assistant", "No.")]}
    whole, asked = run(tmp_path / "text", chats, "text"), run(tmp_path / "prompts", chats, "prompts")
    assert len(whole.kept) == 2
    assert "answered otherwise" in whole.kept
    assert asked.kept < whole.kept
    assert asked.decisions["answered otherwise"][0] == "exact_duplicate"


def test_documents_and_what_asks_nothing_are_compared_by_their_texts(tmp_path: Path) -> None:
    chats = {"unasked": talk(f"a: {ASK}"), "unasked too": talk(f"a: {OTHER}"), "mark": talk("u: ?", f"a: {text(40, 'x')}")}
    documents = (("document", text(40, "document")), ("asking", ASK), ("copy", text(40, "document")))
    assert run(tmp_path, chats, "prompts", documents=documents).kept in (
        {"unasked too", "mark", one, two} for one in ("document", "copy") for two in ("asking", "unasked")
    )


def test_a_later_batch_is_compared_by_its_prompts_with_an_earlier_one(tmp_path: Path) -> None:
    first = run(tmp_path / "first", {"one": CHATS["one"]}, "prompts")
    later = run(tmp_path / "later", {"again": CHATS["reworded"], "new": CHATS["other"]}, "prompts", first)
    assert later.kept == {"new"}
    assert later.decisions["again"][:2] == ("near_duplicate", "one")


def test_what_is_compared() -> None:
    said = talk("s: S", "u: one", "a: A", CALL, "t: T", "a: B", "u: two", "a: C")
    docs = batch(said, "a document", talk("a: alone"), talk("u: !", "a: D"), [], said).slice(1)
    expected = {
        "text": docs.column("text").to_pylist(),
        "prompts": ["a document", "alone", f"!{SEPARATOR}D", "", SEPARATOR.join(["S", "one", "T", "two"])],
        "first_prompt": ["a document", "alone", f"!{SEPARATOR}D", "", "one"],
    }
    ways: list[Of] = ["text", "prompts", "first_prompt"]
    for of in ways:
        assert compared(docs.select(columns(of)), of).to_pylist() == expected[of]
        assert compared(docs.slice(0, 0), of).to_pylist() == []


words = st.text(st.sampled_from("ab ?\n"), max_size=6)
chats = st.lists(st.builds(Message, st.sampled_from(ROLES), words, st.none() | st.just("[]")), max_size=5)


@given(st.lists(chats | words, max_size=5))
def test_as_written_message_by_message(talks: list[list[Message] | str]) -> None:
    docs = batch(*talks)
    whole = docs.column("text").to_pylist()
    for of in get_args(Of)[1:]:
        asked = ["" if isinstance(item, str) else SEPARATOR.join(_asked(item, of)) for item in talks]
        expected = [found if set(found) & set("ab") else text for found, text in zip(asked, whole, strict=True)]
        assert compared(docs, of).to_pylist() == expected


def _asked(said: list[Message], of: Of) -> list[str]:
    """By the definition of `of`: pieces that aren't the assistant's, or the content of the first message of the user."""
    if of == "first_prompt":
        return [message.content for message in said if message.role == "user"][:1]
    return [
        piece for message in said if message.role != "assistant" for piece in (message.content, message.tool_calls) if piece is not None
    ]


def test_a_text_cut_across_its_messages_is_an_error() -> None:
    docs = batch(talk("u: Hi", "a: Ho"))
    cut = docs.set_column(1, docs.schema.field("text"), pa.array(["Hi Ho"], pa.large_string()))
    with pytest.raises(StorageError, match="edited across its messages"):
        compared(cut, "prompts")
