"""Causal attention that ends where a document ends.

Here it is exact and simple: one call of scaled_dot_product_attention per piece, so no mask of seq_len x seq_len is ever made.
The kernels that take a whole batch at once (flex_attention, varlen_attn) can't train on a CPU in torch 2.13.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F  # noqa: N812 - torch's word for it


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, pieces: Sequence[int]) -> torch.Tensor:
    """Attention within each piece.

    q [tokens, heads, size]; k, v [tokens, kv_heads, size], where kv_heads divides heads; `pieces` are lengths that add up to
    tokens. Returns [tokens, heads, size].
    """
    grouped = q.shape[1] != k.shape[1]
    queries, keys, values = (x.transpose(0, 1).unsqueeze(0).split(list(pieces), dim=2) for x in (q, k, v))
    outputs = [
        F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)
        for query, key, value in zip(queries, keys, values, strict=True)
    ]
    return torch.cat(outputs, dim=2).squeeze(0).transpose(0, 1)
