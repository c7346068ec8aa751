"""Each published format gives its items by what they are; other files by the usual names of their columns; bad files are named."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import SourceError
from pipeline.evals.items import Item, read_items


def as_csv(path: Path, *rows: list[str]) -> list[Item]:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return read_items([str(path)])


def as_jsonl(path: Path, *rows: Any) -> list[Item]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return read_items([str(path)])


CHOICES = ["one", "two", "three", "four"]


def test_mmlu(tmp_path: Path) -> None:
    found = ("Which?", ("two",), "", ("one", "three", "four"))
    assert as_csv(tmp_path / "a.csv", ["Which?", *CHOICES, "B"]) == [Item("mmlu:a.csv:1", *found)]
    first = Item("mmlu:f.csv:1", "The first?", ("one",), "", ("two", "three", "four"))  # its answer is no column's name
    assert as_csv(tmp_path / "f.csv", ["The first?", *CHOICES, "A"], ["Which?", *CHOICES, "B"]) == [first, Item("mmlu:f.csv:2", *found)]
    header = ["question", "choice0", "choice1", "choice2", "choice3", "answer"]
    shuffled = dict(zip(reversed(header), ["1", *reversed(CHOICES), "Which?"], strict=True))
    assert as_jsonl(tmp_path / "s.jsonl", shuffled) == [Item("mmlu:s.jsonl:1", *found)]
    assert as_csv(tmp_path / "b.csv", header, ["Which?", *CHOICES, "1"]) == [Item("mmlu:b.csv:2", *found)]
    hub = {"question": "Which?", "subject": "x", "choices": CHOICES, "answer": 1}
    assert as_jsonl(tmp_path / "c.jsonl", hub) == [Item("mmlu:c.jsonl:1", *found)]


def test_humaneval(tmp_path: Path) -> None:
    row = {"task_id": "HumanEval/7", "prompt": "def f():", "canonical_solution": "    return 1\n", "test": "assert f()", "entry_point": "f"}
    assert as_jsonl(tmp_path / "h.jsonl", row) == [Item("humaneval:HumanEval/7", "def f():", ("return 1",), others=("assert f()",))]


def test_gsm8k(tmp_path: Path) -> None:
    row = {"question": "How many?", "answer": "It is 2*3=<<2*3=6>>6.\n#### 6"}
    answers = ("It is 2*3=<<2*3=6>>6.\n#### 6", "It is 2*3=6.", "6")
    assert as_jsonl(tmp_path / "g.jsonl", row) == [Item("gsm8k:g.jsonl:1", "How many?", answers)]


def test_truthfulqa(tmp_path: Path) -> None:
    header = ["Type", "Category", "Question", "Best Answer", "Correct Answers", "Incorrect Answers", "Source"]
    row = ["Adversarial", "Myths", "What if?", "Nothing", "Nothing; Not much", "You win; You lose", "somewhere"]
    expected = Item("truthfulqa:t.csv:2", "What if?", ("Nothing", "Not much"), others=("You win", "You lose"))
    assert as_csv(tmp_path / "t.csv", header, row) == [expected]


def test_mt_bench(tmp_path: Path) -> None:
    rows = [{"question_id": 81, "turns": ["Write.", "Again."]}, {"question_id": 82, "turns": ["Add."], "reference": ["5"]}]
    expected = [Item("mt_bench:81", "Write.", others=("Again.",)), Item("mt_bench:82", "Add.", ("5",))]
    assert as_jsonl(tmp_path / "m.jsonl", *rows) == expected


def test_other_sets_by_the_names_of_their_columns(tmp_path: Path) -> None:
    row = {"Question": "Why?", "context": "A story.", "answers": {"text": ["So.", "Because."]}, "id": 7, "note": "A note."}
    assert as_jsonl(tmp_path / "o.jsonl", row) == [Item("o.jsonl:1", "Why?", ("So.", "Because."), "A story.", ("A note.",))]


def test_rows_without_names_are_texts(tmp_path: Path) -> None:
    assert as_csv(tmp_path / "n.csv", ["first", "second"]) == [Item("n.csv:1", others=("first", "second"))]
    assert as_jsonl(tmp_path / "n.jsonl", "one", ["two", "three"]) == [
        Item("n.jsonl:1", "one"), Item("n.jsonl:2", "two", others=("three",)),
    ]  # fmt: skip
    (tmp_path / "n.txt").write_text("one\n\ntwo\n", "utf-8")
    assert read_items([str(tmp_path / "n.txt")]) == [Item("n.txt:1", "one"), Item("n.txt:3", "two")]


def test_an_odd_row_is_no_published_format(tmp_path: Path) -> None:
    rows = [
        {"question": "q", "choices": ["a"], "answer": 4},
        {"question_id": 1, "turns": []},
        {"question_id": 1, "turns": ["t", 2], "reference": 5},
        {"question": "q", "choices": ["a", 1], "answer": 0},
        {"task_id": 1, "prompt": "p", "canonical_solution": None, "test": ""},
    ]
    assert [item.name for item in as_jsonl(tmp_path / "odd.jsonl", *rows)] == ["odd.jsonl:1", "odd.jsonl:3", "odd.jsonl:4", "odd.jsonl:5"]


def test_tables_and_packed_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"question": ["a", "b"], "choices": [CHOICES] * 2, "answer": [0, 3]}), tmp_path / "t.parquet")
    assert [item.name for item in read_items([str(tmp_path / "t.parquet")])] == ["mmlu:t.parquet:1", "mmlu:t.parquet:2"]
    (tmp_path / "z.tsv.gz").write_bytes(gzip.compress(b"prompt\tcompletion\nask\ttell\n"))
    assert read_items([str(tmp_path / "z.tsv.gz")]) == [Item("z.tsv.gz:2", "ask", ("tell",))]


def test_a_mark_of_byte_order_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"prompt": "ask"}\n', "utf-8-sig")
    (tmp_path / "b.txt").write_text("ask\n", "utf-8-sig")
    assert read_items([str(tmp_path)]) == [Item("b.jsonl:1", "ask"), Item("b.txt:1", "ask")]


def test_texts_are_unicode_and_composed(tmp_path: Path) -> None:
    assert as_jsonl(tmp_path / "h.jsonl", {"question": "half \ud800"})[0].question == "half ?"
    assert as_jsonl(tmp_path / "n.jsonl", {"question": "cafe\u0301"})[0].question == "caf\u00e9"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b"{"),
        ("a.json", b"[" * 100_000),
        ("empty.jsonl", b""),
        ("numbers.json", b"[1, 2]"),
        ("a.csv", b'"a" b\n'),
        ("a.txt", b"\xff"),
        ("a.parquet", b"PAR1"),
        ("a.csv.gz", b"no"),
        ("b.csv.gz", gzip.compress(b"question,answer\n")[:12] + b"\xff" * 20),
        ("a.exe", b"x"),
        ("a", b""),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name.replace(".", r"\.")):
        read_items([str(tmp_path / name)])


def test_datasets_of_a_local_folder(tmp_path: Path) -> None:
    import datasets

    rows = datasets.Dataset.from_dict({"question": ["Why?"], "answer": ["So it is.\n#### 4"]})
    datasets.DatasetDict({"test": rows, "train": rows}).save_to_disk(tmp_path / "sums")
    assert [item.name for item in read_items([], [str(tmp_path / "sums")])] == ["gsm8k:sums:test:1", "gsm8k:sums:train:1"]
    assert [item.name for item in read_items([], [f"{tmp_path / 'sums'}::test"])] == ["gsm8k:sums:test:1"]
    with pytest.raises(SourceError, match="no split 'dev'; it has test, train"):
        read_items([], [f"{tmp_path / 'sums'}::dev"])
    with pytest.raises(SourceError, match="nowhere"):
        read_items([], [str(tmp_path / "nowhere")])


def test_the_published_files(corpus: Path) -> None:
    found = read_items([str(corpus / "evals")])
    sets = Counter(item.name.partition(":")[0] for item in found)
    assert sets == {"mmlu": 14327, "gsm8k": 1319, "truthfulqa": 817, "humaneval": 164, "mt_bench": 80}
    assert all(item.question and (item.answers or item.name.startswith("mt_bench")) for item in found)
