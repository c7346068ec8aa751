"""Questions and answers that people have written down: lists of frequently asked questions, quizzes, dialogues.

The reader "questions" finds them by a regular expression, "dialogues" reads lists of what two say in turn. Both give conversations,
documents of the format "conversation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import dedent
from typing import Any

import yaml

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.registry import reader
from pipeline.sources.archives import Member, members

#: The codes of Perl's POD: B<bold>, L<text|page>, C<< $code->{of} >>, and names of characters. None goes on for longer than 300
#: characters: those left open would be looked for again and again.
_POD_CODE = re.compile(r"[A-Z]<<+\s(.{0,300}?)\s>+>|[A-DF-Z]<([^<>]*)>", re.DOTALL)
_POD_CHARACTERS = {"E<lt>": "<", "E<gt>": ">", "E<verbar>": "|", "E<sol>": "/"}
#: Codes within codes are undone this deep: each level takes a pass.
_POD_DEPTH = 10
_POD_LINES = re.compile(r"^=(?:over|back|item|cut|pod|encoding|for|begin|end)\b[ \t]*", re.MULTILINE)


@reader("questions", version=2)
def questions(
    file: InputFile,
    *,
    question: str,
    stop: str | None = None,
    select: Sequence[str] = ("*",),
    skip: Sequence[str] = (),
    prompt: str = "{question}",
    pod: bool = False,
    lang: str | None = None,
    max_member_bytes: int = 16 << 20,
) -> Iterator[RawDocument]:
    """A conversation for each match of `question` in the texts of an archive (or a plain file), one question and one answer.

    `question` is a regular expression (^ matches at each line) whose group `question`, or first group, is what is asked. The answer
    is its group `answer`; without one, what stands up to the next match, of it or of `stop`. `prompt` says the question in
    other words. No-break spaces become blanks, common indentation goes; `pod` undoes Perl's markup. A match with nothing asked
    or answered, as in a table of contents, is none.
    """
    asked = _pattern(question)
    if not asked.groups:
        raise SourceError(f"questions: {question!r} needs a group (...) around what is asked")
    stopped = _pattern(stop) if stop else None
    for member in members(file, select, skip, max_member_bytes=max_member_bytes):
        text = member.data.decode("utf-8", "replace").replace("\u00a0", " ")
        for number, (said, answer) in enumerate(_pairs(text, asked, stopped)):
            said, answer = (_plain(part) if pod else dedent(part.strip("\n")).strip() for part in (said, answer))
            if said and answer:
                turns = [("user", prompt.replace("{question}", " ".join(said.split()))), ("assistant", answer)]
                yield _chat(member, number, turns, lang)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.MULTILINE)
    except re.error as error:
        raise SourceError(f"questions: {text!r} is no regular expression: {error}") from error


def _pairs(text: str, asked: re.Pattern[str], stopped: re.Pattern[str] | None) -> Iterator[tuple[str, str]]:
    matches = list(asked.finditer(text))
    name: str | int = "question" if "question" in asked.groupindex else 1
    if "answer" in asked.groupindex:
        yield from ((match[name], match["answer"]) for match in matches)
        return
    for match, following in pairwise([*matches, None]):
        end = following.start() if following else len(text)
        halt = stopped.search(text, match.end(), end) if stopped and match else None
        if match:
            yield match[name], text[match.end() : halt.start() if halt else end]


def _plain(pod: str) -> str:
    """POD as text: codes without their letters, commands without their names."""
    text = _POD_LINES.sub("", pod)
    for _ in range(_POD_DEPTH):
        less = _POD_CODE.sub(lambda found: found[1] or (found[2] or "").partition("|")[0], text)
        if less == text:
            break
        text = less
    for code, character in _POD_CHARACTERS.items():
        text = text.replace(code, character)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


@reader("dialogues", version=2)
def dialogues(
    file: InputFile,
    *,
    select: Sequence[str] = ("*.yml", "*.yaml", "*.json"),
    skip: Sequence[str] = (),
    key: str = "conversations",
    turns: int = 2,
    most_turns: int | None = None,
    lang: str | None = None,
    max_member_bytes: int = 16 << 20,
) -> Iterator[RawDocument]:
    """A conversation for each list of what a user and an assistant say in turn, found under `key` of YAML or JSON files.

    What a user says last, and nobody answers, is left out. Lists of fewer than `turns` turns, or more than `most_turns`, are others'.
    What is no list of texts is a document of the format "invalid"; SourceError for a file that holds something else.
    """
    for member in members(file, select, skip, max_member_bytes=max_member_bytes):
        for number, said in enumerate(_lists(file, member, key)):
            if not isinstance(said, list) or not all(isinstance(line, str) for line in said):
                yield RawDocument(f"{member.name if member.inside else ''}#{number}", b"", "invalid", meta={"reason": "no_dialogue"})
                continue
            spoken = said[: len(said) // 2 * 2]
            if turns <= len(spoken) <= (most_turns or len(spoken)):
                yield _chat(member, number, [(("user", "assistant")[place % 2], line.strip()) for place, line in enumerate(spoken)], lang)


def _lists(file: InputFile, member: Member, key: str) -> list[Any]:
    """Lines as they are written: YAML's usual loader would make True of Yes, 750 of 12:30, and None of ~. This one makes nothing
    but texts, lists and mappings.
    """
    try:
        found = yaml.load(member.data, yaml.BaseLoader).get(key)
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise SourceError(f"{file.name}/{member.name} can't be read as YAML with {key!r}: {error}") from error
    if not isinstance(found, list):
        raise SourceError(f"{file.name}/{member.name}: {key!r} is no list")
    return found


def _chat(member: Member, number: int, turns: Sequence[tuple[str, str]], lang: str | None) -> RawDocument:
    content = json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]}, ensure_ascii=False)
    return RawDocument(f"{member.name if member.inside else ''}#{number}", content.encode(), "conversation", lang=lang)
