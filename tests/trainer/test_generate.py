# ruff: noqa: E402 - the trainer is imported only where torch is
"""Generation: the cache changes nothing, draws follow from the seed and their bounds, and a text ends where it must."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer.attention import Pieces
from trainer.cache import Cache
from trainer.config import ModelConfig
from trainer.errors import ConfigError
from trainer.generate import Sampling, choose, stream
from trainer.model import Decoder

TINY = ModelConfig(vocab_size=50, context=32, layers=2, width=32, heads=4, kv_heads=2, ffn=64)
GREEDY = Sampling(temperature=0)


def recomputed(model: Decoder, ids: list[int], tokens: int) -> list[int]:
    """Greedy generation that computes the whole text for every token."""
    ids, first = list(ids), len(ids)
    with torch.no_grad():
        for _ in range(tokens):
            hidden = model(torch.tensor([ids]), torch.arange(len(ids))[None], Pieces((len(ids),), model.config.window))
            ids.append(int(model.logits(hidden[0, -1]).argmax()))
    return ids[first:]


@pytest.mark.parametrize("window", [0, 4])
@pytest.mark.parametrize("kv_heads", [1, 4])
def test_the_cache_changes_nothing(window: int, kv_heads: int) -> None:
    model = Decoder(replace(TINY, window=window, kv_heads=kv_heads))
    for parameter in model.parameters():
        parameter.data *= 4  # so that the likeliest is not a matter of rounding
    for prompt in ([1], [5, 6, 7, 8, 9, 10, 11]):
        found = list(stream(model, prompt, 20, GREEDY))
        assert found == recomputed(model, prompt, 20)
        assert len(set(found)) > 1


def test_cached_states_equal_those_of_the_whole() -> None:
    model, tokens = Decoder(TINY), torch.randint(0, 50, (3, 12))
    positions = torch.arange(12).expand(3, 12)
    cache = Cache(TINY, 3, torch.device("cpu"), torch.float32)
    with torch.no_grad():
        whole = model(tokens, positions, Pieces((12,) * 3))
        parts = [model(tokens[:, a:b], positions[:, a:b], Pieces(()), cache=cache) for a, b in ((0, 9), (9, 10), (10, 11), (11, 12))]
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_draws_follow_from_the_seed() -> None:
    model = Decoder(TINY)
    first, same, other = (list(stream(model, [1], 20, Sampling(1.0, seed=seed))) for seed in (3, 3, 4))
    assert first == same
    assert first != other


def test_a_text_ends_with_its_context_or_a_stop() -> None:
    model = Decoder(TINY)
    assert len(list(stream(model, [1, 2], 99, GREEDY))) == 30
    found = list(stream(model, [1, 2], 30, Sampling(1.0)))
    stop = found[10]
    assert list(stream(model, [1, 2], 30, Sampling(1.0), stop=[stop])) == found[: found.index(stop) + 1]
    for prompt in ([], [1] * 32):
        with pytest.raises(ConfigError, match="takes 1 to 31"):
            list(stream(model, prompt, 1, GREEDY))


def test_the_nucleus() -> None:
    """Of .5, .3, .15 and .05 the first two sum up to .8: top_p .8 draws from them, .81 from three."""
    logits = torch.tensor([0.05, 0.5, 0.15, 0.3]).log()
    generator = torch.Generator().manual_seed(0)

    def drawn(top_p: float) -> set[int]:
        return {choose(logits, Sampling(1.0, top_p), generator) for _ in range(300)}

    assert drawn(0.01) == {1}
    assert drawn(0.79) == {1, 3}
    assert drawn(0.81) == {1, 2, 3}
    assert drawn(1.0) == {0, 1, 2, 3}
    assert choose(logits, GREEDY, generator) == 1


@pytest.mark.parametrize(("temperature", "top_p"), [(-1.0, 1.0), (1.0, 0.0), (1.0, 1.1)])
def test_bounds(temperature: float, top_p: float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        Sampling(temperature, top_p)
