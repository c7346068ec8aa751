# ruff: noqa: E402 - the trainer is imported only where torch is
"""Attention per piece against one dense mask, forward and backward."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from torch.nn import functional as F  # noqa: N812

from trainer.attention import attend


def dense(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, pieces: list[int]) -> torch.Tensor:
    """The same with one mask of tokens x tokens: of one piece, and not later."""
    of = torch.repeat_interleave(torch.arange(len(pieces)), torch.tensor(pieces))
    mask = (of[:, None] == of[None, :]) & torch.ones(len(of), len(of), dtype=torch.bool).tril()
    groups = q.shape[1] // k.shape[1]
    keys, values = (x.repeat_interleave(groups, dim=1).transpose(0, 1) for x in (k, v))
    return F.scaled_dot_product_attention(q.transpose(0, 1), keys, values, attn_mask=mask).transpose(0, 1)


@pytest.mark.parametrize("pieces", [[12], [1] * 12, [5, 4, 3], [1, 10, 1], [7, 5]], ids=str)
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (4, 1)])
def test_equals_a_dense_mask(pieces: list[int], heads: int, kv_heads: int) -> None:
    torch.manual_seed(0)
    inputs = [torch.randn(12, count, 8, dtype=torch.float64, requires_grad=True) for count in (heads, kv_heads, kv_heads)]
    weights = torch.randn(12, heads, 8, dtype=torch.float64)
    found, wanted = attend(*inputs, pieces), dense(*inputs, pieces)
    torch.testing.assert_close(found, wanted)
    ours = torch.autograd.grad((found * weights).sum(), inputs)
    theirs = torch.autograd.grad((wanted * weights).sum(), inputs)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference)


def test_in_float32_too() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(300, count, 16) for count in (4, 2, 2))
    torch.testing.assert_close(attend(q, k, v, [100, 1, 199]), dense(q, k, v, [100, 1, 199]))
