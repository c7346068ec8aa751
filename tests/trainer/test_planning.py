"""Plans and the arithmetic of a step, by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer.__main__ import main
from trainer.config import ModelConfig
from trainer.errors import ConfigError
from trainer.flops import document_flops, matrix_parameters, palm_flops, peak_of
from trainer.planning import number, plan, quantity

TINY = ModelConfig(vocab_size=100, context=32, layers=2, width=32, heads=4, kv_heads=2, ffn=64)


def test_chinchilla() -> None:
    """70 billion parameters with 1.4 trillion tokens: 5.88e23 FLOPs (Hoffmann et al. 2022, table 3: 5.76e23)."""
    found = plan("70b", None, "A100", 1000, 0.5, None)
    assert (found.tokens, found.flops) == (pytest.approx(1.4e12), pytest.approx(5.88e23))
    assert found.hours == pytest.approx(5.88e23 / (312e12 * 0.5 * 1000) / 3600)
    assert plan(None, "1.4t", "A100", 1, 0.5, None).parameters == pytest.approx(70e9)
    assert plan("1b", "1t", "mine", 1, 0.5, 100.0).flops == pytest.approx(6e21)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((None, None, "H200", 1, 0.4, None), "give --params"),
        (("1b", None, "abacus", 1, 0.4, None), "abacus"),
        (("1b", None, "H200", 0, 0.4, None), "--devices"),
        (("1b", None, "H200", 1, 1.1, None), "--mfu"),
        (("many", None, "H200", 1, 0.4, None), "'many' is no quantity"),
        (("-1b", None, "H200", 1, 0.4, None), "no quantity"),
        (("infb", None, "H200", 1, 0.4, None), "no quantity"),
    ],
)
def test_no_plan(arguments: tuple, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        plan(*arguments)


@pytest.mark.parametrize(("text", "value"), [("124m", 124e6), ("2.5B", 2.5e9), ("1e9", 1e9), ("7k", 7e3), ("1T", 1e12)])
def test_quantities(text: str, value: float) -> None:
    assert number(text) == value
    assert number(quantity(value)) == value


def test_an_unknown_device_has_no_peak() -> None:
    assert peak_of("NVIDIA H200") == 989
    assert peak_of("NVIDIA H100 PCIe") == 756
    assert peak_of("NVIDIA H100 80GB HBM3") == 989
    assert peak_of("Some new device") is None


def test_flops_of_a_step_by_hand() -> None:
    """Two layers of 32 x (32 + 16 + 16 + 32) + 3 x 32 x 64 weights, a head of 32 x 128; pieces of 3 and 5 tokens."""
    matrices = 2 * (32 * 96 + 3 * 32 * 64) + 32 * 128
    assert matrix_parameters(TINY) == matrices
    pairs = (3 * 3 + 5 * 5) / 2
    assert document_flops(TINY, [np.array([3, 5])]) == 6 * matrices * 8 + 12 * 2 * 32 * pairs
    assert palm_flops(TINY, 8, 8) == 8 * (6 * matrices + 12 * 2 * 32 * 8)


def test_a_window_saves_work() -> None:
    narrow = ModelConfig(**{**vars(TINY), "window": 2})
    pairs = 2 * 2 / 2 + (3 - 2) * 2 + 2 * 2 / 2 + (5 - 2) * 2
    assert document_flops(narrow, [np.array([3, 5])]) == 6 * matrix_parameters(TINY) * 8 + 12 * 2 * 32 * pairs


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--params", "124m", "--hardware", "H100"]) == 0
    told = capsys.readouterr().out
    assert "2.48B tokens" in told
    assert "an assumption" in told
    assert main(["plan"]) == 1
    assert capsys.readouterr().err.startswith("error: give --params")
