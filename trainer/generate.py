"""Text from a model, one token after another, with a cache of keys and values; several texts at once."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass

import torch

from trainer.attention import Pieces
from trainer.cache import Cache
from trainer.errors import ConfigError
from trainer.model import Decoder


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: at `temperature` (0: always the likeliest) from the `top_k` likeliest (0: all), and of those from the
    likeliest that sum up to `top_p`.
    """

    temperature: float = 0.8
    top_p: float = 1.0
    seed: int = 0
    top_k: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf") or not 0 < self.top_p <= 1 or self.top_k < 0:
            told = f"temperature {self.temperature}, top-p {self.top_p}, top-k {self.top_k}"
            raise ConfigError(f"{told}: at least 0, above 0 up to 1, and at least 0")


def stream(model: Decoder, prompt: Sequence[int], tokens: int, how: Sampling, stop: Collection[int] = ()) -> Iterator[int]:
    """Up to `tokens` ids after `prompt`, as they are made; ends after an id of `stop`, and where the model's context ends.

    They depend on nothing but the model and `how`. Raises ConfigError when the prompt is empty or leaves no room.
    """
    return (number for row in stream_rows(model, [prompt], tokens, how, stop) for number in row if number is not None)


def stream_rows(
    model: Decoder, prompts: Sequence[Sequence[int]], tokens: int, how: Sampling, stop: Collection[int] = ()
) -> Generator[list[int | None]]:
    """What `stream` gives for each prompt, of whatever lengths, all made together: an id for each, None for those that have ended.

    Row i draws with seed + i, so that equal prompts go on differently, and no row depends on the others (but for rounding).
    Prompts are padded on the left: all end in one column, and each begins at position 0 where its padding ends.
    """
    left = [_room(model, prompt, tokens) for prompt in prompts]
    longest, weight = max(map(len, prompts)), model.embed_tokens.weight
    padding = torch.tensor([longest - len(prompt) for prompt in prompts])
    cache = Cache(model.config, len(prompts), weight.device, weight.dtype, padding.tolist(), longest + max(left))
    generators = [torch.Generator().manual_seed(how.seed + row) for row in range(len(prompts))]
    new = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    positions = (torch.arange(longest) - padding[:, None]).clamp(min=0)
    while any(left):
        scores = _scores(model, new.to(weight.device), positions.to(weight.device), cache)
        drawn = [choose(row, how, generator) for row, generator in zip(scores, generators, strict=True)]
        yield [number if room else None for number, room in zip(drawn, left, strict=True)]
        left = [room - 1 if room and number not in stop else 0 for number, room in zip(drawn, left, strict=True)]
        new = torch.tensor(drawn)[:, None]
        positions = (positions[:, -1:] + 1).clamp(max=model.config.context - 1)  # of rows that have ended nobody reads


def _room(model: Decoder, prompt: Sequence[int], tokens: int) -> int:
    if not 0 < len(prompt) < model.config.context:
        raise ConfigError(f"a prompt of {len(prompt)} tokens: this model takes 1 to {model.config.context - 1}")
    outside = next((number for number in prompt if not 0 <= number < model.config.vocab_size), None)
    if outside is not None:
        raise ConfigError(f"the prompt has token {outside}, but the model knows {model.config.vocab_size}: it is another tokenizer's")
    return min(tokens, model.config.context - len(prompt))


def _scores(model: Decoder, new: torch.Tensor, positions: torch.Tensor, cache: Cache) -> torch.Tensor:
    """Scores of what follows the new tokens [rows, count], given those in the cache: [rows, vocab_size], on the CPU."""
    with torch.no_grad():
        return model.logits(model(new, positions, Pieces(()), cache=cache)[:, -1]).float().cpu()


def choose(logits: torch.Tensor, how: Sampling, generator: torch.Generator) -> int:
    """An id drawn by its score, [vocab_size]; nucleus sampling is that of Holtzman et al. (2020), top-k that of Fan et al. (2018)."""
    if how.temperature == 0:
        return int(logits.argmax())
    best = float(logits.max())
    chances, order = torch.softmax((logits - best) / how.temperature, dim=0).sort(descending=True, stable=True)
    if how.top_k:
        chances[how.top_k :] = 0
    chances[chances.cumsum(0) - chances >= how.top_p * chances.sum()] = 0
    return int(order[torch.multinomial(chances, 1, generator=generator)])
