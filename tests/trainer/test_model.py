# ruff: noqa: E402 - the trainer is imported only where torch is
"""The decoder: what a token may see, what positions mean, how large it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer.attention import Pieces
from trainer.config import PRESETS, ModelConfig
from trainer.errors import ConfigError
from trainer.flops import matrix_parameters
from trainer.model import Decoder, rotary_table, rotate

TINY = ModelConfig(vocab_size=50, context=32, layers=2, width=32, heads=4, kv_heads=2, ffn=64)


def hidden(model: Decoder, tokens: list[int], pieces: tuple[int, ...]) -> torch.Tensor:
    positions = torch.cat([torch.arange(length) for length in pieces])
    with torch.no_grad():
        return model(torch.tensor([tokens]), positions[None], Pieces(pieces, model.config.window))[0]


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
    assert not torch.equal(one.embed_tokens.weight, other.embed_tokens.weight)


def test_the_vocabulary_is_padded_and_never_scored() -> None:
    model = Decoder(TINY)
    assert model.embed_tokens.weight.shape == (128, 32)
    assert model.logits(torch.zeros(3, 32)).shape == (3, 50)
    assert model.embed_tokens.weight[50:].abs().max() == 0


def test_a_head_of_its_own() -> None:
    tied, free = Decoder(TINY), Decoder(replace(TINY, tied=False))
    assert tied.head is tied.embed_tokens.weight
    assert free.parameter_count() - tied.parameter_count() == 128 * 32
    assert not torch.equal(free.head, free.embed_tokens.weight)


def test_a_window_forgets() -> None:
    """With 2 layers that see 3 tokens each, a token knows of the 4 before it, and of none further back."""
    model = Decoder(replace(TINY, window=3))
    one, other = hidden(model, [1, 2, 3, 4, 5, 6, 7], (7,)), hidden(model, [1, 9, 3, 4, 5, 6, 7], (7,))
    torch.testing.assert_close(one[6], other[6])
    assert (one[5] - other[5]).abs().max() > 1e-5


def test_normed_queries_bear_any_size() -> None:
    """Queries a hundred times as large attend alike when they are normed, and not otherwise."""
    for normed in (True, False):
        model = Decoder(replace(TINY, qk_norm=normed))
        before = hidden(model, [1, 2, 3, 4, 5], (5,))
        model.layers[0].self_attn.q_proj.weight.data *= 100
        assert torch.allclose(before, hidden(model, [1, 2, 3, 4, 5], (5,)), atol=1e-3) == normed


def test_computing_again_makes_the_same_gradients() -> None:
    gradients = []
    for recompute in (False, True):
        model = Decoder(TINY)
        model.recompute = recompute
        tokens = torch.arange(1, 13)[None]
        model(tokens, tokens - 1, Pieces((12,)), tokens).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize(
    ("name", "vocab_size", "low", "high"),
    [
        ("debug", 16_384, 2e6, 4e6), ("10m", 0, 9e6, 11e6), ("124m", 50_257, 122e6, 126e6),
        ("360m", 50_257, 355e6, 365e6), ("1b", 50_257, 1.05e9, 1.15e9), ("7b", 32_000, 6.7e9, 6.8e9),
    ],
)  # fmt: skip
def test_presets_have_their_size(name: str, vocab_size: int, low: float, high: float) -> None:
    shape = PRESETS[name].model(max(vocab_size, 1), 64)
    with torch.device("meta"):
        model = Decoder(shape, 0)
    assert low <= model.parameter_count() <= high
    embedding = 0 if shape.tied else shape.width * shape.padded_vocab
    assert matrix_parameters(shape) == sum(p.numel() for p in model.parameters() if p.ndim == 2) - embedding


def test_heads_must_divide() -> None:
    with pytest.raises(ConfigError, match="must divide"):
        ModelConfig(vocab_size=50, context=32, layers=2, width=32, heads=4, kv_heads=3, ffn=64)


def test_a_model_made_without_weights_draws_those_of_any_other() -> None:
    """What a process with a shard does: nothing is allocated until it draws, and the numbers are the same bits."""
    for tied in (True, False):
        config = replace(TINY, tied=tied, qk_norm=True)
        with torch.device("meta"):
            model = Decoder(config, seed=5)
        assert all(value.is_meta for value in [*model.parameters(), *model.buffers()])
        model.to_empty(device="cpu")
        model.initialise()
        wanted = Decoder(config, seed=5)
        assert all(torch.equal(value, model.get_parameter(name)) for name, value in wanted.named_parameters())
        assert torch.equal(wanted.cos, model.cos)
        assert torch.equal(wanted.sin, model.sin)
