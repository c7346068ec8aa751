"""The filter stage: steps in order over a part, what is kept with its numbers, what is dropped with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from kit import prose

from pipeline import registry
from pipeline.contracts import Task, Verdicts
from pipeline.errors import SourceError, StorageError
from pipeline.job import Committed, TaskResult
from pipeline.report import Report
from pipeline.schema import DOC, EXCERPT_CHARS, REJECT, bounds_on, document_id
from pipeline.stages import filter as stage
from pipeline.storage import Folder
from pipeline.worker import LocalStage

Rule = Callable[..., Verdicts]


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters of a test's own, by name, that the registry knows as long as the test runs."""
    registry.load_all()
    known = dict(registry._steps)
    monkeypatch.setattr(registry, "_steps", known)
    for name, rule in {"without": without, "upper": upper, "broken": broken, "short": short, "tongue": tongue}.items():
        registry.filter(name)(rule)


def without(docs: pa.RecordBatch, *, word: str = "drop") -> Verdicts:
    """Drop texts with a word; count what it was shown."""
    found = pc.match_substring(docs.column("text"), word)
    seen = pa.array(np.arange(docs.num_rows) * 0 + 1, pa.int64())
    return Verdicts(pc.if_else(found, f"without:{word}", pa.scalar(None, pa.string())), {"seen": seen})


def upper(docs: pa.RecordBatch, *, cut: str = "cut") -> Verdicts:
    """Write texts in capitals, and `cut` as nothing at all; rows with "same" are left alone."""
    text = docs.column("text")
    edited = pc.if_else(pc.equal(text, cut), "", pc.utf8_upper(text))
    edited = pc.if_else(pc.match_substring(text, "same"), pa.scalar(None, pa.large_string()), edited)
    return Verdicts(pa.nulls(docs.num_rows, pa.string()), text=edited, edits={"capitals": docs.num_rows})


def broken(docs: pa.RecordBatch) -> Verdicts:
    """Fail on a text that says so."""
    if pc.any(pc.match_substring(docs.column("text"), "fail")).as_py():
        raise KeyError("no such thing")
    if pc.any(pc.match_substring(docs.column("text"), "refuse")).as_py():
        raise SourceError("a file is missing")
    return Verdicts(pa.nulls(docs.num_rows, pa.string()))


def short(docs: pa.RecordBatch) -> Verdicts:
    """Return one row too few."""
    return Verdicts(pa.nulls(max(docs.num_rows - 1, 0), pa.string()))


def tongue(docs: pa.RecordBatch) -> Verdicts:
    """Say in which language a text is, where it knows."""
    lang = pc.if_else(pc.match_substring(docs.column("text"), "hello"), "en", pa.scalar(None, pa.string()))
    return Verdicts(pa.nulls(docs.num_rows, pa.string()), facts={"lang": lang})


def extracted(folder: Path, *texts: str, parts: int = 1) -> Committed:
    """A committed extract stage with the texts in so many parts."""
    where, results = Folder(str(folder)).sub("extract"), []
    for part in range(parts):
        rows = [{"id": document_id("web", text), "text": text, "source": "web", "lang": "fr"} for text in texts[part::parts]]
        with where.parquet(f"web-{part:05d}.docs.parquet", DOC) as sink:
            sink.write(pa.RecordBatch.from_pylist(rows, schema=DOC))
        results.append(TaskResult(f"web-{part:05d}", (sink.entry(),), Report()).to_json())
    return Committed(where, {"stage": "extract-web", "tasks": results, "fingerprint": "extract"})


def filtered(folder: Path, inputs: Committed, *steps: Mapping[str, Any] | str) -> Committed:
    listed = [{"name": step, "args": {}} if isinstance(step, str) else step for step in steps]
    return LocalStage(Folder(str(folder / "out"))).run("filter", {"extract": inputs}, steps=listed)


def rows(stage: Committed, kind: str) -> list[dict[str, Any]]:
    return [row for entry in stage.files(kind) for row in stage.folder.table(entry.name).to_pylist()]


def step(name: str, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args}


