# ruff: noqa: E402 - the trainer is imported only where torch is
"""Checkpoints: the state of their step though training goes on, whole or absent, and what a kill leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rows_kit import random_rows, write_dataset

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from torch.distributed import checkpoint as dcp

from trainer.checkpoint import Saver, every, load, load_weights
from trainer.config import PRESETS, ModelConfig, RunConfig
from trainer.errors import CheckpointError
from trainer.model import Decoder
from trainer.optim import adamw
from trainer.parallel import World
from trainer.train import Trainer

ROOT = Path(__file__).resolve().parents[2]
ALONE = World(0, 1, torch.device("cpu"))
TINY = ModelConfig(vocab_size=50, context=32, layers=1, width=32, heads=4, kv_heads=2, ffn=64)


def state() -> tuple[Decoder, torch.optim.Optimizer]:
    """A model after a step, so that its optimizer has something to keep."""
    model = Decoder(TINY)
    optimizer = adamw(model, RunConfig(data="d", out="o").optimizer())
    model.logits(model.embed_tokens(torch.tensor([1]))).sum().backward()
    optimizer.step()
    return model, optimizer


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Writing waits for this event."""
    event, write = threading.Event(), dcp.FileSystemWriter.write_data

    def late(self: Any, *args: Any) -> Any:
        assert event.wait(60)
        return write(self, *args)

    monkeypatch.setattr(dcp.FileSystemWriter, "write_data", late)
    return event


def test_training_goes_on_while_a_step_is_written(tmp_path: Path, held: threading.Event) -> None:
    model, optimizer = state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    saver = Saver(tmp_path, 2, ALONE)
    path = saver.save(1, model, optimizer, {"x": 1})
    for parameter in model.parameters():
        parameter.data.zero_()
    saver.poll()
    assert every(tmp_path) == []
    held.set()
    saver.settle()
    assert every(tmp_path) == [path]
    other, its = state()
    assert load(path, other, its, {"x": 1}, ALONE) == 1
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
    assert list(tmp_path.glob("writing-*")) == []


def test_the_next_waits_for_the_one_before(tmp_path: Path) -> None:
    model, optimizer = state()
    saver = Saver(tmp_path, 2, ALONE)
    for step in (1, 2, 3):
        saver.save(step, model, optimizer, {})
    saver.settle()
    assert [path.name for path in every(tmp_path)] == ["step-00000002", "step-00000003"]
    assert saver.save(3, model, optimizer, {}) == tmp_path / "step-00000003"


def test_a_disk_that_refuses_is_named_and_the_one_before_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, optimizer = state()
    saver = Saver(tmp_path, 2, ALONE)
    saver.save(1, model, optimizer, {})
    saver.settle()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dcp.FileSystemWriter, "write_data", full)
    saver.save(2, model, optimizer, {})
    with pytest.raises(CheckpointError, match=r"step-00000002 can't be written .*make room and --resume"):
        saver.settle()
    assert [path.name for path in every(tmp_path)] == ["step-00000001"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", "utf-8")
    with pytest.raises(CheckpointError, match="step-00000001 can't be written"):
        Saver(tmp_path / "out", 2, ALONE).save(1, *state(), {})


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "writing-00000007" / "x").mkdir(parents=True)
    Saver(tmp_path, 2, ALONE)
    assert list(tmp_path.iterdir()) == []


def test_killed_at_any_moment_the_losses_are_the_same(tmp_path: Path) -> None:
    """kill -9 once a checkpoint is there and another one may be half written; --resume ends with the losses of an uninterrupted run."""
    data = write_dataset(tmp_path / "train", random_rows(40, 32, 60), seq_len=32, vocab_size=60, rows_per_shard=20)
    config = RunConfig(
        data=str(data), out=str(tmp_path / "whole"), steps=60, batch_tokens=4 * 32, save_every=1, sample_tokens=0, verify=False
    )
    killed = replace(config, out=str(tmp_path / "killed"), resume=True)
    command = [sys.executable, "-m", "trainer", "--data", str(data), "--out", killed.out, "--steps", "60", "--batch-tokens", "128"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(
        [*command, "--save-every", "1", "--sample-tokens", "0"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(every(Path(killed.out) / "checkpoints")) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    trainer = Trainer(killed)
    assert 1 <= trainer.done < 60
    trainer.run()
    Trainer(config).run()
    assert _losses(killed.out) == _losses(config.out)
    one, other = (Decoder(PRESETS["debug"].model(60, 32)) for _ in range(2))
    for model, out in ((one, killed.out), (other, config.out)):
        load_weights(every(Path(out) / "checkpoints")[-1], model)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def _losses(out: str) -> dict[int, float]:
    lines = [json.loads(line) for line in (Path(out) / "metrics.jsonl").read_text("utf-8").splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}
