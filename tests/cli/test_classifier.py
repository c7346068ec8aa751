"""The command that trains a classifier: the same bytes from any files, judged by texts it never saw, served by the filter."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dedupe_kit import words
from typer.testing import CliRunner

from pipeline.__main__ import app, main
from pipeline.classifying import NEGATIVE, POSITIVE, excerpts, lines, load_model, scores
from pipeline.filters.toxicity import toxicity
from pipeline.schema import DOC

SMALL = ["--set", "dim=4", "--set", "buckets=1000", "--set", "lr=1.0", "--set", "epochs=10"]


def sentences(label: str, count: int = 60) -> list[str]:
    draw = random.Random(label)
    return [" ".join(draw.choices(words(40, label) + words(40, "both"), k=30)) for _ in range(count)]


GOOD, BAD = sentences(POSITIVE), sentences(NEGATIVE)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same texts as lines, JSON lines, Parquet and CSV; the last with both labels in a column."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "good.txt").write_text("\n".join([*GOOD, ""]), "utf-8")
    rows = [*({"body": {"text": text}} for text in BAD), {"other": 1}]
    (folder / "bad.jsonl.gz").write_bytes(gzip.compress(("\n".join(map(json.dumps, rows)) + "\nno json\n").encode()))
    pq.write_table(pa.table({"said": BAD}), folder / "bad.parquet")
    with (folder / "both.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["content", "is_good"], *([text, "1"] for text in GOOD), *([text, "False"] for text in BAD), ["", "1"]])
    return {path.name.partition(".")[2].replace(".", "_") + path.name[0]: str(path) for path in folder.iterdir()}


def trained(out: Path, *argv: str) -> tuple[bytes, dict[str, Any]]:
    done = CliRunner().invoke(app, ["classifier", "--out", str(out), *SMALL, "--json", *argv], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    card = json.loads(done.output)
    assert json.loads(Path(f"{out}.json").read_text()) == card
    return out.read_bytes(), card


@pytest.fixture(scope="module")
def model(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, dict[str, Any]]:
    out = tmp_path_factory.mktemp("model") / "model.bin"
    return out, *trained(out, "--labelled", files["csvb"], "--label-column", "is_good", "--text", "content")


def test_the_same_texts_make_the_same_bytes_whatever_files_hold_them(model: Any, files: dict[str, str], tmp_path: Path) -> None:
    shuffled = tmp_path / "good.txt"
    shuffled.write_text("\n".join(reversed(GOOD)), "utf-8")
    renamed = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"text": BAD[::-1]}), renamed)
    data, card = trained(tmp_path / "again.bin", "--positive", str(shuffled), "--negative", str(renamed))
    assert (data, card) == (model[1], model[2])


def test_nested_columns_and_bad_rows(model: Any, files: dict[str, str], tmp_path: Path) -> None:
    good = tmp_path / "good.jsonl"
    good.write_text("".join(json.dumps({"body": {"text": text}}) + "\n" for text in GOOD), "utf-8")
    data, _ = trained(tmp_path / "m.bin", "--positive", str(good), "--negative", files["jsonl_gzb"], "--text", "body.text")
    assert data == model[1]


def test_the_card_says_how_well_held_out_texts_are_told_apart(model: Any) -> None:
    card = model[2]
    assert card["held_out"]["documents"] + sum(card["trained_on"].values()) == len(GOOD) + len(BAD)
    assert 10 <= card["held_out"]["documents"] <= 45
    assert card["held_out"]["auc"] > 0.95
    assert card["held_out"]["accuracy"] > 0.9
    assert card["thresholds"][0]["recall"] == 1.0
    recalls = [row["recall"] for row in card["thresholds"]]
    assert recalls == sorted(recalls, reverse=True)
    assert card["percentiles"][POSITIVE]["50"] > 0.5 > card["percentiles"][NEGATIVE]["50"]
    assert card["settings"] == {
        "dim": 4, "epoch": 10, "lr": 1.0, "wordNgrams": 2, "minCount": 1, "bucket": 1000, "seed": 0, "excerpt_chars": 4000,
    }  # fmt: skip


def test_another_seed_holds_out_other_texts(model: Any, files: dict[str, str], tmp_path: Path) -> None:
    argv = ("--labelled", files["csvb"], "--label-column", "is_good", "--text", "content", "--seed", "1")
    data, card = trained(tmp_path / "m.bin", *argv)
    assert data != model[1]
    assert card["percentiles"] != model[2]["percentiles"]


def test_the_filter_asks_it_in_the_form_it_was_trained_on(model: Any) -> None:
    docs = pa.RecordBatch.from_pylist([{"id": str(n), "text": text, "source": "web"} for n, text in enumerate(GOOD[:5])], schema=DOC)
    found = toxicity(docs, model=[str(model[0])]).signals["score"].to_pylist()
    assert found == scores(load_model(str(model[0])), lines(excerpts(pa.array(GOOD[:5]), 4000))).tolist()


def test_it_is_printed_for_people(files: dict[str, str], tmp_path: Path) -> None:
    argv = ["classifier", "--out", str(tmp_path / "m.bin"), *SMALL, "--positive", files["txtg"], "--negative", files["parquetb"], "--text"]
    done = CliRunner().invoke(app, [*argv, "said"], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert "precision" in done.output
    assert "percentiles of held-out scores" in done.output
    assert "trained on " in done.output
    assert "AUC" in done.output


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "no texts are given"),
        (["--positive", "{txtg}"], "there is no negative text to train on"),
        (["--positive", "{txtg}", "--negative", "{parquetb}"], "has no column 'text'; it has said"),
        (["--labelled", "{csvb}", "--text", "content"], "has no column 'label'; it has content, is_good"),
        (["--labelled", "{csvb}", "--text", "content", "--label-column", "content"], "the label"),
        (["--labelled", "{txtg}"], "labelled texts are read from JSON lines, CSV, Parquet and Arrow"),
        (["--positive", "{txtg}", "--set", "dims=4"], "--set dims: unknown, there are dim, epochs"),
        (["--positive", "{txtg}", "--set", "dim=few"], "--set dim: "),
    ],
)
def test_what_cannot_be_trained_is_said(
    argv: list[str], said: str, files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["classifier", "--out", str(tmp_path / "m.bin"), *(word.format(**files) if "{" in word else word for word in argv)])
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
