# ruff: noqa: E402 - the trainer is imported only where torch is
"""A size that can't fit is refused before the first step; the numbers by hand, and by the model itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rows_kit import random_rows, write_dataset

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer import memory
from trainer.config import PRESETS, RunConfig
from trainer.errors import ConfigError
from trainer.memory import needed, parameters
from trainer.model import Decoder
from trainer.parallel import World
from trainer.train import Trainer

SHAPE = PRESETS["debug"].model(60, 32)


@pytest.mark.parametrize("options", [{}, {"tied": False}, {"qk_norm": True}])
def test_parameters_are_the_models(options: dict[str, bool]) -> None:
    shape = replace(SHAPE, **options)
    assert parameters(shape) == Decoder(shape).parameter_count()


def test_what_a_step_needs() -> None:
    """debug: 16 bytes a weight; of a token, 4 blocks x (3 x 128 + 2 x 32 x (4 + 2) + 3 x 384) numbers of 4 bytes; 10 x 128 logits."""
    config, world = RunConfig(data="", out=""), World(0, 2, torch.device("cpu"), "fsdp")
    weights, activations, logits = 16 * parameters(SHAPE), 10 * 4 * (384 + 384 + 1152) * 4, 10 * 128 * 4
    assert needed(config, SHAPE, 10, world, 4) == weights + activations + logits
    assert needed(replace(config, parallel="fsdp"), SHAPE, 10, world, 4) == weights // 2 + activations + logits
    assert needed(replace(config, lora=8), SHAPE, 10, world, 4) == weights // 4 + activations + logits
    assert needed(replace(config, recompute=True), SHAPE, 10, world, 4) == weights + 10 * (1920 + 4 * 128) * 4 + logits


def test_a_size_that_can_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_dataset(tmp_path / "d", random_rows(4, 32, 60), seq_len=32, vocab_size=60)
    config = RunConfig(data=str(data), out=str(tmp_path / "out"), model="7b", batch_tokens=64, device="cpu")
    monkeypatch.setattr(memory, "available", lambda _: 64 * 10**9)
    with pytest.raises(ConfigError, match=r"6,477,\d+,\d+ parameters, 4,096 tokens a pass, needs \d+\.\d GB .* cpu has 64\.0 GB free"):
        Trainer(config)
    assert not Path(config.out).exists()
    Trainer(replace(config, model="debug"))
    monkeypatch.setattr(memory, "available", lambda _: None)
    Trainer(replace(config, model="debug"))


def test_what_is_free(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   5 kB\n", "ascii")
    assert memory._free_memory(tmp_path / "meminfo") == 5120
    assert memory._free_memory(tmp_path / "none") is None
    assert memory._left_of_limit(tmp_path) is None
    (tmp_path / "memory.stat").write_text("anon 350\nfile 50\nfile_mapped 9\n", "ascii")
    for limit, wanted in (("max", None), ("1000", 650)):
        (tmp_path / "memory.max").write_text(f"{limit}\n", "ascii")
        (tmp_path / "memory.current").write_text("400\n", "ascii")
        assert memory._left_of_limit(tmp_path) == wanted
