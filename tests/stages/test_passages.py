"""Passages that stand in several places: what is cut is what a dictionary of all runs of words says, however work is divided."""

from __future__ import annotations

import gzip
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import reference_passages as plain
from dedupe_kit import Doc, committed_docs, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.dedupe import keyed, merging
from pipeline.errors import GuardTripped
from pipeline.evidence import Number
from pipeline.explain import explain
from pipeline.job import Inputs
from pipeline.rejects import Count, count_rejects, sample_rejects
from pipeline.schema import bounds_on, document_id
from pipeline.stages import passages as stage
from pipeline.storage import Folder
from pipeline.survivors import survivors
from pipeline.worker import LocalStage

FREE = {"max_removed": 1.0, "min_left": 0}
Parts = Mapping[str, Sequence[Doc]]


@dataclass
class Cut:
    """What the stage has left of some parts."""

    stages: LocalStage
    names: Mapping[str, str]

    @property
    def spans(self) -> dict[str, list[tuple[int, int, str]]]:
        """By the name of the document: start, stop, name of the document that keeps it."""
        out: dict[str, list[tuple[int, int, str]]] = {}
        for row in self.rows("cuts"):
            out.setdefault(self.names[row["id"]], []).append((row["start"], row["stop"], self.names[row["twin"]]))
        return out

    @property
    def texts(self) -> dict[str, str]:
        """The texts as later stages read them, by the name of the document."""
        roles = Inputs({name: (self.stages.committed[name],) for name in ("filter", "passages")})
        batches = [batch for docs in roles.files("filter", "docs") for batch in survivors(roles, docs, ["id", "text"])]
        return {self.names[row["id"]]: row["text"] for batch in batches for row in batch.to_pylist()}

    @property
    def files(self) -> dict[str, str]:
        return {entry.name: entry.sha256 for entry in self.stages.committed["passages"].files()}

    def rows(self, kind: str) -> list[dict[str, Any]]:
        done = self.stages.committed["passages"]
        return [row for entry in done.files(kind) for row in done.folder.table(entry.name).to_pylist()]


def passages(out: Path, parts: Parts, seed: str = "", **args: Any) -> Cut:
    stages = LocalStage(Folder(str(out)), order=lambda task: random.Random(f"{seed} {task.name}").random())
    docs = committed_docs(stages.out.sub("filter"), parts)
    stages.committed["filter"] = docs
    signed = stages.run("signatures", {"filter": docs})
    stages.run("passages", {"filter": docs, "signatures": signed}, **args)
    names = {document_id(part.rpartition("-")[0], doc[0]): doc[0] for part, found in parts.items() for doc in found}
    return Cut(stages, names)


def preferred(parts: Parts, priority: Sequence[str] = ()) -> list[Doc]:
    """All documents, the most preferred first: by source, then the newest, the longest, the smallest id."""
    every = [(part.rpartition("-")[0], doc) for part, docs in parts.items() for doc in docs]
    every.sort(key=lambda item: document_id(item[0], item[1][0]))
    every.sort(key=lambda item: len(item[1][1]), reverse=True)
    every.sort(key=lambda item: item[1][2] if len(item[1]) > 2 else "", reverse=True)
    every.sort(key=lambda item: priority.index(item[0]) if item[0] in priority else len(priority))
    return [doc for _, doc in every]


def check(run: Cut, parts: Parts, least: int, priority: Sequence[str] = ()) -> None:
    """The cuts are those of the plain twin, and so are the texts that later stages read."""
    order = preferred(parts, priority)
    spans = plain.repeated([doc[1] for doc in order], least)
    expected = {doc[0]: [(*span[:2], order[span[2]][0]) for span in found] for doc, found in zip(order, spans, strict=True) if found}
    assert run.spans == expected
    left = {doc[0]: plain.without(doc[1], found) for doc, found in zip(order, spans, strict=True)}
    assert run.texts == left
    report = run.stages.committed["passages"].report
    assert sum(report.counts[source, "passages cut"] for source in report.read) == sum(map(len, spans))
    assert sum(report.counts[source, "documents cut"] for source in report.read) == len(expected)
    removed = sum(len(doc[1]) - len(left[doc[0]]) for doc in order)
    assert sum(report.counts[source, "characters_removed"] for source in report.read) == removed
    assert sum(row["characters"] for row in run.rows("cuts")) == removed


