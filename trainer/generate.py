"""Text from a model, one token after another, with a cache of keys and values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import torch

from trainer.attention import Pieces
from trainer.cache import Cache
from trainer.errors import ConfigError
from trainer.model import Decoder


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: at `temperature` (0: always the likeliest) from the likeliest ones that sum up to `top_p`."""

    temperature: float = 0.8
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ConfigError(f"temperature {self.temperature}, top-p {self.top_p}: at least 0, and above 0 up to 1")


def stream(model: Decoder, prompt: Sequence[int], tokens: int, how: Sampling, stop: Collection[int] = ()) -> Iterator[int]:
    """Up to `tokens` ids after `prompt`, as they are made; ends after an id of `stop`, and where the model's context ends.

    They depend on nothing but the model and `how`. Raises ConfigError when the prompt is empty or leaves no room.
    """
    if not 0 < len(prompt) < model.config.context:
        raise ConfigError(f"a prompt of {len(prompt)} tokens: this model takes 1 to {model.config.context - 1}")
    weight = model.embed_tokens.weight
    generator = torch.Generator().manual_seed(how.seed)
    cache = Cache(model.config, 1, weight.device, weight.dtype)
    ids, first = list(prompt), 0
    for _ in range(min(tokens, model.config.context - len(prompt))):
        ids.append(choose(_next_logits(model, ids, first, cache), how, generator))
        first = len(ids) - 1
        yield ids[-1]
        if ids[-1] in stop:
            return


def _next_logits(model: Decoder, ids: Sequence[int], first: int, cache: Cache) -> torch.Tensor:
    """Scores of what follows `ids`, of which those before `first` are in the cache."""
    positions = torch.arange(first, len(ids), device=model.embed_tokens.weight.device)[None]
    new = torch.tensor([list(ids[first:])], device=positions.device)
    with torch.no_grad():
        return model.logits(model(new, positions, Pieces((new.shape[1],)), cache=cache)[0, -1]).float().cpu()


def choose(logits: torch.Tensor, how: Sampling, generator: torch.Generator) -> int:
    """An id drawn by its score, [vocab_size]; nucleus sampling is that of Holtzman et al. (2020)."""
    if how.temperature == 0:
        return int(logits.argmax())
    chances, order = torch.softmax(logits / how.temperature, dim=0).sort(descending=True, stable=True)
    chances[chances.cumsum(0) - chances >= how.top_p] = 0
    return int(order[torch.multinomial(chances, 1, generator=generator)])
