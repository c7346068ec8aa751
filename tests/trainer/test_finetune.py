# ruff: noqa: E402 - the trainer is imported only where torch is
"""Fine-tuning from files: only answers count, adapters learn and resume, and a run's model comes out as files again."""

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

from safetensors.torch import load_file
from torch.distributed.checkpoint import FileSystemReader

from trainer import hf
from trainer.__main__ import main
from trainer.config import ModelConfig, RunConfig
from trainer.errors import CheckpointError, ConfigError, DataError
from trainer.model import Decoder
from trainer.runs import load
from trainer.train import Trainer

SEQ_LEN, VOCAB = 32, 60
BASE = ModelConfig(vocab_size=64, context=40, layers=2, width=32, heads=4, kv_heads=2, ffn=64, tied=False)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    hf.save(Decoder(BASE).state_dict(), BASE, tmp_path / "base", torch.float32, None)
    return tmp_path / "base"


def chats(folder: Path, answers: list[list[bool]] | None = None) -> str:
    rows = random_rows(8, SEQ_LEN, VOCAB)
    given = answers or (np.random.default_rng(1).random((8, SEQ_LEN)) < 0.4).tolist()
    return str(write_dataset(folder, rows, seq_len=SEQ_LEN, vocab_size=VOCAB, masks=given))


@pytest.fixture
def config(base: Path, tmp_path: Path) -> RunConfig:
    return RunConfig(
        data=chats(tmp_path / "chats"), out=str(tmp_path / "out"), init=str(base), masked=True, steps=6, batch_tokens=4 * SEQ_LEN,
        lr=1e-2, save_every=3, keep=9, sample_tokens=0,
    )  # fmt: skip


def losses(out: str | Path) -> list[tuple[float, float]]:
    lines = (Path(out) / "metrics.jsonl").read_text("utf-8").splitlines()
    return [(line["loss"], line["targets"]) for line in map(json.loads, lines) if "loss" in line]


def test_only_answers_are_targets(config: RunConfig, tmp_path: Path) -> None:
    """What a mask leaves out never becomes a target: the model stays as bad on it, and learns the rest by heart."""
    Trainer(replace(config, steps=60, save_every=0)).run()
    found = losses(config.out)
    assert found[-1][0] < 0.5 < found[0][0]
    every = RunConfig(**{**vars(config), "data": chats(tmp_path / "all", [[True] * SEQ_LEN] * 8), "out": str(tmp_path / "all-out")})
    Trainer(replace(every, steps=1)).run()
    assert 0.2 < found[0][1] / losses(every.out)[0][1] < 0.6


def test_shards_without_a_mask_are_refused(config: RunConfig, tmp_path: Path) -> None:
    plain = write_dataset(tmp_path / "plain", random_rows(8, SEQ_LEN, VOCAB), seq_len=SEQ_LEN, vocab_size=VOCAB)
    with pytest.raises(DataError, match="doesn't say which tokens are targets"):
        Trainer(replace(config, data=str(plain)))
    Trainer(replace(config, data=str(plain), masked=False))


def test_adapters_learn_resume_and_come_out(config: RunConfig, base: Path, tmp_path: Path) -> None:
    """With dropout too the resumed losses are the same bits; the checkpoint and the export hold the adapters alone."""
    run = replace(config, lora=4, lora_targets="q_proj,v_proj,up_proj", steps=20, save_every=10)
    Trainer(run).run()
    assert losses(run.out)[-1][0] < losses(run.out)[0][0] - 0.05
    again = replace(run, out=str(tmp_path / "again"), resume=True)
    shutil.copytree(run.out, again.out)
    shutil.rmtree(Path(again.out) / "checkpoints" / "step-00000020")
    Trainer(again).run()
    assert losses(again.out) == losses(run.out)
    held = FileSystemReader(Path(run.out) / "checkpoints" / "step-00000020").read_metadata().state_dict_metadata
    assert all(".lora_" in name or name.startswith("optimizer.param_groups") for name in held)
    assert main(["export", run.out, str(tmp_path / "adapter")]) == 0
    assert main(["export", run.out, str(tmp_path / "whole"), "--merge"]) == 0
    trained = load(run.out)
    adapter = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    prefix = "base_model.model.model.layers.1.mlp.up_proj"
    torch.testing.assert_close(adapter[f"{prefix}.lora_B.weight"], trained.state_dict()["layers.1.mlp.up_proj.lora_B.weight"])
    added = 32 / 4 * adapter[f"{prefix}.lora_B.weight"] @ adapter[f"{prefix}.lora_A.weight"]
    before, after = (load_file(folder / "model.safetensors")["model.layers.1.mlp.up_proj.weight"] for folder in (base, tmp_path / "whole"))
    assert added.abs().max() > 1e-3
    torch.testing.assert_close(before + added, after)


def test_a_run_is_bound_to_its_first_weights_and_its_adapters(config: RunConfig, base: Path) -> None:
    Trainer(replace(config, steps=3, lora=4)).run()
    resumed = replace(config, lora=4, resume=True)
    with pytest.raises(CheckpointError, match="adapter rank 4, not 8"):
        Trainer(replace(resumed, lora=8))
    hf.save(Decoder(BASE, seed=9).state_dict(), BASE, base, torch.float32, None)
    with pytest.raises(CheckpointError, match="first weights"):
        Trainer(resumed)


def test_a_run_comes_out_as_files_and_goes_on_from_them(config: RunConfig, tmp_path: Path) -> None:
    Trainer(config).run()
    assert main(["export", config.out, str(tmp_path / "exported")]) == 0
    exported = Decoder(hf.read_config(tmp_path / "exported"))
    hf.load_weights(exported, tmp_path / "exported")
    trained = load(config.out).state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in exported.state_dict().items())


def test_a_base_that_does_not_fit(config: RunConfig, base: Path, tmp_path: Path) -> None:
    narrow = str(write_dataset(tmp_path / "wide", random_rows(8, 48, 64), seq_len=48, vocab_size=64, masks=[[True] * 48] * 8))
    with pytest.raises(DataError, match="rows of 48"):
        Trainer(replace(config, data=narrow, batch_tokens=96))
    with pytest.raises(ConfigError, match="has its own shape"):
        Trainer(replace(config, window=4))
    (base / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(DataError, match="another tokenizer"):
        Trainer(config)


def test_the_command_line(config: RunConfig, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["sft", "--data", config.data, "--out", config.out, "--steps", "2", "--batch-tokens", "64", "--lora", "2"]
    assert main(told) == 1
    assert "give its folder as --init" in capsys.readouterr().err
    assert main([*told, "--init", str(base)]) == 0
    assert main(["train", *told[1:], "--lora-targets", "c_attn", "--resume"]) == 1
    assert "--lora-targets is c_attn: it must be some of q_proj" in capsys.readouterr().err
