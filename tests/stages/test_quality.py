"""The quality model and the scores it gives: the same bytes each time, and only what it was asked."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from dedupe_kit import Doc, committed_docs, words

from pipeline.classifying import NEGATIVE, POSITIVE, lines, model_of, scores
from pipeline.errors import SourceError, TokenmillError
from pipeline.job import MANIFEST, Committed, TaskResult
from pipeline.report import Report
from pipeline.schema import DECISION, bounds_on, document_id
from pipeline.scoring.classifier import train
from pipeline.stages.quality_model import HOLD_OUT_ONE_IN
from pipeline.storage import Folder
from pipeline.tokens import order_keys
from pipeline.worker import LocalStage

SMALL: dict[str, Any] = {"dim": 8, "buckets": 1000, "epochs": 10, "lr": 1.0}
GOOD, BAD, BOTH = words(300, "good"), words(300, "bad"), words(300, "both")


def documents(source: str, vocabulary: list[str], count: int) -> list[Doc]:
    draw = random.Random(source)
    return [(f"{source} {n}", " ".join(draw.choices(vocabulary + BOTH, k=60))) for n in range(count)]


CORPUS = {
    "books-00000": documents("books", GOOD, 150),
    "wikipedia-00000": documents("wikipedia", GOOD, 100),
    "web-00000": documents("web", BAD, 200),
    "web-00001": documents("more web", GOOD + BAD, 100),
    "web-00002": [],
    "code-00000": documents("code", BOTH, 30),
}


def train_on(out: Path, corpus: dict[str, list[Doc]], **args: Any) -> tuple[LocalStage, Committed, dict[str, Any]]:
    stages = LocalStage(Folder(str(out)))
    docs = committed_docs(stages.out.sub("filter"), corpus)
    model = stages.run("quality_model", {"filter": docs, **args.pop("inputs", {})}, **{**SMALL, **args})
    return stages, docs, json.loads(model.folder.read("quality_model.card.json"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalStage, Committed, dict[str, Any]]:
    return train_on(tmp_path_factory.mktemp("quality"), CORPUS, positive=["books", "wikipedia"], negative=["web"], max_documents=240)


def test_the_same_documents_make_the_same_bytes(trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In other parts, in another order, with memory that isn't zero: the same model and card."""
    moved = {"web-00000": CORPUS["web-00001"][::-1], "web-00007": CORPUS["web-00000"]}
    corpus = {**{part: docs for part, docs in CORPUS.items() if not part.startswith("web")}, **moved}
    monkeypatch.setenv("MALLOC_PERTURB_", "165")
    again, _, _ = train_on(tmp_path, corpus, positive=["wikipedia", "books"], negative=["web"], max_documents=240)
    files = [{entry.name: entry.sha256 for entry in stages.committed["quality_model"].files()} for stages in (trained[0], again)]
    assert files[0] == files[1]
    assert set(files[0]) == {"quality_model.model.bin", "quality_model.card.json"}


def test_held_out_documents_leave_no_trace_in_the_model(trained, tmp_path: Path) -> None:
    """One word in place of a document: of a held-out one the model never knows, of another one it does."""
    ids = pa.array([document_id("wikipedia", doc[0]) for doc in CORPUS["wikipedia-00000"]])
    held_out = order_keys(ids, 0, "quality_model", "held out") % np.uint64(HOLD_OUT_ONE_IN) == 0
    for place, same in ((int(np.flatnonzero(held_out)[0]), True), (int(np.flatnonzero(~held_out)[0]), False)):
        changed = [*CORPUS["wikipedia-00000"]]
        changed[place] = (changed[place][0], "changed")
        corpus = {**CORPUS, "wikipedia-00000": changed}
        card = train_on(tmp_path / str(same), corpus, positive=["books", "wikipedia"], negative=["web"], max_documents=240)[2]
        assert (card["sha256"] == trained[2]["sha256"]) == same


def test_the_seed_draws_another_sample(trained, tmp_path: Path) -> None:
    other = LocalStage(Folder(str(tmp_path)), seed=1)
    docs = committed_docs(other.out.sub("filter"), CORPUS)
    card = other.run("quality_model", {"filter": docs}, positive=["books", "wikipedia"], negative=["web"], max_documents=240, **SMALL)
    assert json.loads(card.folder.read("quality_model.card.json"))["sha256"] != trained[2]["sha256"]


def test_the_card_tells_what_the_model_was_made_of(trained) -> None:
    card = trained[2]
    sources = card["sources"]
    assert {name: found["label"] for name, found in sources.items()} == {
        "books": "positive",
        "wikipedia": "positive",
        "web": "negative",
        "code": None,
    }
    sampled = {name: found["trained_on"] + found["held_out"] for name, found in sources.items() if found["label"]}
    assert sampled == {"books": 120, "wikipedia": 100, "web": 240}
    assert card["held_out"]["documents"] == sum(found["held_out"] for found in sources.values() if found["label"])
    assert 0.1 < card["held_out"]["documents"] / 460 < 0.3
    assert card["held_out"]["auc"] > 0.8
    assert set(card["percentiles"]) == set(sources)
    assert all(len(ranks) == 101 and ranks == sorted(ranks) for ranks in card["percentiles"].values())


def score(trained, name: str, source: str = "web", **args: Any) -> tuple[Committed, list[dict]]:
    stages, docs, _ = trained
    inputs = {"filter": docs, "quality_model": stages.committed["quality_model"], **args.pop("inputs", {})}
    mine = Committed(docs.folder, {**docs.manifest, "tasks": [task for task in docs.manifest["tasks"] if task["task"].startswith(source)]})
    found = stages.run("quality", {**inputs, "filter": mine}, key=name, **args)
    return found, [row for entry in found.files("decisions") for row in found.folder.table(entry.name).to_pylist()]


