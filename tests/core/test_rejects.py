"""What was dropped, counted and shown: by source, stage and reason, with the numbers that decided and what they were held to."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline import rejects
from pipeline.__main__ import main
from pipeline.cli.numbers import number_lines
from pipeline.contracts import Bound, InputFile, Task
from pipeline.errors import TokenmillError
from pipeline.evidence import Number, rejected_numbers
from pipeline.explain import explain
from pipeline.job import Committed
from pipeline.registry import bind, names
from pipeline.rejects import Count, count_rejects, sample_rejects
from pipeline.report import Report
from pipeline.schema import decided_by, document_id, signal_field
from pipeline.storage import Folder
from pipeline.worker import LocalStage

PARTS = 5
#: Each part's documents by name: what each is and how it ends.
TEXTS = {
    "short": "One two",
    "long": "Word " * 40,
    "long too": "More " * 40,
    "empty": "",
    "twin": "A document that is like another one.",
    "low": "A document that no model likes.",
    "fine": "A document that is in.",
}
STEPS = [
    {"name": "length", "args": {"min_words": 3, "max_words": 30}},
    {"name": "gopher_quality", "args": {"min_words": None, "min_stop_words": None}},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A run of one source in PARTS parts, as far as its quality stage."""
    place = tmp_path_factory.mktemp("run")
    stages = LocalStage(Folder(str(place / "tiny")))
    extractors = [{"name": name, "args": bind("extractor", name, {})[0].args} for name in names("extractor")]
    extracted = stages.run("extract", {}, tasks=[task(place, part) for part in range(PARTS)], extractors=extractors)
    filtered = stages.run("filter", {"extract": extracted}, steps=STEPS)
    decide(stages, "dedupe", filtered, "near_duplicate", 0.9, Bound("near_duplicate", "value", "<", 0.8), "twin")
    decide(stages, "quality", filtered, "quality:low", 0.03, Bound("low", "value", ">=", 0.07), "low")
    listed = [{"key": key, "stage": key, "folder": key} for key in stages.committed]
    stages.out.write_json("run.json", {"stages": listed, "sources": {"web": {}}})
    return stages.out


def task(place: Path, part: int) -> Task:
    path = place / f"{part}.jsonl"
    path.write_text("".join(json.dumps({"id": f"{name} {part}", "text": text}) + "\n" for name, text in TEXTS.items()))
    file = asdict(InputFile(path.name, str(path), "", 1))
    return Task(f"web-{part:05d}", {"files": [file], "read": {"name": "jsonl", "args": bind("reader", "jsonl", {"id": "id"})[0].args}})


def decide(stages: LocalStage, name: str, docs: Committed, reason: str, value: float, bound: Bound, gone: str) -> None:
    """A stage of decisions about the documents that the filters kept: all of one name go."""
    folder, tasks = stages.out.sub(name), []
    for entry in docs.files("docs"):
        report, part = Report(), int(entry.part[-5:])
        ids = docs.folder.table(entry.name, ["id"])["id"].to_pylist()
        hit = document_id("web", f"{part}.jsonl/{gone} {part}")
        rows = [{"id": one, **({"reason": reason, "value": value, "twin": ids[0]} if one == hit else {})} for one in ids]
        with folder.parquet(f"{entry.part}.decisions.parquet", decided_by(bound)) as sink:
            sink.write(pa.RecordBatch.from_pylist(rows, schema=decided_by(bound)))
        report.read["web"], report.kept["web"] = len(rows), len(rows) - 1
        report.drop("web", reason)
        tasks.append({"task": entry.part, "files": [vars(sink.entry())], "report": report.check().to_json()})
    folder.write_json("manifest.json", {"stage": name, "fingerprint": name, "tasks": tasks, "args": {}, "inputs": {}})
    stages.committed[name] = Committed(folder, folder.read_json("manifest.json"))


def test_counts_come_by_source_stage_and_number(run: Folder) -> None:
    assert count_rejects(run) == [
        Count("web", "extract", "extract:empty", 5, 35),
        Count("web", "filter", "length:many_words", 10, 30),
        Count("web", "filter", "length:few_words", 5, 30),
        Count("web", "dedupe", "near_duplicate", 5, 15),
        Count("web", "quality", "quality:low", 5, 15),
    ]
    assert count_rejects(run, "web", "filter")[0].share == 1 / 3


@pytest.mark.parametrize(
    ("wanted", "reasons"),
    [
        ("length:few_words", {"length:few_words"}),
        ("length", {"length:few_words", "length:many_words"}),
        ("words", {"length:few_words", "length:many_words"}),
        ("near_duplicate", {"near_duplicate"}),
        ("low", {"quality:low"}),
    ],
)
def test_a_reason_is_a_whole_one_a_step_or_a_part(run: Folder, wanted: str, reasons: set[str]) -> None:
    assert {count.reason for count in count_rejects(run, reason=wanted)} == reasons


def test_what_is_not_there_is_named_with_the_nearest(run: Folder) -> None:
    for given, message in (
        ({"reason": "length:few_word_"}, "--reason length:few_word_: nothing was dropped for that; did you mean 'length:few_words'"),
        ({"reason": "few_words", "stage": "dedupe"}, "nothing was dropped for that; known: near_duplicate"),
        ({"source": "wed"}, "--source wed: the run has no such source; did you mean 'web'"),
        ({"stage": "filters"}, "--stage filters: .*did you mean 'filter'"),
    ):
        with pytest.raises(TokenmillError, match=message):
            count_rejects(run, **given)


