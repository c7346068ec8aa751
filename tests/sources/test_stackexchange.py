"""The reader "stackexchange": questions with their answers, wherever in the dump they stand."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pytest
from archive_kit import COMPRESS, input_file
from extract_kit import extract_one

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.extract.html import html
from pipeline.sources.stackexchange import stackexchange


def post(number: int, kind: int, body: str, score: int = 0, parent: int | None = None, title: str = "", licence: str = "") -> str:
    keys = {"Id": number, "PostTypeId": kind, "ParentId": parent, "Score": score, "Body": body, "Title": title, "ContentLicense": licence}
    keys["CreationDate"] = f"2024-01-0{number % 9 + 1}T00:00:00.000"
    return "<row " + " ".join(f'{key}="{escape(str(value))}"' for key, value in keys.items() if value not in (None, "")) + " />"


POSTS = [
    post(3, 2, "<p>Early, and wrong.</p>", -2, parent=7),
    post(7, 1, "<p>Why does a < b?</p>".replace("a < b", "a &lt; b"), 5, title="Is a < b?", licence="CC BY-SA 3.0"),
    post(1, 1, "<p>Alone.</p>", 1, title="No answer"),
    post(8, 2, "<p>Good.</p>", 4, parent=7, licence="CC BY-SA 4.0"),
    post(9, 4, "a tag's description"),
    post(10, 2, "<p>Best.</p>", 9, parent=7),
    post(11, 2, "<p>Lost.</p>", 9, parent=99),
    post(12, 2, "<p>Good too.</p>", 4, parent=7),
]


def dump(tmp_path: Path, posts: list[str] = POSTS, suffix: str = "") -> InputFile:
    path = tmp_path / f"Posts.xml{suffix}"
    path.write_bytes(COMPRESS[suffix](("\ufeff<?xml version='1.0' encoding='utf-8'?><posts>" + "\n".join(posts) + "</posts>").encode()))
    return input_file(path)


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2"])
def test_each_question_is_a_document_with_its_answers_by_score(tmp_path: Path, suffix: str) -> None:
    alone, asked, lost = stackexchange(dump(tmp_path, suffix=suffix), site="x.invalid")
    assert alone.content == b"<h1>No answer</h1>\n<p>Alone.</p>"
    assert asked == RawDocument(
        locator="7",
        content=(
            b"<h1>Is a &lt; b?</h1>\n<p>Why does a &lt; b?</p>\n<h2>Answer</h2>\n<p>Best.</p>\n<h2>Answer</h2>\n<p>Good.</p>\n"
            b"<h2>Answer</h2>\n<p>Good too.</p>\n<h2>Answer</h2>\n<p>Early, and wrong.</p>"
        ),
        format="html",
        url="https://x.invalid/questions/7",
        licence="CC-BY-SA-3.0 AND CC-BY-SA-4.0",
        date="2024-01-08T00:00:00.000",
        meta={"title": "Is a < b?", "score": 5, "answers": 4, "fragment": 1},
    )
    assert lost == RawDocument("answer-11", b"", "invalid", meta={"reason": "orphan_answer"})


def test_answers_can_be_fewer(tmp_path: Path) -> None:
    documents = {found.locator: found for found in stackexchange(dump(tmp_path), min_score=4, max_answers=2)}
    assert b"wrong" not in documents["7"].content
    assert documents["7"].content.count(b"Answer") == 2
    assert documents["7"].url is None


def test_the_text_is_the_whole_thread(tmp_path: Path) -> None:
    asked = list(stackexchange(dump(tmp_path)))[1]
    text = extract_one(html, asked.content, asked.meta).text
    assert text == "\n\n".join(
        [
            "# Is a < b?",
            "Why does a < b?",
            "## Answer",
            "Best.",
            "## Answer",
            "Good.",
            "## Answer",
            "Good too.",
            "## Answer",
            "Early, and wrong.",
        ]
    )


def test_broken_rows_dont_stop_the_rest(tmp_path: Path) -> None:
    rows = ["<row />", '<row Id="x" PostTypeId="1" Score="?" Body="Who?"/>', '<row Id="5" PostTypeId="2" Body="no parent"/>', *POSTS]
    assert [found.locator for found in stackexchange(dump(tmp_path, rows))] == ["0", "1", "7", "answer-11"]


def test_what_is_no_posts_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Users.xml").write_text("<users><row Id='1'/></users>")
    with pytest.raises(SourceError, match=r"Users\.xml.*outermost element is <users>"):
        list(stackexchange(input_file(tmp_path / "Users.xml")))
    cut = dump(tmp_path, suffix=".gz")
    Path(cut.path).write_bytes(Path(cut.path).read_bytes()[:-10])
    with pytest.raises(SourceError, match=r"Posts\.xml\.gz"):
        list(stackexchange(cut))


def test_a_site_of_the_corpus(corpus: Path) -> None:
    path = corpus / "code" / "stackexchange-coffee-Posts.xml.gz"
    found = list(stackexchange(InputFile(path.name, str(path), "", 0)))
    questions = [item for item in found if item.format == "html"]
    assert len(questions) > 150
    assert sum(int(str((item.meta or {})["answers"])) for item in questions) > 300
    assert [int(item.locator) for item in questions] == sorted(int(item.locator) for item in questions)
