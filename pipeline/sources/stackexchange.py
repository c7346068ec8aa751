"""The reader "stackexchange": a site's Posts.xml, each question with its answers as one document.

Answers come anywhere after their question, so posts are sorted on disk, in a temporary SQLite file about as large as
the posts' bodies; memory holds one question with its answers.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from html import escape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pipeline.contracts import InputFile, RawDocument
from pipeline.registry import reader
from pipeline.sources.xml import elements

_QUESTION, _ANSWER = "1", "2"
#: What the database holds as a number: 64 bits.
_NUMBER = re.compile(r"-?[0-9]{1,18}")


#: What SQLite holds too: 64 bits.
_NUMBER = re.compile(r"-?[0-9]{1,18}")


class _Post(NamedTuple):
    """A row of the table that is sorted: the question it belongs to, whether it answers it, and what it says."""

    question: int
    is_answer: bool
    score: int
    id: int
    title: str
    body: str
    date: str
    licence: str


@reader("stackexchange")
def stackexchange(
    file: InputFile, *, site: str = "", min_score: int | None = None, max_answers: int | None = None
) -> Iterator[RawDocument]:
    """One HTML document for each question: title, body, then its answers, the best scored first.

    The file is a Posts.xml, compressed or not, or the .7z of a site that holds one.
    `site` ("coffee.stackexchange.com") gives documents their address. `min_score` leaves out answers below it, `max_answers`
    all after so many. An answer without its question is of the format "invalid" ("orphan_answer"). Locator: the
    question's id; meta: title, score, answers. Raises SourceError for a damaged file, or one that isn't a Posts.xml.
    """
    with tempfile.TemporaryDirectory(prefix="tokenmill-") as folder, closing(sqlite3.connect(Path(folder) / "posts.sqlite")) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute(f"CREATE TABLE posts ({', '.join(_Post._fields)})")
        database.executemany(f"INSERT INTO posts VALUES ({', '.join('?' * len(_Post._fields))})", _posts(file, min_score))
        rows = database.execute("SELECT * FROM posts ORDER BY question, is_answer, score DESC, id")
        for _, thread in groupby(map(_Post._make, rows), key=lambda post: post.question):
            yield from _documents(list(thread), site, max_answers)


def _posts(file: InputFile, min_score: int | None) -> Iterator[_Post]:
    for row in elements(file, "posts", whole={"row"}, member="Posts.xml"):
        kind, score = row.get("PostTypeId"), _number(row.get("Score"))
        if kind not in (_QUESTION, _ANSWER) or (kind == _ANSWER and min_score is not None and score < min_score):
            continue
        own = _number(row.get("Id"))
        question = own if kind == _QUESTION else _number(row.get("ParentId"))
        texts = (row.get(name, "") for name in ("Title", "Body", "CreationDate", "ContentLicense"))
        yield _Post(question, kind == _ANSWER, score, own, *texts)


def _number(value: str | None) -> int:
    return int(value) if value and _NUMBER.fullmatch(value) else 0


def _documents(thread: list[_Post], site: str, max_answers: int | None) -> Iterator[RawDocument]:
    """The document of a question and its answers, in their order; or answers whose question isn't in the file."""
    question, answers = thread[0], thread[1:]
    if question.is_answer:
        yield from (RawDocument(f"answer-{post.id}", b"", "invalid", meta={"reason": "orphan_answer"}) for post in thread)
        return
    answers = answers[:max_answers]
    licences = sorted({post.licence.replace(" ", "-") for post in (question, *answers) if post.licence})
    parts = [f"<h1>{escape(question.title)}</h1>", question.body]
    for post in answers:
        parts += ["<h2>Answer</h2>", post.body]
    yield RawDocument(
        locator=str(question.id),
        content="\n".join(parts).encode(),
        format="html",
        url=f"https://{site}/questions/{question.id}" if site else None,
        licence=" AND ".join(licences) or None,
        date=question.date or None,
        meta={"title": question.title, "score": question.score, "answers": len(answers), "fragment": 1},
    )