def divide(patch: pytest.MonkeyPatch, rows: int) -> None:
    """Let tasks be small, portions smaller, and files be merged first."""
    patch.setattr(stage, "ROWS_PER_TASK", rows)
    patch.setattr(stage, "HELD", max(1, rows // 3))
    patch.setattr(keyed, "GROUP_BYTES", 1)
    patch.setattr(merging, "MOST_OPENS", 3)
    patch.setattr(merging, "MERGED_BYTES", 1 << 12)


def dealt(documents: Sequence[Doc], parts: int, seed: str = "dealt") -> dict[str, list[Doc]]:
    shuffled = random.Random(seed).sample(documents, len(documents))
    return {f"web-{part:05d}": shuffled[part::parts] for part in range(parts)}


def test_a_passage_stays_where_it_is_preferred(tmp_path: Path) -> None:
    shared = text(20, "shared")
    parts: Parts = {
        "web-00000": [("old", f"{text(9, 'a')}\n\n{shared}\n\n{text(9, 'b')}", "2020"), ("new", f"{shared} {text(3, 'c')}", "2024-01-02")],
        "books-00000": [("book", f"{text(5, 'd')} {shared.replace(' ', chr(10))}")],
    }
    run = passages(tmp_path / "dates", parts, min_words=20, **FREE)
    check(run, parts, 20)
    assert set(run.spans) == {"old", "book"}
    assert run.texts["old"] == f"{text(9, 'a')}\n\n{text(9, 'b')}"
    assert run.rows("cuts")[0]["excerpt"] == shared.replace(" ", "\n")[:80]
    run = passages(tmp_path / "sources", parts, min_words=20, priority=["books"], **FREE)
    check(run, parts, 20, ["books"])
    assert {span[2] for spans in run.spans.values() for span in spans} == {"book"}


@pytest.mark.parametrize(("words", "cut"), [(19, set()), (20, {"two"}), (21, {"two"})])
def test_a_run_shorter_than_asked_stays(tmp_path: Path, words: int, cut: set[str]) -> None:
    shared = text(words, "shared")
    parts = {"web-00000": [("one", f"{text(30, 'a')} {shared}"), ("two", f"{shared} {text(8, 'b')}")]}
    run = passages(tmp_path, parts, min_words=20, **FREE)
    check(run, parts, 20)
    assert set(run.spans) == cut


def test_what_is_left_too_short_is_dropped_and_counted(tmp_path: Path) -> None:
    shared = text(20, "shared")
    parts = {
        "web-00000": [("long", f"{shared} {text(20, 'l')}"), ("at", f"{shared} 3456789"), ("below", f" {shared} 345678 "), ("", "")],
        "books-00000": [("other", text(30, "other"))],
    }
    run = passages(tmp_path, parts, min_words=20, min_left=7, max_removed={"web": 1.0})
    assert set(run.texts) == {"long", "at", "", "other"}
    report = run.stages.committed["passages"].report.check()
    assert +report.dropped == {("web", "passages:short"): 1}
    assert report.counts["web", "characters_removed"] == 2 * (len(shared) + 1) + len(" 345678 ")
    below = next(row for row in run.rows("decisions") if run.names[row["id"]] == "below")
    assert (below["reason"], below["value"]) == ("passages:short", 6.0)
    done = run.stages.committed["passages"]
    assert bounds_on(done.folder.schema("web-00000.decisions.parquet").field("value")) == [("short", ">=", 7)]


def test_the_guard_stops_what_would_cut_too_much(tmp_path: Path) -> None:
    shared = text(40, "shared")
    parts: Parts = {
        "web-00000": [("a", f"{shared} {text(60, chr(97))}")],
        "books-00000": [(f"{n}", f"{shared} {text(20, f'{n}')}") for n in range(3)],
    }
    with pytest.raises(GuardTripped, match=r"passages would remove more of books .*") as tripped:
        passages(tmp_path, parts, min_words=20, max_removed={"books": 0.4})
    assert repr(shared[:80]) in str(tripped.value)
    assert "under `passages`" in str(tripped.value)
    for allowed in ({"max_removed": {"books": 0.9}}, {"override_guard": True}):
        assert passages(tmp_path, parts, min_words=20, **allowed).spans


LETTERS = st.sampled_from(["a", "b", "c", "中", "中文", "b中", "\n", "é", "a b c a b c d e f", "x y z w v u t s r q"])


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.lists(LETTERS, max_size=40).map(" ".join), max_size=12), st.integers(4, 9), st.integers(1, 60))
def test_any_texts_in_one_two_or_seven_parts(tmp_path_factory: pytest.TempPathFactory, contents: list[str], least: int, rows: int) -> None:
    """Few different words, so that runs overlap with themselves and with others in every way."""
    documents: list[Doc] = [(f"{n}", content, str(2000 + n % 3)) for n, content in enumerate(contents)]
    for parts in (1, 2, 7):
        with pytest.MonkeyPatch.context() as patch:
            if parts > 1:
                divide(patch, rows)
            split = dealt(documents, parts)
            check(passages(tmp_path_factory.mktemp("any"), split, f"{parts}", min_words=least, **FREE), split, least)


