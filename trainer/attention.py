"""Causal attention that ends where a document ends, behind one function: the mask chooses how it is computed.

`Pieces`   one call of scaled_dot_product_attention per piece of a document: exact anywhere, the way of a CPU and the reference.
`BlockMask`  FlexAttention over the whole batch, the way of a GPU (torch 2.13 can't train through it on a CPU).

Every mask here is an interval: query q sees `lo[row, q] <= key <= q`, where `lo` is the start of its piece, or later with a sliding
window. `lo` never decreases along a row, so the blocks that FlexAttention visits follow from it without looking at a single pair:
NumPy finds them where batches are made, and shapes never change, so that compiled code is never compiled anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F  # noqa: N812 - torch's word for it
from torch.nn.attention.flex_attention import BlockMask, flex_attention

#: Queries and keys of a block of FlexAttention.
BLOCK = 128

#: FlexAttention is one kernel only when compiled; nothing is compiled before its first call.
_compiled_flex = torch.compile(flex_attention, dynamic=False)


@dataclass(frozen=True)
class Pieces:
    """Lengths of all pieces of a batch, row after row, padding included; `window` tokens are seen at most (0: all)."""

    lengths: tuple[int, ...]
    window: int = 0

    def to(self, _device: torch.device) -> Pieces:
        return self


@dataclass(frozen=True)
class Intervals:
    """What a BlockMask is made of, on the host: `lo` [rows, seq_len] and the four block lists of `block_lists`."""

    lo: torch.Tensor
    blocks: tuple[torch.Tensor, ...]

    def to(self, device: torch.device) -> BlockMask:
        lo, *blocks = (tensor.to(device, non_blocking=True) for tensor in (self.lo, *self.blocks))

        def visible(row: torch.Tensor, _head: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
            return (key <= query) & (key >= lo[row, query])

        return BlockMask.from_kv_blocks(*blocks, BLOCK_SIZE=BLOCK, mask_mod=visible)

    def pin_memory(self) -> Intervals:
        return Intervals(self.lo.pin_memory(), tuple(tensor.pin_memory() for tensor in self.blocks))


@dataclass(frozen=True)
class Masking:
    """How a run masks: with FlexAttention or per piece, and how far back a token sees (0: to the start of its piece)."""

    flex: bool = False
    window: int = 0

    def __call__(self, rows: Sequence[npt.NDArray[np.int64]]) -> Pieces | Intervals:
        """The mask of a batch, given the lengths of the pieces of each row."""
        if not self.flex:
            return Pieces(tuple(np.concatenate(rows).tolist()), self.window)
        lo = interval_starts(rows, self.window)
        return Intervals(torch.from_numpy(lo), tuple(torch.from_numpy(found) for found in block_lists(lo)))


def interval_starts(rows: Sequence[npt.NDArray[np.int64]], window: int = 0) -> npt.NDArray[np.int32]:
    """The first key that each query sees: the start of its piece, at most `window - 1` tokens back; int32 [rows, seq_len]."""
    starts = np.stack([np.repeat(np.cumsum(lengths) - lengths, lengths) for lengths in rows])
    return (np.maximum(starts, np.arange(starts.shape[1]) - window + 1) if window else starts).astype(np.int32)


def block_lists(lo: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], ...]:
    """The blocks that FlexAttention visits: counts [rows, 1, blocks] and indices [rows, 1, blocks, blocks], partial and then full.

    Equal to what create_block_mask finds by trying every pair. Of a block of queries, the first key block holds `lo` of its first
    query and the last one is its own; those between that begin at or after `lo` of its last query are seen whole.
    """
    first, last = lo[:, ::BLOCK, None] // BLOCK, lo[:, BLOCK - 1 :: BLOCK, None]
    blocks = lo.shape[1] // BLOCK
    query, key = np.ogrid[:blocks, :blocks]
    full = (key < query) & (key * BLOCK >= last)
    partial = (key >= first) & (key <= query) & ~full
    return tuple(np.ascontiguousarray(found[:, None], np.int32) for kind in (partial, full) for found in (kind.sum(-1), _set_first(kind)))


def _set_first(kind: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    return np.argsort(~kind, axis=-1, kind="stable")


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Pieces | BlockMask) -> torch.Tensor:
    """Attention within each piece, causal; q [rows, seq_len, heads, size], k and v with kv_heads, a divisor of heads. Shaped as q."""
    grouped = q.shape[2] != k.shape[2]
    if isinstance(mask, Pieces):
        return _per_piece(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), mask, grouped).view_as(q)
    heads_first = (x.transpose(1, 2) for x in (q, k, v))
    flex = _compiled_flex if q.is_cuda else flex_attention  # a CPU runs it as written, and only forward: that is what tests compare
    return flex(*heads_first, block_mask=mask, enable_gqa=grouped).transpose(1, 2)


def _per_piece(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Pieces, grouped: bool) -> torch.Tensor:
    queries, keys, values = (x.transpose(0, 1).unsqueeze(0).split(list(mask.lengths), dim=2) for x in (q, k, v))
    outputs = [
        F.scaled_dot_product_attention(query, key, value, **_causal(query.shape[2], mask.window, q.device), enable_gqa=grouped)
        for query, key, value in zip(queries, keys, values, strict=True)
    ]
    return torch.cat(outputs, dim=2).squeeze(0).transpose(0, 1)


def _causal(length: int, window: int, device: torch.device) -> dict[str, Any]:
    if not window or length <= window:
        return {"is_causal": True}
    return {"attn_mask": torch.ones(length, length, dtype=torch.bool, device=device).tril().triu(1 - window)}
