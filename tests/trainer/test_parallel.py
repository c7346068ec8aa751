# ruff: noqa: E402 - the trainer is imported only where torch is
"""Two gloo processes against one: the same steps, and checkpoints that any number of processes goes on from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rows_kit import random_rows, write_dataset

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
pytest.importorskip("safetensors", reason="the trainer needs safetensors: pip install -r requirements/train.txt")

from ranks_kit import train_on

from trainer.build import rows_per_step
from trainer.config import RunConfig
from trainer.errors import ConfigError
from trainer.train import Trainer

SEQ_LEN, VOCAB = 32, 60
#: Sums of float32 in another order differ by this much after six steps.
TOLERANCE = 2e-5


def losses(run: RunConfig) -> list[list[float]]:
    lines = [json.loads(line) for line in (Path(run.out) / "metrics.jsonl").read_text("utf-8").splitlines()]
    told = [[line[key] for key in ("step", "loss", "grad_norm", "lr", "targets")] for line in lines if "loss" in line]
    return told + [[line["step"], line["validation_loss"], 0, 0, 0] for line in lines if "validation_loss" in line]


def begun(run: RunConfig, out: Path) -> RunConfig:
    """A run in another folder that has the checkpoint of step 3 of `run`, to go on from."""
    shutil.copytree(Path(run.out) / "checkpoints" / "step-00000003", out / "checkpoints" / "step-00000003")
    shutil.copy(Path(run.out) / "metrics.jsonl", out)
    return replace(run, out=str(out), resume=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunConfig]:
    """Each way of training the same six steps, those of several processes in one go."""
    folder = tmp_path_factory.mktemp("parallel")
    data = write_dataset(folder / "train", random_rows(12, SEQ_LEN, VOCAB), seq_len=SEQ_LEN, vocab_size=VOCAB, rows_per_shard=5)
    held = write_dataset(folder / "validation", random_rows(5, SEQ_LEN, VOCAB, seed=1), seq_len=SEQ_LEN, vocab_size=VOCAB)
    one = RunConfig(
        data=str(data), validation=str(held), out=str(folder / "one"), steps=6, batch_tokens=4 * SEQ_LEN, micro_tokens=SEQ_LEN,
        lr=1e-3, save_every=3, keep=9, sample_tokens=0,
    )  # fmt: skip
    found = {"one": one, "ddp": replace(one, out=str(folder / "ddp")), "fsdp": replace(one, out=str(folder / "fsdp"), parallel="fsdp")}
    adapters = replace(one, lora=4, lora_dropout=0.0)
    found |= {f"lora {mode}": replace(adapters, out=str(folder / f"lora-{mode}"), parallel=mode) for mode in ("ddp", "fsdp")}
    found["lora"] = replace(adapters, out=str(folder / "lora"))
    for name in ("one", "lora"):
        Trainer(found[name]).run()
    found["one to fsdp"] = replace(begun(one, folder / "one-to-fsdp"), parallel="fsdp")
    train_on(2, [found[name] for name in ("ddp", "fsdp", "lora ddp", "lora fsdp", "one to fsdp")], folder)
    for name in ("ddp", "fsdp"):
        found[f"{name} to one"] = begun(found[name], folder / f"{name}-to-one")
        Trainer(found[f"{name} to one"]).run()
    return found


@pytest.mark.parametrize("way", ["ddp", "fsdp", "lora ddp", "lora fsdp"])
def test_two_processes_make_the_steps_of_one(runs: dict[str, RunConfig], way: str) -> None:
    """1 x 4 rows and 2 x 2, whose processes have different numbers of targets; the held-out rows are dealt unevenly."""
    alone = losses(runs["lora" if "lora" in way else "one"])
    assert len(alone) == 7
    np.testing.assert_allclose(losses(runs[way]), alone, rtol=TOLERANCE)


@pytest.mark.parametrize("way", ["one to fsdp", "ddp to one", "fsdp to one"])
def test_any_number_of_processes_goes_on(runs: dict[str, RunConfig], way: str) -> None:
    assert [line[0] for line in losses(runs[way])] == [1, 2, 3, 4, 5, 6, 6]
    np.testing.assert_allclose(losses(runs[way]), losses(runs["one"]), rtol=TOLERANCE)


def test_rows_are_dealt_evenly(runs: dict[str, RunConfig]) -> None:
    assert rows_per_step(runs["one"], SEQ_LEN, 2) == 4
    with pytest.raises(ConfigError, match="can't be dealt evenly to 3"):
        rows_per_step(runs["one"], SEQ_LEN, 3)
