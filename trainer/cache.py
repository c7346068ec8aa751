"""Keys and values of the tokens seen so far, in tensors that are allocated once: what makes a next token cheap."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F  # noqa: N812 - torch's word for it

from trainer.attention import Pieces, attend
from trainer.config import ModelConfig


class LayerCache:
    """The cache of one layer, for texts of at most `length` tokens, of which the first `padding` are none."""

    def __init__(self, shape: tuple[int, ...], padding: Sequence[int], device: torch.device, dtype: torch.dtype) -> None:
        self.keys, self.values = (torch.zeros(shape, device=device, dtype=dtype) for _ in range(2))
        self.padding = padding
        self.starts = torch.tensor(padding, device=device)[:, None, None, None] if any(padding) else None
        self.length = 0

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, window: int) -> torch.Tensor:
        """Keep k and v, and attend to all that is kept: the first call takes whole texts, each later one a single token of each."""
        count = q.shape[1]
        first, self.length = self.length, self.length + count
        self.keys[:, first : self.length], self.values[:, first : self.length] = k, v
        if not first:
            pieces = (size for padding in self.padding for size in (padding, count - padding) if size)
            return attend(q, k, v, Pieces(tuple(pieces), window))
        if count != 1:
            raise ValueError(f"{count} tokens after the first {first}: give one at a time")
        begin = max(0, self.length - window) if window else 0
        query, keys, values = (x.transpose(1, 2) for x in (q, self.keys[:, begin : self.length], self.values[:, begin : self.length]))
        seen = None if self.starts is None else torch.arange(begin, self.length, device=q.device) >= self.starts
        grouped = q.shape[2] != k.shape[2]
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=seen, enable_gqa=grouped).transpose(1, 2)


class Cache:
    """The caches of all layers, for `rows` texts of at most `length` tokens (0: the model's context), padded on the left."""

    def __init__(
        self, config: ModelConfig, rows: int, device: torch.device, dtype: torch.dtype, padding: Sequence[int] = (), length: int = 0
    ) -> None:
        shape = (rows, length or config.context, config.kv_heads, config.head_size)
        self.layers = [LayerCache(shape, padding or [0] * rows, device, dtype) for _ in range(config.layers)]
