# ruff: noqa: E402 - the trainer is imported only where torch is
"""make sft, lora, generate and chat, from shards and a base model's run to an answer."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from chat_tokenizer_kit import write_tokenizer
from rows_kit import random_rows, write_dataset

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
pytest.importorskip("safetensors", reason="the trainer needs safetensors: pip install -r requirements/train.txt")

from tokenizer.templates import roles
from trainer.config import RunConfig
from trainer.train import Trainer

ROOT = Path(__file__).resolve().parents[2]


def make(out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """With the environment that runs the tests in place of its own."""
    command = ["make", "-o", ".venv/.train", f"bin={Path(sys.executable).parent}", f"out={out}", *words]
    alone = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=alone | {"OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a recipe and its model, and conversations packed with its tokenizer."""
    folder = tmp_path_factory.mktemp("make")
    vocabulary = write_tokenizer(folder / "books" / "tokenizer", roles()).get_vocab_size()
    sha256 = hashlib.sha256((folder / "books" / "tokenizer" / "tokenizer.json").read_bytes()).hexdigest()
    how = {"seq_len": 128, "vocab_size": vocabulary, "tokenizer_sha256": sha256}
    rows = random_rows(8, 128, vocabulary)
    data = write_dataset(folder / "books" / "dataset" / "train", rows, **how)  # type: ignore[arg-type]
    write_dataset(folder / "talk" / "dataset" / "train", rows, masks=[[True, False] * 64] * 8, **how)  # type: ignore[arg-type]
    tokenizer = str(folder / "books" / "tokenizer" / "tokenizer.json")
    Trainer(RunConfig(data=str(data), out=str(folder / "books" / "trained-debug"), tokenizer=tokenizer, steps=1, batch_tokens=128)).run()
    return folder


def test_a_model_is_tuned_and_answers(out: Path) -> None:
    for kind, rank in (("sft", 0), ("lora", 16)):
        done = make(out, kind, "recipe=talk", "base=books", "steps=1", "lr=0.001")
        assert done.returncode == 0, done.stderr
        told = json.loads((out / "talk" / f"{kind}-debug" / "config.json").read_text("utf-8"))["run"]
        assert (told["lora"], told["lora_alpha"], told["lora_dropout"], told["lora_targets"]) == (rank, 32, 0.1, "q_proj,v_proj")
        assert told["masked"]
    for words in (["generate", "recipe=books", 'prompt=A "mill" and $HOME'], ["chat", "recipe=talk", "kind=lora", "message=It's"]):
        done = make(out, *words, "tokens=4")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith('A "mill" and' if words[0] == "generate" else "")


def test_what_is_missing_is_said(out: Path) -> None:
    assert "base=RECIPE is missing" in make(out, "sft", "recipe=talk").stderr
    assert "trained-debug/config.json can't be read" in make(out, "sft", "recipe=talk", "base=other").stderr
    write_dataset(out / "foreign" / "dataset" / "train", random_rows(8, 128, 60), seq_len=128, vocab_size=60, masks=[[True] * 128] * 8)
    told = make(out, "sft", "recipe=foreign", "base=books").stderr
    assert "was made with another tokenizer than" in told
    assert "tokenizer.from" in told
