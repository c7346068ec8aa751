"""Evaluation items planted in documents are found and named, in every format; what isn't one is left alone."""

from __future__ import annotations

import csv
import gzip
import json
import random
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.contracts import Verdicts
from pipeline.errors import SourceError
from pipeline.filters.decontaminate import decontaminate
from pipeline.schema import DOC


def searched(texts: list[str], *evals: Path, **keys: Any) -> Verdicts:
    rows = [{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(texts)]
    return decontaminate(pa.RecordBatch.from_pylist(rows, schema=DOC), evals=[str(path) for path in evals], **keys)


def outcome(found: Verdicts) -> list[tuple[str | None, int, float, str | None]]:
    signals = (found.signals[name].to_pylist() for name in ("overlap", "score", "hit"))
    return list(zip(found.reasons.to_pylist(), *signals, strict=True))


def sentence(name: str, words: int) -> str:
    draw = random.Random(name)
    return " ".join("".join(draw.choices("abcdefghij", k=5)) for _ in range(words))


def around(text: str) -> str:
    return f"{sentence('before', 40)}. {text} {sentence('after', 40)}"


QUESTION, ANSWER = sentence("question", 20), sentence("answer", 15)


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    items = [{"question": QUESTION, "answer": ANSWER, "short": "twelve " * 12}, {"turns": [sentence("turn", 30)], "id": 7}]
    path = tmp_path / "exam.jsonl"
    path.write_text("\n".join(map(json.dumps, items)) + "\n", "utf-8")
    return path


def test_an_item_is_found_whatever_its_case_and_punctuation(exam: Path) -> None:
    disguised = QUESTION.upper().replace(" ", ",\n — ")
    assert outcome(searched([around(QUESTION), around(disguised)], exam)) == [("decontaminate:overlap", 8, 1.0, "exam.jsonl:1")] * 2


def test_other_texts_are_kept(exam: Path) -> None:
    others = [around("nothing of it"), "", " ".join(QUESTION.split()[:12]), "twelve " * 12, QUESTION.replace(" ", "")]
    assert outcome(searched(others, exam)) == [(None, 0, 0.0, None)] * 5


def test_half_of_a_field_is_asked_for_by_default(exam: Path) -> None:
    words = QUESTION.split()
    parts = [around(" ".join(words[:count])) for count in (13, 15, 16)]
    assert outcome(searched(parts, exam)) == [
        (None, 1, 1 / 8, "exam.jsonl:1"),
        (None, 3, 3 / 8, "exam.jsonl:1"),
        ("decontaminate:overlap", 4, 4 / 8, "exam.jsonl:1"),
    ]


def test_bounds_may_be_stricter_and_looser(exam: Path) -> None:
    one = [around(" ".join(QUESTION.split()[:13]))]
    assert searched(one, exam, min_share=None).reasons.to_pylist() == ["decontaminate:overlap"]
    assert searched(one, exam, min_share=None, min_overlap=2).reasons.to_pylist() == [None]
    assert searched([around(QUESTION)], exam, min_overlap=9).reasons.to_pylist() == [None]
    assert searched([around(QUESTION)], exam, ngram=20).signals["overlap"].to_pylist() == [1]


def test_the_hit_is_the_field_found_best(exam: Path) -> None:
    words = " ".join(sentence("turn", 30).split()[:22])
    assert outcome(searched([f"{words}. {ANSWER}"], exam)) == [("decontaminate:overlap", 10 + 3, 1.0, "exam.jsonl:1")]
    few = " ".join(QUESTION.split()[:14])
    assert outcome(searched([f"{words}. {few}"], exam, min_share=0.9)) == [(None, 10 + 2, 10 / 18, "exam.jsonl:2")]


def test_the_template_of_a_benchmark_is_ignored(tmp_path: Path) -> None:
    template, path = sentence("template", 16), tmp_path / "many.jsonl"
    items = [{"prompt": f"{template} {sentence(f'item {n}', 14)}"} for n in range(12)]
    path.write_text("\n".join(map(json.dumps, items)), "utf-8")
    assert outcome(searched([around(template)], path)) == [(None, 0, 0.0, None)]
    assert outcome(searched([around(items[5]["prompt"])], path)) == [("decontaminate:overlap", 14, 1.0, "many.jsonl:6")]
    assert searched([around(template)], path, max_items=12).signals["overlap"].to_pylist() == [4]
    assert searched([around(template)], path, max_items=None).signals["overlap"].to_pylist() == [4]


def test_fields_of_one_item_count_as_one(tmp_path: Path) -> None:
    path = tmp_path / "exam.json"
    path.write_text(json.dumps([{"a": QUESTION, "b": QUESTION, "c": {"d": [QUESTION]}}, "x"]), "utf-8")
    assert outcome(searched([around(QUESTION)], path, max_items=1)) == [("decontaminate:overlap", 8, 1.0, "exam.json:1")]


def write(path: Path, kind: str) -> int:
    """An evaluation file of a kind that holds QUESTION; returns the line or position it stands at."""
    if kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["question", "A"], ["a cell\nof two lines", "x"], [QUESTION, '"B"']])
        return 4
    content = {"jsonl": f'\n{{"q": "{QUESTION}"}}\n', "json": json.dumps([{"q": "x"}, {"q": QUESTION}]), "txt": f"one\n{QUESTION}\n"}[kind]
    path.write_text(content, "utf-8")
    return 2


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "txt"])
def test_every_format_is_read_and_its_lines_are_named(kind: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / f"exam.{kind}"
    line = write(path, kind)
    if zipped:
        packed = tmp_path / f"exam.{kind}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    assert searched([around(QUESTION)], path).signals["hit"].to_pylist() == [f"{path.name}:{line}"]


def test_where_the_files_lie_changes_nothing(exam: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "z" / "a.txt", tmp_path / "a" / "b.txt"
    for path in (one, other):
        path.parent.mkdir()
        path.write_text(QUESTION, "utf-8")
    found = outcome(searched([around(QUESTION)], one, other))
    assert (
        found == outcome(searched([around(QUESTION)], other, one)) == outcome(searched([around(QUESTION)], tmp_path / "z", tmp_path / "a"))
    )
    assert found[0][3] == "a.txt:1"


@pytest.mark.parametrize(("name", "content"), [("broken.jsonl", "{"), ("exam.exe", "x"), ("bad.csv", '"a" b\n')])
def test_a_file_that_cannot_be_read_is_named(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(SourceError, match=name.replace(".", r"\.")):
        searched(["a"], tmp_path / name)


def test_without_evaluations_nothing_is_looked_for() -> None:
    assert outcome(searched([around(QUESTION)])) == [(None, None, None, None)]


def test_no_documents_and_no_fields(exam: Path, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("short", "utf-8")
    for columns in (searched([], exam), searched([]), searched([], tmp_path / "short.txt")):
        assert {name: values.type for name, values in columns.signals.items()} == {
            "overlap": pa.int64(), "score": pa.float64(), "hit": pa.string(), "matched": pa.string(),
        }  # fmt: skip
    assert outcome(searched([QUESTION], tmp_path / "short.txt")) == [(None, 0, 0.0, None)]


def test_published_evaluations_are_found_in_documents_and_not_in_novels(corpus: Path) -> None:
    evals = [corpus / "evals"]
    gsm8k = json.loads((corpus / "evals" / "gsm8k" / "test.jsonl").open(encoding="utf-8").readline())
    with gzip.open(corpus / "evals" / "humaneval" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        human = json.loads(file.readline())
    with (corpus / "evals" / "truthfulqa" / "TruthfulQA.csv").open(encoding="utf-8", newline="") as csv_file:
        truthful = next(csv.DictReader(csv_file))
    novels = [gzip.decompress(path.read_bytes()).decode("latin-1") for path in sorted((corpus / "books").glob("*.gz"))[1:4]]
    planted = [
        around(gsm8k["question"]),
        f"{human['prompt']}{human['canonical_solution']}",
        around(truthful["Question"] + truthful["Best Answer"]),
    ]
    found = searched([*planted, *novels], *evals)
    assert found.reasons.to_pylist() == ["decontaminate:overlap"] * 3 + [None] * 3
    assert found.signals["hit"].to_pylist()[:3] == ["gsm8k:test.jsonl:1", "humaneval:HumanEval/0", "truthfulqa:TruthfulQA.csv:2"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_json_lines_end_at_newlines_alone(separator: str, tmp_path: Path) -> None:
    question = sentence("separated", 20)
    evals = tmp_path / "exam.jsonl"
    evals.write_text(json.dumps({"question": f"one{separator}two"}, ensure_ascii=False) + "\n", "utf-8")
    with open(evals, "a", encoding="utf-8") as file:
        file.write(json.dumps({"question": question}) + "\n")
    assert outcome(searched([around(question)], evals))[0][0] == "decontaminate:overlap"


SHORT = sentence("short", 10)


@pytest.fixture
def quiz(tmp_path: Path) -> Path:
    """Ten words of question, an answer of two; and an item of seven words."""
    items = [{"question": SHORT, "answer": "yes indeed"}, {"question": sentence("seven", 7)}]
    path = tmp_path / "quiz.jsonl"
    path.write_text("\n".join(map(json.dumps, items)), "utf-8")
    return path


def test_a_short_field_is_found_when_all_of_it_stands_there(quiz: Path) -> None:
    texts = [around(SHORT.upper()), around(" ".join(SHORT.split()[:9])), around(sentence("seven", 7))]
    assert outcome(searched(texts, quiz)) == [
        ("decontaminate:overlap", 3, 1.0, "quiz.jsonl:1"), (None, 2, pytest.approx(2 / 3), "quiz.jsonl:1"), (None, 0, 0.0, None),
    ]  # fmt: skip
    assert outcome(searched(texts, quiz, short=None)) == [(None, 0, 0.0, None)] * 3
    assert searched(texts, quiz, short=7).reasons.to_pylist()[2] == "decontaminate:overlap"


def test_a_question_of_few_words_is_looked_for_with_its_answer(tmp_path: Path) -> None:
    path = tmp_path / "exam.jsonl"
    path.write_text(json.dumps({"question": sentence("few", 5), "answer": sentence("told", 4)}), "utf-8")
    texts = [around(f"{sentence('few', 5)}: {sentence('told', 4)}"), around(sentence("few", 5)), around(sentence("told", 4))]
    assert searched(texts, path).reasons.to_pylist() == ["decontaminate:overlap", None, None]


def test_a_short_answer_is_no_question(tmp_path: Path) -> None:
    path = tmp_path / "exam.jsonl"
    path.write_text(json.dumps({"question": QUESTION, "answer": SHORT}), "utf-8")
    assert outcome(searched([around(SHORT)], path)) == [(None, 0, 0.0, None)]


def test_what_matched_is_shown_as_it_stands_there(exam: Path) -> None:
    disguised = QUESTION.upper().replace(" ", " - ")
    found = searched([around(disguised), around(" ".join(QUESTION.split()[:14])), "nothing"], exam)
    assert found.signals["matched"].to_pylist() == [disguised[:200], None, None]


def test_a_passage_is_cut_with_what_stands_around_it(exam: Path) -> None:
    before, after = sentence("long before", 60), sentence("long after", 60)  # 359 characters each
    found = searched([before, QUESTION, f"{before} {QUESTION} {after}"], exam, action="cut")
    assert found.reasons.to_pylist() == [None, "decontaminate:pieces", "decontaminate:pieces"]
    assert found.text is not None
    assert found.text.to_pylist() == [None] * 3
    text = f"{before * 2} {QUESTION} {after * 2}"
    found = searched([text], exam, action="cut")
    assert found.text is not None
    assert found.text.to_pylist() == [f"{text[: len(before) * 2 + 1 - 200]}\n\n{text[-(len(after) * 2 + 1 - 200) :]}"]
    assert found.edits == {"passages": 1}
    assert found.signals["hit"].to_pylist() == ["exam.jsonl:1"]
    assert not found.bounds, "what is found is cut, and no reason to drop the document"


def test_a_document_that_is_all_cut_goes(exam: Path) -> None:
    found = searched([QUESTION, f"{QUESTION} x"], exam, action="cut", margin=0)
    assert found.reasons.to_pylist() == ["decontaminate:pieces", None]
    assert found.text is not None
    assert found.text.to_pylist() == [None, " x"]


@pytest.mark.parametrize(("passages", "kept"), [(9, True), (10, False)])
def test_a_document_cut_into_too_many_pieces_goes(exam: Path, passages: int, kept: bool) -> None:
    text = QUESTION.join(sentence(f"piece {n}", 120) for n in range(passages + 1))
    found = searched([text], exam, action="cut")
    assert found.reasons.to_pylist() == [None if kept else "decontaminate:pieces"]
    assert found.edits == {"passages": passages if kept else 0}


def test_questions_with_their_answers(quiz: Path) -> None:
    texts = [around(f"{SHORT}? Yes, indeed"), around(SHORT), f"{SHORT} {sentence('far', 60)} yes indeed"]
    found = searched(texts, quiz, method="qa")
    assert outcome(found)[0] == ("decontaminate:overlap", 6, 1.0, "quiz.jsonl:1")
    assert found.reasons.to_pylist() == ["decontaminate:overlap", None, None]
    assert found.signals["matched"].to_pylist() == [SHORT, None, None]


@pytest.mark.parametrize("method", ["ngrams", "qa"])
def test_slices_and_batches_give_the_same(exam: Path, method: str) -> None:
    told = [around(f"{QUESTION} {ANSWER}"), "", around("nothing"), f"{QUESTION}\n{ANSWER}"]
    rows = pa.RecordBatch.from_pylist([{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(told)], schema=DOC)
    whole = outcome(decontaminate(rows, evals=[str(exam)], method=method))
    assert [reason is None for reason, *_ in whole] == [False, True, True, False]
    assert whole == [found for n in range(4) for found in outcome(decontaminate(rows.slice(n, 1), evals=[str(exam)], method=method))]


def test_an_item_in_a_language_without_spaces(tmp_path: Path) -> None:
    question = "法律规定公民在年满十八岁以后享有选举权和被选举权"
    path = tmp_path / "exam.jsonl"
    path.write_text(json.dumps({"question": question}, ensure_ascii=False), "utf-8")
    found = searched([f"今天我们来看这道题：{question}。请回答。", "今天天气很好，我们去公园散步，然后回家吃饭"], path)
    assert found.reasons.to_pylist() == ["decontaminate:overlap", None]


def test_accents_written_either_way_are_the_same(tmp_path: Path) -> None:
    question = " ".join(f"{word}é" for word in sentence("accents", 20).split())
    path = tmp_path / "exam.txt"
    path.write_text(unicodedata.normalize("NFD", question), "utf-8")
    assert searched([question], path).reasons.to_pylist() == ["decontaminate:overlap"]
