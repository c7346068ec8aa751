"""Questions and answers out of lists, quizzes and dialogues: each a conversation, nothing that is half of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from archive_kit import tar

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.sources.questions import dialogues, questions

FAQ = """
1. Contents
    1.1. What is this?
    1.2. Where does the
    river run?

1. First things

1.1.\u00a0What is this?

    A list of
\u00a0\u00a0\u00a0 answers.

      * with points

1.2. Where does the
river run?

    Down.

2. Other things

    No question.
"""
POD = """=head1 NAME

=head2 Why does C<< $h->{x} >> I<not> work?

Because E<lt>STDINE<gt> is B<closed>; see L<perlop/"I/O"> and L<the manual|perl>.

    print "as it is\\n";

=head2 A heading

=head2 What now?

=head1 AUTHOR
"""


def file_of(path: Path, files: dict[str, bytes]) -> InputFile:
    (path / "a.tar").write_bytes(tar(files))
    return InputFile("a.tar", str(path / "a.tar"), "", 0)


def said(found: list[RawDocument]) -> list[list[str]]:
    assert all(document.format == "conversation" for document in found)
    messages: list[list[dict[str, Any]]] = [json.loads(document.content)["messages"] for document in found]
    assert all([one["role"] for one in chat] == ["user", "assistant"] * (len(chat) // 2) for chat in messages)
    return [[one["content"] for one in chat] for chat in messages]


def test_a_list_with_numbers(tmp_path: Path) -> None:
    file = file_of(tmp_path, {"doc/faq.txt": FAQ.encode(), "doc/other.html": b"1.1. What?\n\nno"})
    found = list(questions(file, question=r"^\d+\.\d+\.\s((?:.+\n)*?.*\?)$", stop=r"^\d+\.", select=["*.txt"], lang="en"))
    assert said(found) == [["What is this?", "A list of\nanswers.\n\n  * with points"], ["Where does the river run?", "Down."]]
    assert [(document.locator, document.lang) for document in found] == [("doc/faq.txt#0", "en"), ("doc/faq.txt#1", "en")]


def test_perls_markup_is_undone(tmp_path: Path) -> None:
    file = file_of(tmp_path, {"a.pod": POD.encode()})
    (asked, answer), *more = said(list(questions(file, question=r"^=head2 (.+\?)$", stop=r"^=head\d", pod=True)))
    assert asked == "Why does $h->{x} not work?"
    assert answer.startswith('Because <STDIN> is closed; see perlop/"I/O" and the manual.')
    assert '    print "as it is\\n";' in answer
    assert not more


def test_a_quiz_with_answers_in_the_line(tmp_path: Path) -> None:
    file = file_of(tmp_path, {"sums": b"1 + 1 : 2\nno pair\n2 x 2:4\n"})
    asked = questions(file, question=r"^(?P<question>[^:\n]+?) *: *(?P<answer>.+)$", prompt="How much is {question}?")
    assert said(list(asked)) == [["How much is 1 + 1?", "2"], ["How much is 2 x 2?", "4"]]


@pytest.mark.parametrize(("question", "message"), [("(", "no regular expression"), ("what", "needs a group")])
def test_patterns_that_find_nothing(tmp_path: Path, question: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        list(questions(file_of(tmp_path, {"a": b""}), question=question))


DIALOGUES = b"""
conversations:
- - Hello
  - Hi
  - How are you?
- - What year?
  - 1963
  - And then?
  - Later.
- a line
- - alone
"""


def test_dialogues_by_turns(tmp_path: Path) -> None:
    file = file_of(tmp_path, {"a.yml": DIALOGUES})
    found = list(dialogues(file))
    chats = [document for document in found if document.format == "conversation"]
    assert said(chats) == [["Hello", "Hi"], ["What year?", "1963", "And then?", "Later."]]
    assert [document.meta for document in found if document.format == "invalid"] == [{"reason": "no_dialogue"}]
    assert said([one for one in dialogues(file, turns=4) if one.format == "conversation"]) == said(chats)[1:]
    assert said([one for one in dialogues(file, most_turns=2) if one.format == "conversation"]) == said(chats)[:1]


def test_lines_of_dialogues_stay_as_they_are_written(tmp_path: Path) -> None:
    lines = [["Is it?", "Yes"], ["When?", "12:30"], ["Which?", "0x10"], ["And?", "~"]]
    content = "conversations:\n" + "".join(f"- - {asked}\n  - {answer}\n" for asked, answer in lines) + "- - {a: b}\n  - c\n"
    found = list(dialogues(file_of(tmp_path, {"a.yml": content.encode()})))
    assert said([one for one in found if one.format == "conversation"]) == lines
    assert [one.meta for one in found if one.format == "invalid"] == [{"reason": "no_dialogue"}]


@pytest.mark.parametrize("content", [b"- a", b"conversations: no", b"a: [", b"\xff\xfe\xff"])
def test_files_that_hold_no_dialogues(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError, match=r"a\.tar/a\.yml"):
        list(dialogues(file_of(tmp_path, {"a.yml": content})))
