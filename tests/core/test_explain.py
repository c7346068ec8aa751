"""A document's way through a run: every one ends in a shard or with the stage and the reason that it is out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.cli.explain import show_stories
from pipeline.explain import MOST, Story, explain
from pipeline.runfiles import RunFiles
from pipeline.storage import Folder
from pipeline.verify import verify_accounts

COLUMNS = ["id", "source", "n_tokens"]


@pytest.fixture(scope="module")
def run(tiny: Path) -> Folder:
    """Its scarcest source is web, so documents of the others lie beyond their quotas."""
    return Folder(str(tiny / "mix-v1"))


@pytest.fixture(scope="module")
def tokenized(run: Folder) -> pa.Table:
    return pa.concat_tables(file.table(COLUMNS) for file in RunFiles(run).files("tokenize", "tokens"))


@pytest.fixture(scope="module")
def packed(run: Folder) -> set[str]:
    pack = next(RunFiles(run).stages("pack"))
    names = [entry.name for entry in pack.files() if "/docs-" in entry.name]
    return {id_ for name in names for id_ in pack.folder.table(name, ["id"])["id"].to_pylist()}


def story(run: Folder, wanted: str) -> Story:
    (found,) = explain(run, wanted)
    return found


def test_every_tokenized_document_is_in_or_beyond_the_quota_as_the_shards_say(run: Folder, tokenized: pa.Table, packed: set[str]) -> None:
    told = {name: story(run, name).verdict for name in tokenized["id"].to_pylist()}
    assert {name: "in" if name in packed else "out: mix mix:beyond_quota" for name in told} == told
    assert len(set(told.values())) == 2


def test_a_document_beyond_the_quota_is_told_with_numbers(run: Folder, tokenized: pa.Table, packed: set[str]) -> None:
    out = tokenized.filter(pc.invert(pc.is_in(tokenized["id"], pa.array(sorted(packed))))).to_pylist()[0]
    *_, tokenizing, mixing = story(run, out["id"]).events
    assert (tokenizing.stage, tokenizing.verdict, tokenizing.facts["n_tokens"]) == ("tokenize", "kept", out["n_tokens"])
    assert 0 <= tokenizing.facts["key"] < 1
    assert tokenizing.facts["part"].startswith(out["source"])
    assert (mixing.stage, mixing.verdict, mixing.reason) == ("mix", "dropped", "mix:beyond_quota")
    plan = next(RunFiles(run).files("mix", "plan")).folder.read_json("mix.plan.json")
    stream = next(stream for stream in plan["pools"]["train"]["sources"] if stream["source"] == out["source"])
    assert (mixing.facts["quota"], mixing.facts["available"]) == (stream["quota"], stream["tokens"])
    assert stream["quota"] <= mixing.facts["begins_at"] < stream["tokens"]
    assert mixing.facts["place"] == mixing.facts["begins_at"] / stream["quota"] >= 1


def test_places_add_up_to_the_documents_of_a_stream(run: Folder, tokenized: pa.Table) -> None:
    """In the order of their places, each document of a pool begins where the one before it ends."""
    mine = tokenized.filter(pc.equal(tokenized["source"], "code"))
    mixed = {row["id"]: next(e.facts for e in story(run, row["id"]).events if e.stage == "mix") for row in mine.to_pylist()}
    lengths = dict(zip(mine["id"].to_pylist(), mine["n_tokens"].to_pylist(), strict=True))
    for pool in ("train", "validation"):
        due = 0
        for name, facts in sorted(mixed.items(), key=lambda item: item[1]["begins_at"]):
            if facts["pool"] == pool:
                assert facts["begins_at"] == due
                due += lengths[name]
        plan = next(RunFiles(run).files("mix", "plan")).folder.read_json("mix.plan.json")
        assert due == next(stream["tokens"] for stream in plan["pools"][pool]["sources"] if stream["source"] == "code")


def test_a_packed_document_is_told_with_its_shard_row_epoch_and_tokens(run: Folder, tokenized: pa.Table, packed: set[str]) -> None:
    name = next(name for name in tokenized["id"].to_pylist() if name in packed)
    events = story(run, name).events
    assert [event.stage for event in events if event.verdict == "kept"][-2:] == ["tokenize", "mix"]
    last = events[-1]
    assert (last.stage, last.verdict) == ("pack", "packed")
    pack = next(RunFiles(run).stages("pack"))
    row = pack.folder.table(last.reason).slice(last.facts["doc_index"], 1).to_pylist()[0]
    assert row["id"] == name
    assert {key: row[key] for key in ("epoch", "n_tokens", "tokens", "first_token")}.items() <= last.facts.items()


def test_the_accounts_join_to_the_end_and_show_a_loss_there(run: Folder, tmp_path: Path) -> None:
    checks = {check.name: check for check in verify_accounts(run)}
    assert all(checks[f"documents on the way to {step}"].holds for step in ("tokenize", "mix", "pack"))
    pack = next(RunFiles(run).stages("pack"))
    lost = Folder(str(tmp_path))
    for entry in RunFiles(run).stages():
        name = entry.folder.url.rstrip("/").rpartition("/")[2]
        manifest = dict(entry.manifest)
        if entry.name == pack.name:
            manifest["tasks"] = manifest["tasks"][:-1]
        lost.sub(name).write_json("manifest.json", manifest)
    lost.write_json("run.json", RunFiles(run).facts)
    wrong = [check for check in verify_accounts(lost) if not check.holds]
    assert [check.name for check in wrong] == ["documents on the way to pack"]
    assert "lost" in wrong[0].problem


def test_a_long_list_says_that_it_is_cut(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stories = explain(Folder(str(tiny / "mix-v1")), ".html")
    assert len(stories) == MOST
    show_stories(stories, as_json=False)
    assert f"the first {MOST} found" in capsys.readouterr().out