@pytest.mark.usefixtures("rules")
def test_what_a_step_drops_the_next_does_not_see(tmp_path: Path) -> None:
    done = filtered(tmp_path, extracted(tmp_path, "a drop", "b", "c other", "d drop other"), "without", step("without", word="other"))
    assert [row["text"] for row in rows(done, "docs")] == ["b"]
    found = [(row["step"], row["reason"]) for row in rows(done, "rejects")]
    assert found == [("without", "without:drop"), ("without_2", "without:other"), ("without", "without:drop")]
    assert done.report.dropped == {("web", "without:drop"): 2, ("web", "without:other"): 1}
    assert (done.report.read["web"], done.report.kept["web"]) == (4, 1)


@pytest.mark.usefixtures("rules")
def test_measurements_follow_the_documents_by_step_and_name(tmp_path: Path) -> None:
    done = filtered(tmp_path, extracted(tmp_path, "a", "b"), "without", step("length", max_chars=5), "without")
    schema = done.folder.table(done.files("docs")[0].name).schema
    assert schema.names == [*DOC.names, "without.seen", "length.chars", "length.words", "without_2.seen"]
    assert [row["length.chars"] for row in rows(done, "docs")] == [1, 1]


def test_a_reject_keeps_its_numbers_and_the_beginning_of_its_text(tmp_path: Path) -> None:
    text = "日本語 " * 400
    done = filtered(tmp_path, extracted(tmp_path, text, "fine"), step("length", max_chars=100))
    (reject,) = rows(done, "rejects")
    assert done.folder.table(done.files("rejects")[0].name).schema.equals(REJECT)
    assert json.loads(reject.pop("signals")) == {"length.chars": 1600, "length.words": 400}
    assert reject == {
        "id": document_id("web", text),
        "source": "web",
        "url": None,
        "step": "length",
        "reason": "length:many_chars",
        "excerpt": text[:EXCERPT_CHARS],
    }


@pytest.mark.usefixtures("rules")
def test_a_reject_has_the_numbers_of_the_steps_that_saw_it(tmp_path: Path) -> None:
    done = filtered(tmp_path, extracted(tmp_path, "drop", "other", "many words"), "without", step("length", max_words=1), step("without"))
    measured = {row["reason"]: json.loads(row["signals"]) for row in rows(done, "rejects")}
    assert measured == {
        "without:drop": {"without.seen": 1},
        "length:many_words": {"without.seen": 1, "length.chars": 10, "length.words": 2},
    }


@pytest.mark.usefixtures("rules")
def test_edits_reach_the_next_step_and_a_text_edited_to_nothing_goes(tmp_path: Path) -> None:
    done = filtered(tmp_path, extracted(tmp_path, "a", "cut", "same", ""), "upper", step("without", word="A"))
    assert [row["text"] for row in rows(done, "docs")] == ["same", ""]
    found = [(row["reason"], row["excerpt"]) for row in rows(done, "rejects")]
    assert found == [("without:A", "A"), ("upper:empty", "cut")]
    assert done.report.counts["web", "upper.capitals"] == 4
    assert (done.report.counts["web", "text_bytes_in"], done.report.counts["web", "text_bytes"]) == (8, 4)


@pytest.mark.usefixtures("rules")
def test_facts_replace_what_the_reader_said_where_there_are_any(tmp_path: Path) -> None:
    done = filtered(tmp_path, extracted(tmp_path, "hello", "salut"), "tongue")
    assert [row["lang"] for row in rows(done, "docs")] == ["en", "fr"]


@pytest.mark.usefixtures("rules")
def test_a_part_without_documents_has_the_same_columns(tmp_path: Path) -> None:
    steps = (
        step("language", allow=["en", "de"]),
        "gopher_repetition",
        "gopher_quality",
        "c4",
        "fineweb",
        "code",
        "length",
        "decontaminate",
    )
    done = filtered(tmp_path, extracted(tmp_path, "only one", parts=2), *steps)
    first, second = (done.folder.table(entry.name) for entry in done.files("docs"))
    assert first.schema.equals(second.schema)
    assert len(first.schema) > 40
    assert second.num_rows == 0


@pytest.mark.usefixtures("rules")
def test_an_error_names_the_filter_the_part_and_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "RUN_BYTES", 12)
    with pytest.raises(RuntimeError, match=r"filter 'broken' failed on part web-00000, among rows 1 to 3: KeyError: 'no such thing'"):
        filtered(tmp_path, extracted(tmp_path, "twelve bytes", "drop", "abc", "fail", "this is not reached"), "broken")


