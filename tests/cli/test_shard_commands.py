"""The commands about packed shards, on a real run and on shards that were taken elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pipeline.__main__ import app, main
from pipeline.errors import ShardError, TokenmillError


def ask(*argv: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in argv], env={"COLUMNS": "200"})


def answer(*argv: object) -> Any:
    found = ask(*argv, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def moved(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed shards of the run, copied out of it."""
    return Path(shutil.copytree(tiny / "mix-v1" / "dataset", tmp_path_factory.mktemp("moved") / "shards"))


@pytest.mark.parametrize("named", ["recipe", "run", "splits", "split"])
def test_a_dataset_is_named_by_its_recipe_its_run_or_its_folder(named: str, tiny: Path, moved: Path) -> None:
    data = {"recipe": "mix-v1", "run": tiny / "mix-v1", "splits": moved, "split": moved / "train"}[named]
    found = answer("inspect", data, "--out", tiny)
    assert found["split"] == "train"
    assert found["digest"] == json.loads((moved / "train" / "manifest.json").read_text())["digest"]


def test_the_same_mix_lies_beside_in_rows_of_another_length(tiny: Path) -> None:
    one, other = (answer("inspect", tiny / "mix-v1" / name) for name in ("dataset", "dataset-128"))
    assert (one["seq_len"], other["seq_len"]) == (256, 128)
    assert one["tokens"] == other["tokens"]
    found = json.loads(ask("diff", tiny / "mix-v1" / "dataset", tiny / "mix-v1" / "dataset-128", "--json").stdout)
    assert all(row["only_left"] == row["only_right"] == 0 for row in found["documents"])


def test_every_window_holds_the_shares_as_closely_as_is_stated(tiny: Path) -> None:
    found = answer("inspect", "mix-v1", "--out", tiny, "--mix")
    total = sum(share["tokens"] for share in found)
    for share in found:
        assert abs(share["tokens"] - share["planned"] * total) < 1
        assert abs(share["window_difference"]) <= share["tolerance"]


def test_code_is_told_for_infilling(tiny: Path) -> None:
    matches = answer("inspect", tiny / "mix-v1", "--find", "<|fim_", "-n", 1000)
    assert {match["origin"]["source"] for match in matches} == {"code"}


def test_a_row_is_shown_as_text_with_the_documents_it_is_of(moved: Path) -> None:
    pieces = answer("inspect", moved, "--shard", 0, "--row", 1)
    shown = ask("inspect", moved, "--shard", 0, "--row", 1).stdout
    assert shown.startswith(f"shard 0, row 1: {len(pieces)} pieces in 256 tokens\n")
    assert "\x1b" not in shown
    for piece in pieces:
        assert piece["text"].rstrip().split("\n")[-1][-40:] in shown
        assert piece["text"].startswith(piece["first"])


def test_a_text_is_found_and_traced_to_its_document_and_its_way(tiny: Path) -> None:
    (piece, *_) = answer("inspect", "mix-v1", "--out", tiny, "--sample", 1)
    text = piece["text"][5:40].strip().split("\n")[0]
    matches = answer("inspect", "mix-v1", "--out", tiny, "--find", text)
    assert (piece["shard"], piece["row"]) in [(match["shard"], match["row"]) for match in matches]
    match = matches[0]
    place = f"{match['shard']}:{match['row']}:{match['start']}"
    found = answer("trace", tiny / "mix-v1" / "dataset" / "train", place)
    assert found["origin"] == match["origin"]
    assert found["stories"][0]["id"] == match["origin"]["id"]
    assert found["stories"][0]["verdict"] == "in"
    shown = ask("trace", "mix-v1", place, "--out", tiny).stdout
    assert f"of document {match['origin']['id']}" in shown
    assert "tokenize" in shown


def test_at_most_so_many_matches_are_shown(moved: Path) -> None:
    assert len(answer("inspect", moved, "--find", "e", "-n", 3)) == 3
    assert ask("inspect", moved, "--find", "e", "-n", 3).stdout.splitlines()[-1] == "3 matches, the first 3; -n shows more"
    assert ask("inspect", moved, "--find", "\u2603\u2603").stdout == "0 matches\n"


def test_without_its_run_a_token_still_has_its_document(moved: Path) -> None:
    found = answer("trace", moved, "0:0:0")
    assert found["stories"] == []
    assert found["origin"]["first_token"] is not None


@pytest.mark.parametrize("place", ["1:2", "a:b:c", "0:0:99999", "99:0:0", "0:0:-1"])
def test_a_place_that_is_none_is_named(place: str, moved: Path) -> None:
    found = ask("trace", moved, place)
    assert isinstance(found.exception, TokenmillError)
    assert found.exit_code != 0


def test_a_dataset_differs_from_another_but_not_from_its_copy(tiny: Path, moved: Path) -> None:
    assert answer("diff", "mix-v1", moved, "--out", tiny)["same"] is True
    found = ask("diff", moved / "train", moved / "validation", "--json")
    assert found.exit_code == 1
    facts = {fact["name"]: fact for fact in json.loads(found.stdout)["facts"]}
    assert facts["tokenizer"]["same"]
    assert not facts["digest"]["same"]
    shown = ask("diff", moved / "train", moved / "validation").stdout
    assert "what differs" in shown
    assert "only left" in shown


def test_shards_alone_are_verified_too(tiny: Path, moved: Path, tmp_path: Path) -> None:
    assert [check["holds"] for check in answer("verify", moved)] == [True, True]
    assert len(answer("verify", "mix-v1", "--out", tiny)) > 10
    copy = Path(shutil.copytree(moved, tmp_path / "copy"))
    shard = next((copy / "train").glob("*.arrow"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    found = ask("verify", copy)
    assert found.exit_code == 1
    assert shard.name in found.stdout


def test_what_holds_no_shards_is_named(tmp_path: Path) -> None:
    for command in (["inspect"], ["verify"]):
        found = ask(*command, tmp_path)
        assert isinstance(found.exception, TokenmillError)
        assert str(tmp_path) in str(found.exception)


@pytest.mark.parametrize("given", ["", "train"])
@pytest.mark.parametrize("target", ["{}", "{}/train", "{}/train/", "{}/validation/../train", "{}/train/parquet", "file://{}/train", ""])
def test_an_export_does_not_write_among_the_shards(moved: Path, given: str, target: str) -> None:
    found = ask("export", moved / given, "parquet", str(target).format(moved))
    assert isinstance(found.exception, TokenmillError)
    assert "name another folder" in str(found.exception) or "name one" in str(found.exception)


def test_an_export_by_folder(moved: Path, tmp_path: Path) -> None:
    assert ask("export", moved, "flat", tmp_path / "flat", "--set", "layout=nanogpt").exit_code == 0
    assert (tmp_path / "flat" / "tokens.bin").exists()


def test_half_a_character_is_not_looked_for(moved: Path) -> None:
    found = ask("inspect", moved, "--find", "\ud83d")
    assert isinstance(found.exception, ShardError)
    assert "'\\ud83d'" in str(found.exception)


def test_a_message_shows_what_was_given(moved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["trace", str(moved), "a:b:[bold]c"])
    assert "'a:b:[bold]c' names no token" in capsys.readouterr().err