def mingled(number: int = 60) -> list[Doc]:
    """Texts put together of passages that others have too."""
    draw = random.Random("mingled")
    found = [text(draw.randint(5, 60), f"passage {n}") for n in range(40)]
    return [(f"{n}", "\n\n".join(draw.choices(found, k=draw.randint(0, 6))), draw.choice(("2020", "2021-05-01"))) for n in range(number)]


def test_the_same_bytes_for_any_number_and_order_of_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = dealt(mingled(), 5)
    one = passages(tmp_path / "one", parts, min_words=12, **FREE)
    check(one, parts, 12)
    assert one.stages.rounds["passages"] == 4
    divide(monkeypatch, 300)
    many = passages(tmp_path / "many", parts, "many", min_words=12, **FREE)
    assert many.stages.rounds["passages"] == 8
    assert many.files == one.files
    assert sorted(path.name for path in (tmp_path / "many" / "passages").iterdir() if path.is_dir()) == []


def test_real_texts_that_share_passages(tmp_path: Path, corpus: Path) -> None:
    """Parts of two books and pages that quote them, against the plain twin."""
    books = [gzip.decompress(path.read_bytes()).decode("latin-1")[:150_000] for path in sorted((corpus / "books").glob("*.gz"))[:3]]
    documents: list[Doc] = [(f"book {n}", book) for n, book in enumerate(books)]
    documents += [
        (f"quote {n}", books[n % 3][n * 3_000 : n * 3_000 + 2_000 + 97 * n] + books[(n + 1) % 3][n * 500 :][:900]) for n in range(30)
    ]
    parts = dealt(documents, 3)
    run = passages(tmp_path, parts, min_words=50, **FREE)
    check(run, parts, 50)
    assert len(run.spans) >= 30


def test_a_million_equal_lines_and_a_text_repeated_ten_thousand_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the lines one stays, of the text one; in portions of one key too."""
    monkeypatch.setattr(stage, "HELD", 1 << 14)
    repeated = text(12, "again")
    parts = dealt([("lines", "the same line\n" * 100_000), *((f"{n}", repeated) for n in range(2_000)), ("empty", "")], 2)
    run = passages(tmp_path, parts, min_words=10, **FREE)
    left = {name: content for name, content in run.texts.items() if content}
    assert left.pop("lines") == "the same line\n"
    assert list(left.values()) == [repeated]
    assert run.spans["lines"] == [(14, 1_400_000, "lines")]


def test_evidence_says_what_was_cut_and_whose_it_is(tmp_path: Path) -> None:
    """As `tokenmill explain` and `tokenmill rejects` read it from the files of a run."""
    shared, one, two = text(20, "shared"), text(20, "one"), text(20, "two")
    parts: Parts = {"web-00000": [("first", f"{shared} {one} {two}"), ("second", f"{shared} between {two} end"), ("short", one)]}
    run = passages(tmp_path, parts, min_words=20, min_left=5, max_removed=1.0)
    places = {"extract": "filter", "filter": "filter", "passages": "passages"}
    stages = [{"key": name, "stage": name, "source": None, "folder": folder} for name, folder in places.items()]
    run.stages.out.write_json("run.json", {"stages": stages, "sources": {"web": {}}})
    (story,) = explain(run.stages.out, document_id("web", "second"))
    event = story.events[-1]
    assert (event.stage, event.verdict) == ("passages", "kept")
    facts = {"passages_cut": 2, "characters_cut": len(shared) + len(two) + 2, "also_in": document_id("web", "first")}
    assert event.facts == facts
    assert event.numbers[0] == Number("passages.left", 11.0, (("short", ">=", 5),))
    (counted,) = count_rejects(run.stages.out)
    assert counted == Count("web", "passages", "passages:short", 1, 3)
    (sample,) = sample_rejects(run.stages.out, [counted], 5)
    assert (sample.id, sample.excerpt, sample.numbers[0].decided) == (document_id("web", "short"), one, True)
