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
from trainer.generate import Sampling, choose, stream, stream_rows
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


PROMPTS = ([5, 6, 7, 8, 9, 10, 11], [1], [3, 4, 5, 20])


@pytest.mark.parametrize("window", [0, 4])
@pytest.mark.parametrize("kv_heads", [1, 4])
def test_a_batch_says_what_each_prompt_says_alone(window: int, kv_heads: int) -> None:
    """Prompts of different lengths, greedy, against all computed again; and drawn, against the row alone with its seed."""
    model = Decoder(replace(TINY, window=window, kv_heads=kv_heads))
    for parameter in model.parameters():
        parameter.data *= 4
    steps = list(stream_rows(model, PROMPTS, 20, GREEDY))
    for prompt, row in zip(PROMPTS, zip(*steps, strict=True), strict=True):
        assert list(row) == recomputed(model, prompt, 20)
    drawn = list(zip(*stream_rows(model, PROMPTS, 20, Sampling(seed=7)), strict=True))
    for number, prompt in enumerate(PROMPTS):
        assert list(drawn[number]) == list(stream(model, prompt, 20, Sampling(seed=7 + number)))


def test_scores_of_a_batch_equal_those_of_each_row() -> None:
    model = Decoder(TINY)
    pad, long = 5, torch.randint(0, 50, (1, 12))
    short = long[:, pad:] + 1 - long[:, pad:] // 49
    both = torch.cat([long, torch.cat([torch.zeros(1, pad, dtype=torch.int64), short], 1)])
    positions = torch.stack([torch.arange(12), (torch.arange(12) - pad).clamp(min=0)])
    cache = Cache(TINY, 2, torch.device("cpu"), torch.float32, [0, pad], 12)
    with torch.no_grad():
        parts = [model(both[:, a:b], positions[:, a:b], Pieces(()), cache=cache) for a, b in ((0, 9), (9, 10), (10, 11), (11, 12))]
        for row, ids in enumerate((long, short)):
            whole = model(ids, torch.arange(ids.shape[1])[None], Pieces((ids.shape[1],)))
            torch.testing.assert_close(torch.cat(parts, 1)[row : row + 1, -ids.shape[1] :], whole)


def test_each_row_ends_by_itself() -> None:
    """The first by the context, the others by their stop: no row keeps another from going on."""
    model = Decoder(TINY)
    alone = [list(stream(model, prompt, 99, Sampling(1.0, seed=row))) for row, prompt in enumerate(PROMPTS)]
    stop = alone[1][6]
    rows = list(zip(*stream_rows(model, PROMPTS, 99, Sampling(1.0), [stop]), strict=True))
    for found, whole, prompt in zip(rows, alone, PROMPTS, strict=True):
        assert len(whole) == 32 - len(prompt)
        wanted = whole[: whole.index(stop) + 1] if stop in whole else whole
        assert [number for number in found if number is not None] == wanted
        assert all(number is None for number in found[len(wanted) :])


def test_the_likeliest_k() -> None:
    """Of .5, .3, .15 and .05: two of them, and the share that top_p speaks of is that of those two."""
    logits = torch.tensor([0.05, 0.5, 0.15, 0.3]).log()
    generator = torch.Generator().manual_seed(0)

    def drawn(top_k: int, top_p: float = 1.0) -> set[int]:
        return {choose(logits, Sampling(1.0, top_p, top_k=top_k), generator) for _ in range(300)}

    assert drawn(1) == {1}
    assert drawn(2) == {1, 3}
    assert drawn(99) == {0, 1, 2, 3}
    assert drawn(2, 0.62) == {1}
    assert drawn(2, 0.63) == {1, 3}


def test_a_token_of_another_tokenizer_is_named() -> None:
    with pytest.raises(ConfigError, match="token 50, but the model knows 50"):
        list(stream(Decoder(TINY), [1, 50], 1, GREEDY))
