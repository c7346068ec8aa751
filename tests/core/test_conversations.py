"""Conversations as texts: there and back, and what an edit may not do."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts import Verdicts
from pipeline.conversations import ROLES, SEPARATOR, Message, intact, joined, messages_of
from pipeline.errors import StorageError
from pipeline.schema import DOC, TURNS, conform
from pipeline.stages.filter import _with_empty

texts = st.text(st.characters(exclude_characters=SEPARATOR, exclude_categories=["Cs"]))
maybe = st.none() | texts
messages = st.builds(Message, st.sampled_from(ROLES), texts, maybe, maybe, maybe)


@given(st.lists(messages))
def test_there_and_back(found: list[Message]) -> None:
    text, turns = joined(found)
    assert messages_of(text, turns) == found
    assert messages_of(text, pa.array([turns], TURNS).to_pylist()[0]) == found
    assert intact(pa.array([text], pa.large_string()), pa.array([turns], TURNS)).to_pylist() == [True]


def test_a_separator_in_a_message_is_none() -> None:
    said = [Message("user", f"a{SEPARATOR}b"), Message("assistant", "c", f"[{SEPARATOR}]")]
    assert messages_of(*joined(said)) == [Message("user", "a b"), Message("assistant", "c", "[ ]")]


def test_a_text_that_was_cut_across_messages() -> None:
    text, turns = joined([Message("user", "a"), Message("assistant", "b")])
    for broken in ("ab", "", f"{text}{SEPARATOR}c"):
        with pytest.raises(StorageError, match="a conversation of 2 turns has a text of"):
            messages_of(broken, turns)
    with pytest.raises(StorageError):
        messages_of("a", [])


def test_an_edit_that_joins_messages_drops_the_conversation() -> None:
    text, turns = joined([Message("user", "a b"), Message("assistant", "c")])
    rows = [{"id": str(row), "text": text, "source": "s", "turns": turns if row < 3 else None} for row in range(4)]
    before = conform(pa.RecordBatch.from_pylist(rows, DOC), DOC)
    edited = pa.array([f"x{SEPARATOR}c", "x", "", "x"], pa.large_string())
    after = before.set_column(1, DOC.field("text"), edited)
    verdicts = Verdicts(pa.nulls(4, pa.string()), text=edited)
    assert _with_empty("e", before, after, verdicts).to_pylist() == [None, "e:turns_lost", "e:empty", None]
