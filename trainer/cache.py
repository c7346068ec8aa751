"""Keys and values of the tokens seen so far, in tensors that are allocated once: what makes a next token cheap."""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812 - torch's word for it

from trainer.attention import Pieces, attend
from trainer.config import ModelConfig


class LayerCache:
    """The cache of one layer, for `rows` texts of one length of at most `context` tokens."""

    def __init__(self, config: ModelConfig, rows: int, device: torch.device, dtype: torch.dtype) -> None:
        shape = (rows, config.context, config.kv_heads, config.head_size)
        self.keys, self.values = (torch.zeros(shape, device=device, dtype=dtype) for _ in range(2))
        self.length = 0

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, window: int) -> torch.Tensor:
        """Keep k and v, and attend to all that is kept: the first call takes a whole text, each later one a single token."""
        rows, count = q.shape[:2]
        first, self.length = self.length, self.length + count
        self.keys[:, first : self.length], self.values[:, first : self.length] = k, v
        if not first:
            return attend(q, k, v, Pieces((count,) * rows, window))
        if count != 1:
            raise ValueError(f"{count} tokens after the first {first}: give one at a time")
        seen = slice(max(0, self.length - window) if window else 0, self.length)
        query, keys, values = (x.transpose(1, 2) for x in (q, self.keys[:, seen], self.values[:, seen]))
        return F.scaled_dot_product_attention(query, keys, values, enable_gqa=q.shape[2] != k.shape[2]).transpose(1, 2)


class Cache:
    """The caches of all layers."""

    def __init__(self, config: ModelConfig, rows: int, device: torch.device, dtype: torch.dtype) -> None:
        self.layers = [LayerCache(config, rows, device, dtype) for _ in range(config.layers)]
