"""The decoder: RMSNorm before each block, rotary positions, grouped-query attention, SwiGLU, and a head tied to the embedding.

Shapes follow Llama (Touvron et al. 2023), with rotary halves rather than interleaved pairs and no biases. Rows are flattened:
everything but attention works on single tokens, and attention is told the lengths of the pieces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's word for it

from trainer.attention import attend
from trainer.config import ModelConfig


class Attention(nn.Module):
    """Grouped-query attention (Ainslie et al. 2023) with rotary positions (Su et al. 2021)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.size = config.head_size
        self.queries = nn.Linear(config.width, config.heads * self.size, bias=False)
        self.keys = nn.Linear(config.width, config.kv_heads * self.size, bias=False)
        self.values = nn.Linear(config.width, config.kv_heads * self.size, bias=False)
        self.out = nn.Linear(config.heads * self.size, config.width, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, pieces: Sequence[int]) -> torch.Tensor:
        q, k, v = (project(x).unflatten(-1, (-1, self.size)) for project in (self.queries, self.keys, self.values))
        return self.out(attend(rotate(q, cos, sin), rotate(k, cos, sin), v, pieces).flatten(1))


class SwiGLU(nn.Module):
    """The gated feed-forward network of Shazeer (2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.ffn, bias=False)
        self.up = nn.Linear(config.width, config.ffn, bias=False)
        self.down = nn.Linear(config.ffn, config.width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    """One layer: attention and feed-forward, each on the normed stream and added to it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.attention = Attention(config)
        self.ffn_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.ffn = SwiGLU(config)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, pieces: Sequence[int]) -> torch.Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, pieces)
        return x + self.ffn(self.ffn_norm(x))


class Decoder(nn.Module):
    """Tokens to hidden states; `embedding.weight` [padded_vocab, width] is also the head's matrix (see loss.py)."""

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, config: ModelConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.padded_vocab, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        cos, sin = rotary_table(config.context, config.head_size, config.rope_theta)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self._initialise(torch.Generator().manual_seed(seed))

    def forward(self, tokens: torch.Tensor, positions: torch.Tensor, pieces: Sequence[int]) -> torch.Tensor:
        """Hidden states [..., width] after the last norm, for tokens and positions of one shape [...]."""
        x = self.embedding(tokens.flatten())
        cos, sin = self.cos[positions.flatten()].unsqueeze(1), self.sin[positions.flatten()].unsqueeze(1)
        for block in self.blocks:
            x = block(x, cos, sin, pieces)
        return self.norm(x).unflatten(0, tokens.shape)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores of the vocabulary without its padding, [..., vocab_size]: for sampling, not for training."""
        return F.linear(hidden, self.embedding.weight[: self.config.vocab_size])

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def _initialise(self, generator: torch.Generator) -> None:
        """Normal with deviation .02; what is added to the stream is scaled by the number of additions (GPT-2)."""
        for name, parameter in self.named_parameters():
            if parameter.ndim >= 2:
                added = name.endswith(("attention.out.weight", "ffn.down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.layers) if added else 0.02, generator=generator)


def rotary_table(context: int, size: int, theta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of every position's angles, each [context, size / 2]."""
    frequencies = theta ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.outer(torch.arange(context, dtype=torch.float64), frequencies)
    return angles.cos().float(), angles.sin().float()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn the pairs (x[i], x[i + size/2]) of [tokens, heads, size] by their angles."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)
