# ruff: noqa: E402 - the trainer is imported only where torch is
"""The decoder: what a token may see, what positions mean, how large it is."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer.config import PRESETS, ModelConfig
from trainer.errors import ConfigError
from trainer.generate import sample
from trainer.model import Decoder, rotary_table, rotate

TINY = ModelConfig(vocab_size=50, context=32, layers=2, width=32, heads=4, kv_heads=2, ffn=64)


def hidden(model: Decoder, tokens: list[int], pieces: tuple[int, ...]) -> torch.Tensor:
    positions = torch.cat([torch.arange(length) for length in pieces])
    with torch.no_grad():
        return model(torch.tensor([tokens]), positions[None], pieces)[0]


def test_a_document_is_alone_in_its_row() -> None:
    """Its hidden states are the same whatever stands before it, and as if it were the only one."""
    model = Decoder(TINY)
    together = hidden(model, [1, 2, 3, 7, 8, 9, 10], (3, 4))
    torch.testing.assert_close(together[3:], hidden(model, [4, 5, 6, 7, 8, 9, 10], (3, 4))[3:])
    torch.testing.assert_close(together[3:], hidden(model, [7, 8, 9, 10], (4,)))


def test_a_token_sees_itself_and_what_is_before() -> None:
    model = Decoder(TINY)
    one, other = hidden(model, [1, 2, 3, 4, 5], (5,)), hidden(model, [1, 2, 9, 4, 5], (5,))
    torch.testing.assert_close(one[:2], other[:2])
    assert all((one[place] - other[place]).abs().max() > 1e-3 for place in (2, 3, 4))


def test_rotation_knows_distances_only() -> None:
    torch.manual_seed(0)
    cos, sin = rotary_table(64, 16, 10_000.0)
    q, k = torch.randn(1, 1, 16), torch.randn(1, 1, 16)

    def score(of_q: int, of_k: int) -> torch.Tensor:
        return (rotate(q, cos[of_q], sin[of_q]) * rotate(k, cos[of_k], sin[of_k])).sum()

    torch.testing.assert_close(score(5, 2), score(45, 42))
    assert (score(5, 2) - score(5, 4)).abs() > 1e-3


def test_the_first_weights_follow_from_the_seed() -> None:
    one, same, other = Decoder(TINY, 1), Decoder(TINY, 1), Decoder(TINY, 2)
    torch.rand(3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.embedding.weight, other.embedding.weight)


def test_the_vocabulary_is_padded_and_never_scored() -> None:
    model = Decoder(TINY)
    assert model.embedding.weight.shape == (128, 32)
    assert model.logits(torch.zeros(3, 32)).shape == (3, 50)


@pytest.mark.parametrize(
    ("name", "vocab_size", "low", "high"), [("debug", 16_384, 2e6, 4e6), ("10m", 0, 9e6, 11e6), ("124m", 50_257, 122e6, 126e6)]
)
def test_presets_have_their_size(name: str, vocab_size: int, low: float, high: float) -> None:
    with torch.device("meta"):
        blocks = Decoder(PRESETS[name].model(max(vocab_size, 1), 64), 0).parameter_count()
    assert low <= blocks <= high


def test_heads_must_divide() -> None:
    with pytest.raises(ConfigError, match="must divide"):
        ModelConfig(vocab_size=50, context=32, layers=2, width=32, heads=4, kv_heads=3, ffn=64)


def test_samples_follow_from_the_seed_and_fit_the_context() -> None:
    model = Decoder(TINY)
    assert sample(model, [1], 40, 1.0, seed=3) == sample(model, [1], 40, 1.0, seed=3)
    assert sample(model, [1], 40, 1.0, seed=3) != sample(model, [1], 40, 1.0, seed=4)
    greedy = sample(model, [1, 2], 5, 0.0, seed=0)
    assert greedy == sample(model, [1, 2], 5, 0.0, seed=1)
    assert len(greedy) == 5
