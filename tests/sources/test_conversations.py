"""Files of conversations, read and extracted: containers, broken rows, and every file of the corpus to its last row."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.contracts import InputFile, RawDocument, Task
from pipeline.conversations import SEPARATOR, Message, messages_of
from pipeline.errors import SourceError
from pipeline.extract.conversation import conversation
from pipeline.job import Inputs, Job
from pipeline.registry import bind
from pipeline.schema import RAW
from pipeline.sources.conversations import conversations
from pipeline.stages.extract import extract
from pipeline.storage import Folder

ROWS = [{"instruction": f"Say {number}", "output": f"I say {number}."} for number in range(30)]


def read(path: Path, data: bytes, **keys: Any) -> list[RawDocument]:
    path.write_bytes(data)
    return list(conversations(InputFile(path.name, str(path), "", len(data)), **keys))


def lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def reasons(found: list[RawDocument]) -> Counter[str]:
    return Counter(str((document.meta or {})["reason"]) for document in found if document.format == "invalid")


def test_containers(tmp_path: Path) -> None:
    array = json.dumps(ROWS, indent=2).encode()
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "p")
    variants = {
        "a.jsonl": lines(ROWS), "a.jsonl.gz": gzip.compress(lines(ROWS)), "a.json": array, "b.json": b"\xef\xbb\xbf \n" + array,
        "b.jsonl": b"\xef\xbb\xbf" + lines(ROWS).replace(b"\n", b"\r\n\r\n"), "a.parquet": (tmp_path / "p").read_bytes(),
        "c.json": json.dumps(ROWS).encode() + b"\n\n",
    }  # fmt: skip
    for name, data in variants.items():
        found = read(tmp_path / name, data)
        assert [json.loads(document.content)["messages"][0]["content"] for document in found] == [
            f"Say {number}" for number in range(30)
        ], name
        assert {(document.format, (document.meta or {})["chat_format"]) for document in found} == {("conversation", "alpaca")}
        assert len({document.locator for document in found}) == 30


def test_broken_rows_are_counted_and_the_others_read(tmp_path: Path) -> None:
    data = (
        lines(ROWS[:2])
        + b'{"instruction": "cut\n[1]\n\xff\xfe{}\n'
        + lines([{"text": "another format"}, {"instruction": "x", "output": ""}])
    )
    found = read(tmp_path / "a.jsonl", data + lines(ROWS[2:3]))
    assert reasons(found) == {"bad_json": 2, "undecodable": 1, "not_alpaca": 1, "no_answer": 1}
    assert len(found) == 8


def test_an_array_that_breaks_off(tmp_path: Path) -> None:
    whole = json.dumps(ROWS).encode()
    found = read(tmp_path / "a.json", whole[: len(whole) // 2])
    assert 10 < len(found) < 30
    assert reasons(found) == {"bad_json": 1}
    assert found[-1].format == "invalid"
    assert reasons(read(tmp_path / "b.json", b"[1, " + json.dumps(ROWS[0]).encode() + b", null] trailing")) == {"bad_json": 3}


def test_nothing_and_nothing_known(tmp_path: Path) -> None:
    assert read(tmp_path / "a.jsonl", b"") == []
    assert read(tmp_path / "a.json", b"[]") == []
    assert reasons(read(tmp_path / "b.jsonl", b"not json\n")) == {"bad_json": 1}
    with pytest.raises(SourceError, match=r"no format that is known here; its rows have body, title"):
        read(tmp_path / "c.jsonl", lines([{"title": 1, "body": 2}]))
    with pytest.raises(SourceError, match=r"no format of conversations is called 'alpacas'; did you mean 'alpaca'"):
        read(tmp_path / "c.jsonl", lines(ROWS), format="alpacas")
    assert reasons(read(tmp_path / "c.jsonl", lines(ROWS), format="sharegpt")) == {"not_sharegpt": 30}


def test_too_long(tmp_path: Path) -> None:
    long = {"instruction": "x" * 5000, "output": "y"}
    assert reasons(read(tmp_path / "a.jsonl", lines([long, *ROWS]), max_bytes=1000)) == {"too_large": 1}
    with pytest.raises(SourceError, match="is a JSON array above max_bytes=1000"):
        read(tmp_path / "a.json", json.dumps([long]).encode(), max_bytes=1000)


def extracted(*contents: bytes, **keys: Any) -> list[Any]:
    rows = [{"id": str(number), "content": content, "format": "conversation", "source": "s"} for number, content in enumerate(contents)]
    found = conversation(pa.RecordBatch.from_pylist(rows, schema=RAW), **keys)
    texts, turns, why = found.text.to_pylist(), found.facts["turns"].to_pylist(), found.reasons.to_pylist()
    return [reason or messages_of(text, turn) for text, turn, reason in zip(texts, turns, why, strict=True)]


def chat(*messages: Any, **more: Any) -> bytes:
    return json.dumps({"messages": messages, **more}).encode()


def test_messages() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    calls = [{"type": "function", "id": "c1", "function": {"name": "f", "arguments": {"x": 1}}}]
    answer = {"role": "tool", "content": "1", "tool_call_id": "c1", "name": "f"}
    (found,) = extracted(chat({"role": "developer", "content": parts}, {"role": "assistant", "content": None, "tool_calls": calls}, answer))
    assert found[0] == Message("system", "ab")
    assert found[1].content == ""
    assert json.loads(found[1].tool_calls) == calls
    assert found[2] == Message("tool", "1", None, "f", "c1")


def test_what_is_in_a_message() -> None:
    (found,) = extracted(chat({"role": "user", "content": f"a{SEPARATOR}b\r\nc\x00 \ud800"}))
    assert found == [Message("user", "ab\nc ")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "bad_json"), (b"[]", "no_messages"), (b"{}", "no_messages"), (chat(), "no_messages"), (chat(1), "no_messages"),
        (chat({"role": "narrator", "content": "x"}), "unknown_role"), (chat({"content": "x"}), "unknown_role"),
        (chat({"role": ["user"], "content": "x"}), "unknown_role"),
        (chat({"role": "user", "content": 1}), "not_text"), (chat({"role": "user"}), "not_text"),
        (chat({"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}), "not_text"),
        (chat({"role": "user", "content": [[["x"]]]}), "not_text"),
        (chat({"role": "assistant", "content": "", "tool_calls": "x"}), "bad_tool_call"),
        (chat({"role": "user", "content": " "}, {"role": "assistant", "content": ""}), "empty"),
        (b'{"messages":' + b"[" * 100_000, "bad_json"),
    ],
)  # fmt: skip
def test_what_is_no_conversation(content: bytes, reason: str) -> None:
    assert extracted(content) == [reason]


def test_megabytes_and_thousands() -> None:
    assert extracted(chat({"role": "user", "content": "x" * 1001}), max_message_chars=1000) == ["message_too_long"]
    (found,) = extracted(chat({"role": "user", "content": "x" * (2 << 20)}))
    assert len(found[0].content) == 2 << 20
    assert extracted(chat(*[{"role": "user", "content": "x"}] * 11), max_messages=10) == ["too_many_messages"]


def test_every_file_of_the_corpus_to_its_last_row(corpus: Path, tmp_path: Path) -> None:
    """Rows as the corpus counts them; each becomes a conversation or has a reason."""
    stated = {
        row["path"]: row["documents"] for row in json.loads((corpus / "MANIFEST.json").read_text()) if row["path"].startswith("instruct/")
    }
    extractors = [vars(bind("extractor", name, {})[0]) for name in ("conversation", "invalid")]
    kept: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for path, rows in stated.items():
        file = {"name": path, "path": str(corpus / path), "sha256": "", "size": 0}
        payload = {"files": [file], "read": {"name": "conversations", "args": bind("reader", "conversations", {})[0].args}}
        job = Job(Task("chat-00000", payload), Inputs({}), Folder(str(tmp_path / path.replace("/", "_"))))
        report = extract(job, extractors=extractors).check()
        assert report.read.total() == rows, path
        kept[path] = report.kept.total()
        dropped.update({reason: count for (_, reason), count in report.dropped.items()})
    assert len(stated) == 39
    assert kept.total() == 23_046
    assert dropped == {"extract:no_answer": 1358, "extract:no_question": 500}


def test_dates_beside_messages(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Hi", "at": datetime(2026, 1, 2, tzinfo=UTC)}, {"role": "assistant", "content": "Ho", "at": None}]
    pq.write_table(pa.table({"messages": [said]}), tmp_path / "p")
    (found,) = read(tmp_path / "a.parquet", (tmp_path / "p").read_bytes())
    assert [message["content"] for message in json.loads(found.content)["messages"]] == ["Hi", "Ho"]


def test_a_file_that_begins_with_rubbish(tmp_path: Path) -> None:
    found = read(tmp_path / "a.jsonl", b"rubbish\n" * 50 + lines(ROWS))
    assert reasons(found) == {"bad_json": 50}
    assert len(found) == 50 + len(ROWS)