@pytest.mark.usefixtures("rules")
def test_an_error_that_a_user_can_mend_is_passed_on_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^a file is missing$"):
        filtered(tmp_path, extracted(tmp_path, "refuse"), "broken")


@pytest.mark.usefixtures("rules")
def test_a_step_that_loses_rows_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"'short' returned columns of \{'reasons': 1\} rows for 2 documents"):
        filtered(tmp_path, extracted(tmp_path, "a", "b"), "short")


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"filter 'length': min_char: .*did you mean 'min_chars'"):
        filtered(tmp_path, extracted(tmp_path, "a"), step("length", min_char=3))


def test_a_part_that_is_not_there_is_named(tmp_path: Path) -> None:
    inputs = extracted(tmp_path, "a")
    inputs.folder.remove()
    with pytest.raises(StorageError, match=r"web-00000\.docs\.parquet"):
        filtered(tmp_path, inputs)


def test_a_part_that_extract_never_wrote_is_named(tmp_path: Path) -> None:
    stages, inputs = LocalStage(Folder(str(tmp_path))), {"extract": extracted(tmp_path, "a")}
    with pytest.raises(StorageError, match="web-00007: the role 'extract' has no 'docs' file of it"):
        stages.run("filter", inputs, key="filter-web", tasks=[Task("web-00007")], steps=[])


def test_no_steps_keep_everything(tmp_path: Path) -> None:
    done = filtered(tmp_path, extracted(tmp_path, "a", "", "b"))
    assert [row["text"] for row in rows(done, "docs")] == ["a", "", "b"]
    assert rows(done, "rejects") == []


@pytest.mark.usefixtures("rules")
def test_the_bytes_do_not_depend_on_how_the_rows_were_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endings = (
        "",
        "A line with an open { brace.",
        "Five words again and again. " * 9,
        "Drop drop",
        "1 2 3 4 5 6 7. " * 9,
        "Too short.\n" * 9,
    )
    inputs = extracted(tmp_path, *(f"{prose(str(number), 1 + number % 2)}{endings[number % 6]}" for number in range(300)))
    steps = ("without", "gopher_repetition", step("gopher_quality", min_words=70), "c4", step("fineweb", min_ended_lines=0.6))
    written = []
    for size in (1, 7000, 1 << 30):
        monkeypatch.setattr(stage, "RUN_BYTES", size)
        done = filtered(tmp_path / str(size), inputs, *steps)
        written.append([(entry.name, entry.sha256) for entry in done.files()])
        assert len({row["reason"] for row in rows(done, "rejects")}) > 3
    assert written[0] == written[1] == written[2]


def test_a_docs_file_says_what_its_numbers_were_held_to(tmp_path: Path) -> None:
    for texts in (("two words",), ()):
        folder = tmp_path / str(len(texts))
        done = filtered(folder, extracted(folder, *texts), step("length", min_words=2, max_words=9), "length")
        schema = done.folder.table(done.files("docs")[0].name).schema
        assert bounds_on(schema.field("length.words")) == [("few_words", ">=", 2), ("many_words", "<=", 9)]
        assert bounds_on(schema.field("length_2.words")) == bounds_on(schema.field("id")) == []


@pytest.mark.parametrize(("limit", "reasons"), [(None, 4), (3, 4), (2, 1)])
def test_ngrams_that_many_documents_of_a_source_hold_are_ignored(tmp_path: Path, limit: int | None, reasons: int) -> None:
    evals = tmp_path / "exam.txt"
    common, rare = (" ".join(prose(name).split()[:20]) for name in ("common", "rare"))
    evals.write_text(f"{common}\n{rare}\n", "utf-8")
    documents = extracted(tmp_path, common, f"{common} again", f"once more {common}", rare, "something else", parts=2)
    done = filtered(tmp_path, documents, step("decontaminate", evals=[str(evals)], max_documents=limit))
    assert done.report.dropped["web", "decontaminate:overlap"] == reasons
    assert done.report.kept["web"] == 5 - reasons