def test_the_lowest_are_dropped_and_every_row_is_decided(trained) -> None:
    found, rows = score(trained, "tenth", drop_lowest=0.1)
    assert [row["id"] for row in rows] == [document_id("web", doc[0]) for part in ("web-00000", "web-00001") for doc in CORPUS[part]]
    assert {entry.name for entry in found.files("decisions")} == {f"web-0000{n}.decisions.parquet" for n in range(3)}
    low = [row["value"] for row in rows if row["reason"] == "quality:low"]
    kept = [row["value"] for row in rows if row["reason"] is None]
    assert 0.03 < len(low) / len(rows) < 0.2
    assert max(low) < min(kept)
    report = found.report.check()
    assert (report.read["web"], report.kept["web"], report.dropped["web", "quality:low"]) == (300, len(kept), len(low))


def test_a_threshold_is_taken_at_its_word(trained) -> None:
    _, rows = score(trained, "threshold", threshold=0.5)
    assert all((row["reason"] is not None) == (row["value"] < 0.5) for row in rows)
    assert {row["reason"] for row in rows} == {None, "quality:low"}
    assert not [row for row in score(trained, "none", drop_lowest=0.0)[1] if row["reason"]]


def test_the_decisions_say_what_the_cut_was(trained) -> None:
    found, rows = score(trained, "tenth, told", drop_lowest=0.1)
    for entry in found.files("decisions"):
        ((rule, op, cut),) = bounds_on(found.folder.schema(entry.name).field("value"))
        assert (rule, op) == ("low", ">=")
        assert all((row["reason"] is not None) == (row["value"] < cut) for row in rows)


def test_scores_tell_the_sources_apart(trained) -> None:
    means = {
        source: np.mean([row["value"] for row in score(trained, f"all {source}", source, drop_lowest=0)[1]]) for source in ("books", "web")
    }
    assert means["books"] > means["web"] + 0.2


def test_duplicates_are_neither_trained_on_nor_scored(trained, tmp_path: Path) -> None:
    gone = {document_id("web", doc[0]) for doc in CORPUS["web-00000"][:150]}
    dropped = dedupe_that_drops(Folder(str(tmp_path / "dedupe")), trained[1], gone)
    found, rows = score(trained, "deduped", drop_lowest=0.1, inputs={"dedupe": dropped})
    assert {row["id"] for row in rows if row["value"] is None} == gone
    assert not [row for row in rows if row["id"] in gone and row["reason"]]
    assert found.report.read["web"] == 150
    card = train_on(tmp_path, CORPUS, positive=["books"], negative=["web"], inputs={"dedupe": dropped})[2]
    assert card["sources"]["web"]["trained_on"] + card["sources"]["web"]["held_out"] == 150


def dedupe_that_drops(folder: Folder, docs: Committed, gone: set[str]) -> Committed:
    results = []
    for entry in docs.files("docs"):
        ids = docs.folder.table(entry.name, ["id"]).column("id").to_pylist()
        with folder.parquet(f"{entry.part}.decisions.parquet", DECISION) as sink:
            rows = [{"id": name, "reason": "exact_duplicate" if name in gone else None} for name in ids]
            sink.write(pa.RecordBatch.from_pylist(rows, schema=DECISION))
        results.append(TaskResult(entry.part, (sink.entry(),), Report()))
    manifest = {"stage": "dedupe", "fingerprint": "local", "tasks": [result.to_json() for result in results]}
    folder.write_json(MANIFEST, manifest)
    return Committed(folder, manifest)


@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        (["boks", "wikipedia"], ["web"], "no source is called boks; there are: books, code, empty, web, wikipedia"),
        (["books", "web"], ["web"], "web can't be positive and negative at once"),
        ([], ["web"], "the positive sources .none named."),
        (["books"], ["empty"], "the negative sources .empty."),
    ],
)
def test_wrong_sources_are_named(tmp_path: Path, positive: list[str], negative: list[str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        train_on(tmp_path, {**CORPUS, "empty-00000": []}, positive=positive, negative=negative)


def test_a_source_the_model_has_not_ranked_needs_a_threshold(trained, tmp_path: Path) -> None:
    stages = trained[0]
    docs = committed_docs(Folder(str(tmp_path)), {"poems-00000": documents("poems", GOOD, 3)})
    inputs = {"filter": docs, "quality_model": stages.committed["quality_model"]}
    with pytest.raises(SourceError, match="no documents of poems"):
        stages.run("quality", inputs, key="poems")
    assert stages.run("quality", inputs, key="poems by threshold", threshold=0.0).report.kept["poems"] == 3


def test_no_text_can_pass_for_a_label_or_a_line() -> None:
    shown = lines(pa.array(["__label__positive\n__label__negative x", "Ünïcode! (2024)", "", "a\0b\u2028c\u00a0d"], pa.large_string()))
    assert shown == ["_ _ label _ _ positive _ _ label _ _ negative x", "ünïcode ! ( 2024 )", "", "a \0 b c d"]


def test_training_that_fails_says_why() -> None:
    with pytest.raises(TokenmillError, match=r"training the classifier failed: .*NaN"):
        train([(POSITIVE, "a b"), (NEGATIVE, "c d")] * 50, {"dim": 2, "lr": 10, "minCount": 1, "bucket": 10})


def test_any_line_has_a_score() -> None:
    settings = {"dim": 4, "lr": 0.1, "minCount": 1, "bucket": 10, "epoch": 1, "seed": 1}
    model = model_of(train([("positive", "good words"), ("negative", "bad words")] * 5, settings))
    found = scores(model, ["", "good", "never seen", "bad " * 10_000])
    assert ((found >= 0) & (found <= 1)).all()