def test_samples_are_the_smallest_ids_with_the_number_that_decided(run: Folder) -> None:
    ids = sorted(document_id("web", f"{part}.jsonl/{name} {part}") for part in range(PARTS) for name in ("long", "long too"))
    for number in (*range(1, 12), 10**30):
        samples = sample_rejects(run, count_rejects(run, reason="many_words"), number)
        assert [sample.id for sample in samples] == ids[:number]
    for sample in samples:
        assert sample.numbers == (Number("length.words", 40, (("few_words", ">=", 3), ("many_words", "<=", 30)), decided=True),)
        assert (sample.stage, sample.excerpt) == ("filter", TEXTS[sample.where.rpartition(" ")[0]])


def test_decisions_are_shown_with_their_bound_their_twin_and_their_text(run: Folder) -> None:
    (low,) = sample_rejects(run, count_rejects(run, reason="quality:low"), 1)
    assert low.numbers == (Number("quality.score", 0.03, (("low", ">=", 0.07),), decided=True),)
    (near,) = sample_rejects(run, count_rejects(run, stage="dedupe"), 1)
    assert near.numbers[0].bounds == (("near_duplicate", "<", 0.8),)
    assert near.twin
    assert (low.excerpt, near.excerpt) == (TEXTS["low"], TEXTS["twin"])


def test_only_some_parts_are_read_and_they_lie_apart(run: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "MAX_PARTS", 2)
    counts = count_rejects(run, reason="few_words")
    assert [sample.part for sample in sample_rejects(run, counts, 2)] == sorted(["web-00000", "web-00002"], key=short_id)
    assert len(sample_rejects(run, counts, 5)) == 5  # as many parts as it takes


def short_id(part: str) -> str:
    return document_id("web", f"{int(part[-5:])}.jsonl/short {int(part[-5:])}")


def test_an_explanation_marks_the_number_that_decided_and_has_no_later_ones(run: Folder) -> None:
    (short,) = explain(run, document_id("web", "0.jsonl/short 0"))
    event = short.events[-1]
    assert (event.stage, event.verdict, event.reason, event.facts) == ("filter", "dropped", "length:few_words", {})
    assert [(number.signal, number.decided) for number in event.numbers] == [("length.chars", False), ("length.words", True)]
    (fine,) = explain(run, document_id("web", "0.jsonl/fine 0"))
    signals = [number.signal for number in fine.events[1].numbers]
    assert signals[:4] == ["length.chars", "length.words", "gopher_quality.words", "gopher_quality.mean_word"]  # as the steps ran
    assert not any(number.decided for event in fine.events for number in event.numbers)


@pytest.mark.parametrize("wanted", ["", "\udcff\udcfe", "(.*", "\0", "f" * 32])
def test_a_name_that_no_document_has_is_said_to_be_none(run: Folder, wanted: str) -> None:
    with pytest.raises(TokenmillError, match="no document is called"):
        explain(run, wanted)


def test_the_second_of_two_steps_of_one_name_is_the_one_that_is_marked() -> None:
    asked = {"length.words": Bound("few_words", "words", ">=", 1), "length_2.words": Bound("few_words", "words", ">=", 3)}
    schema = pa.schema([signal_field(name, pa.int64(), [bound]) for name, bound in asked.items()])
    row = {"step": "length_2", "reason": "length:few_words", "signals": '{"length.words": 2, "length_2.words": 2}'}
    assert [number.signal for number in rejected_numbers(row, schema) if number.decided] == ["length_2.words"]


def test_the_command_shows_counts_and_samples(run: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(Path(run.path("")).parent)
    shown = printed(capsys, "rejects", "tiny", "--out", out)
    assert [line.split() for line in shown.splitlines() if "many_words" in line] == [["web", "filter", "length:many_words", "10", "33.33%"]]
    shown = printed(capsys, "rejects", "tiny", "--out", out, "--reason", "many_words", "-n", "2")
    assert shown.startswith("2 of 10 documents\n")
    assert shown.count("    length.words   40   needs >= 3 and <= 30   <- dropped here\n") == 2
    found = json.loads(printed(capsys, "rejects", "tiny", "--out", out, "--source", "web", "-n", "1", "--stage", "quality", "--json"))
    bounds = [{"rule": "low", "op": ">=", "value": 0.07}]
    assert found[0]["numbers"] == [{"signal": "quality.score", "value": 0.03, "bounds": bounds, "decided": True}]
    shown = printed(capsys, "explain", "tiny", document_id("web", "0.jsonl/long 0"), "--out", out)
    assert "    length.words    40   needs >= 3 and <= 30   <- dropped here\n" in shown


def test_a_reason_that_nothing_was_dropped_for_fails(run: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["rejects", "tiny", "--out", str(Path(run.path("")).parent), "--reason", "xyz"])
    assert "error: --reason xyz: nothing was dropped for that" in capsys.readouterr().err


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit, match="0"):
        main(list(argv))
    return capsys.readouterr().out


def test_numbers_stand_in_columns_with_digits_enough_to_tell_them_from_their_bounds() -> None:
    numbers: list[Any] = [
        Number("a.words", 12, (("short", ">=", 50), ("long", "<=", 100_000))),
        Number("a.share", 0.10000040001234, (("high", "<=", 0.1),), decided=True),
        Number("a.exact", 0.1, (("high", "<=", 0.1),)),
        Number("a.lang", "en"),
    ]
    assert [line.plain for line in number_lines(numbers, indent=0)] == [
        "a.words          12   needs >= 50 and <= 100000",
        "a.share   0.1000004   needs <= 0.1   <- dropped here",
        "a.exact         0.1   needs <= 0.1",
        "a.lang           en",
    ]
