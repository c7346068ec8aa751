"""instruct-v1 on a few made-up conversations: from files to shards, a tokenizer of another run, and out again as messages."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from kit import sentence
from mill import ROOT, environment

from pipeline.shards.read import open_dataset
from pipeline.shards.verify import verify
from pipeline.storage import Folder

KINDS = {"human": 40, "code": 40, "reasoning": 40, "multi_turn": 40}
SMALL = ("tokenizer.vocab_size=700", "pack.seq_len=512", "part_bytes=8000", "mix.shard_tokens=4000", "tokenizer.reference=false")


def chat(kind: str, number: int) -> dict[str, Any]:
    draw = random.Random(f"{kind} {number}")
    turns = range(draw.randint(2, 4) if kind == "multi_turn" else 1)
    pairs = [(f"{kind} {number}.{turn}: {sentence(draw)}", " ".join(sentence(draw) for _ in range(2))) for turn in turns]
    messages = [{"role": role, "content": text} for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]
    return {"messages": messages}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe as it is, its inputs replaced by files: of each kind two conversations are copies of a third."""
    folder = tmp_path_factory.mktemp("instruct")
    text = yaml.safe_load((ROOT / "recipes" / "instruct-v1.yaml").read_text())
    for kind, count in KINDS.items():
        lines = [json.dumps(chat(kind, max(number, 2))) for number in range(count)]
        for part in range(2):
            (folder / f"{kind}-{part}.jsonl").write_text("\n".join(lines[part::2]))
        paths = [str(folder / f"{kind}-*.jsonl")]
        source = {"inputs": [{"fetch": {"files": {"paths": paths}}, "read": "conversations"}], "max_epochs": 4}
        text["profiles"].setdefault("files", {"sources": {}})["sources"][kind] = source
    text["profiles"] = {"files": text["profiles"]["files"]}
    text["profiles"]["files"]["sources"]["model"] = None
    text["default_profile"] = "files"
    (folder / "instruct-v1.yaml").write_text(yaml.safe_dump(text))
    return folder / "instruct-v1.yaml"


def tokenmill(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "pipeline", *words], cwd=ROOT, capture_output=True, text=True, env=environment())
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def run(recipe: Path, out: Path, *settings: str) -> None:
    tokenmill("run", str(recipe), "--local", "--out", str(out), *(word for item in (*SMALL, *settings) for word in ("--set", item)))


@pytest.fixture(scope="module")
def out(recipe: Path) -> Path:
    run(recipe, recipe.parent / "out")
    return recipe.parent / "out"


def test_the_recipe_makes_shards_of_whole_conversations(out: Path) -> None:
    train = Folder(str(out / "instruct-v1" / "dataset" / "train"))
    assert verify(train).problems == ()
    shards = open_dataset(train).shards
    assert len(shards) > 1
    learnt = {kind: sum(shard.facts.trained.get(kind, 0) for shard in shards) for kind in KINDS}
    largest = max(length for shard in shards for length in shard.docs.column("n_tokens").to_pylist())
    for kind, share in (("human", 0.43), ("code", 0.5), ("reasoning", 0.02), ("multi_turn", 0.05)):
        assert abs(learnt[kind] - share * sum(learnt.values())) <= largest
    copies = json.loads(tokenmill("rejects", "instruct-v1", "--out", str(out), "--json").stdout)
    assert sum(found["documents"] for found in copies if found["stage"] == "dedupe") == 2 * len(KINDS)


def test_a_run_takes_the_tokenizer_of_another(recipe: Path, out: Path) -> None:
    other = recipe.parent / "other-v1.yaml"
    other.write_text(recipe.read_text().replace("name: instruct-v1", "name: other-v1"))
    run(other, out, "tokenizer.from=instruct-v1", "mix.holdout=.1")
    manifests = [json.loads((out / name / "dataset" / "train" / "manifest.json").read_text()) for name in ("instruct-v1", "other-v1")]
    assert manifests[0]["tokenizer"] == manifests[1]["tokenizer"]
    failed = tokenmill(
        "run", str(other), "--local", "--out", str(recipe.parent / "none"), "--set", "tokenizer.from=instruct-v1", check=False
    )
    assert failed.returncode == 1
    assert "no finished run there whose tokenizer could be taken" in failed.stderr


def test_what_is_longer_than_a_row_is_told_with_its_reason(recipe: Path, out: Path) -> None:
    """A run with rows that some conversations don't fit into, even with their first answer alone."""
    other = recipe.parent / "short-v1.yaml"
    other.write_text(recipe.read_text().replace("name: instruct-v1", "name: short-v1"))
    run(other, out, "pack.seq_len=96")
    found = json.loads(tokenmill("rejects", "short-v1", "--stage", "tokenize", "-n", "1", "--out", str(out), "--json").stdout)
    (sample,) = found["samples"] if isinstance(found, dict) else found
    assert sample["reason"] == "tokenize:overlong"
    assert "a row has 96" in json.dumps(sample["numbers"])
    told = tokenmill("explain", "short-v1", sample["id"], "--out", str(out)).stdout
    assert "tokenize:overlong" in told
    assert "a row has 96" in told
    assert tokenmill("verify", "short-v1", "--out", str(out)).returncode == 0


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_messages_come_out_as_they_went_in(out: Path, tmp_path: Path, form: str) -> None:
    tokenmill("export", "instruct-v1", "messages", str(tmp_path), "--out", str(out), "--set", f"form={form}")
    lines = (tmp_path / "train.jsonl").read_text().splitlines() if form == "jsonl" else []
    rows = [json.loads(line) for line in lines] or pq.read_table(tmp_path / "train.parquet").to_pylist()
    known = [chat(kind, number)["messages"] for kind, count in KINDS.items() for number in range(count)]
    assert len(rows) > 50
    assert all(row["messages"] in known for row in rows)
    packed = {
        name
        for shard in open_dataset(Folder(str(out / "instruct-v1/dataset/train"))).shards
        for name in shard.docs.column("id").to_pylist()
    }
    assert {row["id"] for row in rows} == packed


def test_the_card_counts_what_the_shards_hold(out: Path, tmp_path: Path) -> None:
    tokenmill("export", "instruct-v1", "card", str(tmp_path), "--out", str(out))
    card = (tmp_path / "README.md").read_text()
    shards = open_dataset(Folder(str(out / "instruct-v1/dataset/train"))).shards
    assert f"{sum(shard.facts.loss_tokens for shard in shards):,} of them learnt" in card
    assert "| code | dedupe | exact_duplicate | 2 | 5.00% |" in card


def test_exports_of_messages_need_the_run(out: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    subprocess.run(["cp", "-rL", str(out / "instruct-v1" / "dataset"), str(moved)], check=True)
    failed = tokenmill("export", str(moved), "messages", str(tmp_path / "target"), check=False)
    assert failed.returncode == 1
    assert "lies in no run's folder" in failed.stderr
