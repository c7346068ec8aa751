"""The excerpts and pieces stages: what the tokenizer is trained on is the sample, whatever is held in memory at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bpe_kit import library_trained
from tokenizer_kit import SHARES, SMALL, Line, documents, parts

from pipeline.errors import SourceError
from pipeline.job import Committed
from pipeline.stages import excerpts
from tokenizer import counts


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    return Line(tmp_path_factory.mktemp("pieces"))


@pytest.fixture(scope="module")
def made(line: Line) -> Committed:
    return line.tokenizer(reference=False)


def vocabulary(stage: Committed) -> bytes:
    return stage.folder.read("tokenizer.json")


def evaluation(stage: Committed) -> dict[str, Any]:
    return stage.folder.read_json("tokenizer.evaluation.json")  # type: ignore[no-any-return]


def shown(line: Line) -> list[dict[str, Any]]:
    files = (entry.name for entry in line.counted.files("shown"))
    return [row for name in files for row in line.counted.folder.table(name).to_pylist()]


def test_the_tokenizer_is_what_the_library_makes_of_the_sample(line: Line, made: Committed) -> None:
    texts = [row["text"] for row in shown(line) if not row["held_out"]]
    assert sum(len(text.encode()) for text in texts) == evaluation(made)["sampled_bytes"]
    assert vocabulary(made) == library_trained(texts, vocab_size=SMALL["vocab_size"])


def test_how_much_is_counted_at_once_leaves_no_trace(made: Committed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "COUNTED_AT_ONCE", 20)
    monkeypatch.setattr(counts, "ROWS_AT_ONCE", 500)
    line = Line(tmp_path)
    assert vocabulary(line.tokenizer(reference=False)) == vocabulary(made)
    rows = sum(entry.rows for entry in line.counted.files("pieces"))
    assert rows > evaluation(made)["different_pieces"]


def test_of_a_large_sample_some_is_shown(made: Committed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excerpts, "SHOWN_BYTES", 20_000)
    stage = Line(tmp_path).tokenizer()
    found = evaluation(stage)
    assert vocabulary(stage) == vocabulary(made)
    assert 20_000 <= found["shown_bytes"] < 40_000 < found["sampled_bytes"] == evaluation(made)["sampled_bytes"]
    assert sum(numbers["trained_on_bytes"] for numbers in found["sources"].values()) == found["sampled_bytes"]
    assert all(numbers["reference_bytes_per_token"] > 1 for numbers in found["sources"].values())


def test_the_rarest_pieces_are_left_out_and_said_to_be(made: Committed, line: Line) -> None:
    assert "left_out_below" not in evaluation(made)
    stage = line.tokenizer(reference=False, max_pieces=100)
    found = evaluation(stage)
    assert found["different_pieces"] <= 100
    assert found["left_out_below"] > 1
    assert found["pieces"] < evaluation(made)["pieces"]
    assert vocabulary(stage) != vocabulary(made)


def test_for_a_tokenizer_of_the_users_own_nothing_is_counted(line: Line) -> None:
    counted = line.pieces(line.excerpts(), count=False)
    assert [entry.rows for entry in counted.files("pieces")] == [0] * len(counted.files("pieces"))
    assert counted.report.counts["web", "bytes to train on"] > 0


def test_sources_without_a_share_are_not_read(tmp_path: Path) -> None:
    line = Line(tmp_path)
    assert {entry.part.rpartition("-")[0] for entry in line.excerpts({"web": 1, "code": 0}).files("measured")} == {"web"}


def test_parts_without_documents_and_documents_without_text(tmp_path: Path) -> None:
    empty = {**documents()["web"][0], "text": ""}
    tables: dict[str, Any] = {"web-00000": [], "web-00001": [empty], **parts({"books": documents()["books"]}, 1)}
    line = Line(tmp_path, tables)
    line.tokenizer(reference=False)
    assert line.counted.report.read["web"] == 1
    with pytest.raises(SourceError, match="none of the sources web has text left"):
        Line(tmp_path / "nothing", {"web-00000": [], "web-00001": [empty]}).excerpts({"web": 1})


def test_another_seed_draws_others(line: Line, tmp_path: Path, made: Committed) -> None:
    other = Line(tmp_path)
    other.stages.seed = 3
    other.tokenizer(reference=False)
    one, two = ({(row["id"], row["place"]) for row in shown(drawn)} for drawn in (line, other))
    assert one != two
    assert set(SHARES) == {row["source"] for row in shown(other)}
