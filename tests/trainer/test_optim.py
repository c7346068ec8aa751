# ruff: noqa: E402 - the trainer is imported only where torch is
"""The learning rate as a function of the step, and what is decayed."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer.config import PRESETS, SCHEDULES, OptimConfig, RunConfig
from trainer.model import Decoder
from trainer.optim import adamw, clip, learning_rate

COSINE = OptimConfig(lr=1.0, steps=110, warmup=10)


def test_warm_up_is_linear() -> None:
    assert [learning_rate(step, COSINE) for step in range(10)] == pytest.approx([n / 10 for n in range(1, 11)])


def test_cosine_ends_at_its_floor() -> None:
    assert learning_rate(10, COSINE) == pytest.approx(1.0)
    assert learning_rate(109, COSINE) == pytest.approx(0.1)
    assert learning_rate(59, COSINE) == pytest.approx(0.55, abs=0.02)
    assert learning_rate(500, COSINE) == pytest.approx(0.1)


def test_inverse_square_root_needs_no_end() -> None:
    config = replace(COSINE, schedule="inverse-sqrt")
    assert learning_rate(9, config) == pytest.approx(1.0)
    assert learning_rate(39, config) == pytest.approx(0.5)
    assert learning_rate(999, config) == pytest.approx(0.1)


def test_linear_falls_evenly() -> None:
    config = replace(COSINE, schedule="linear")
    assert [learning_rate(step, config) for step in (10, 43, 76, 109, 500)] == pytest.approx([1.0, 0.7, 0.4, 0.1, 0.1])


def test_wsd_stays_and_then_falls() -> None:
    config = replace(COSINE, schedule="wsd", steps=101, cooldown=0.2)
    assert {learning_rate(step, config) for step in range(10, 82)} == {1.0}
    assert [learning_rate(step, config) for step in (81, 91, 100)] == pytest.approx([1.0, 1 - 0.9 * 10 / 19, 0.1], abs=1e-9)


def test_the_recipe_of_7b() -> None:
    config = RunConfig(data="d", out="o", model="7b", steps=100_000).optimizer()
    assert (config.lr, config.warmup, config.schedule, PRESETS["7b"].batch_tokens) == (3e-4, 2000, "inverse-sqrt", 1 << 22)
    assert learning_rate(7999, config) == pytest.approx(1.5e-4)


def test_constant_stays() -> None:
    assert {learning_rate(step, replace(COSINE, schedule="constant")) for step in range(10, 200)} == {1.0}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_no_warm_up_is_possible(schedule: str) -> None:
    assert learning_rate(0, replace(COSINE, warmup=0, schedule=schedule)) == pytest.approx(1.0)


def test_matrices_alone_are_decayed() -> None:
    model = Decoder(PRESETS["debug"].model(100, 16))
    matrices, gains = adamw(model, COSINE).param_groups
    assert (matrices["weight_decay"], gains["weight_decay"]) == (0.1, 0.0)
    assert {p.ndim for p in matrices["params"]} == {2}
    assert {p.ndim for p in gains["params"]} == {1}
    assert (matrices["betas"], matrices["eps"]) == ((0.9, 0.95), 1e-8)
    assert sum(p.numel() for p in matrices["params"] + gains["params"]) == model.parameter_count()


def test_clip_gives_the_norm_before() -> None:
    layer = torch.nn.Linear(2, 1, bias=False)
    layer.weight.grad = torch.tensor([[3.0, 4.0]])
    assert clip(layer, 1.0) == pytest.approx(5.0)
    torch.testing.assert_close(layer.weight.grad, torch.tensor([[0.6, 0.8]]))
