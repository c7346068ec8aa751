"""A short text from the model, to read while it learns: no cache, so every token costs a pass over all before it."""

from __future__ import annotations

import torch

from trainer.model import Decoder


def sample(model: Decoder, prompt: list[int], tokens: int, temperature: float, seed: int) -> list[int]:
    """`tokens` ids after `prompt` (at least one id), drawn from the model at `temperature`; 0 takes the likeliest.

    The draw depends on nothing but the model and `seed`. A text longer than the model's context sees only its end.
    """
    device = model.embedding.weight.device
    generator = torch.Generator().manual_seed(seed)
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(tokens):
            seen = torch.tensor([ids[-model.config.context :]], device=device)
            hidden = model(seen, torch.arange(seen.shape[1], device=device)[None], (seen.shape[1],))
            ids.append(_choose(model.logits(hidden[0, -1]).float().cpu(), temperature, generator))
    return ids[len(prompt) :]


def _choose(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    return int(torch.multinomial(torch.softmax(logits / temperature, dim=0), 1, generator=generator))
