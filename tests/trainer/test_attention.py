# ruff: noqa: E402 - the trainer is imported only where torch is
"""Both ways of attention against one dense mask, and the block lists against those that torch finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from torch.nn import functional as F  # noqa: N812
from torch.nn.attention.flex_attention import create_block_mask

from trainer.attention import BLOCK, Masking, Pieces, attend, block_lists, interval_starts


def visible(pieces: list[int], window: int = 0) -> torch.Tensor:
    """Which key a query sees, [tokens, tokens]: of one piece, not later, and not further back than the window."""
    of = torch.repeat_interleave(torch.arange(len(pieces)), torch.tensor(pieces))
    return (of[:, None] == of[None, :]) & torch.ones(len(of), len(of), dtype=torch.bool).tril().triu(1 - (window or len(of)))


def dense(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, rows: list[list[int]], window: int = 0) -> torch.Tensor:
    """The same with one mask of tokens x tokens per row."""
    groups = q.shape[2] // k.shape[2]
    keys, values = (x.repeat_interleave(groups, dim=2).transpose(1, 2) for x in (k, v))
    mask = torch.stack([visible(pieces, window) for pieces in rows])[:, None]
    return F.scaled_dot_product_attention(q.transpose(1, 2), keys, values, attn_mask=mask).transpose(1, 2)


def lengths(rows: list[list[int]]) -> list[np.ndarray]:
    return [np.array(pieces, dtype=np.int64) for pieces in rows]


@pytest.mark.parametrize("pieces", [[12], [1] * 12, [5, 4, 3], [1, 10, 1], [7, 5]], ids=str)
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (4, 1)])
@pytest.mark.parametrize("window", [0, 1, 4, 12])
def test_equals_a_dense_mask(pieces: list[int], heads: int, kv_heads: int, window: int) -> None:
    torch.manual_seed(0)
    rows = [pieces, [12]]
    inputs = [torch.randn(2, 12, count, 8, dtype=torch.float64, requires_grad=True) for count in (heads, kv_heads, kv_heads)]
    weights = torch.randn(2, 12, heads, 8, dtype=torch.float64)
    found, wanted = attend(*inputs, Masking(window=window)(lengths(rows))), dense(*inputs, rows, window)
    torch.testing.assert_close(found, wanted)
    ours = torch.autograd.grad((found * weights).sum(), inputs)
    theirs = torch.autograd.grad((wanted * weights).sum(), inputs)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference)


def test_in_float32_too() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 300, count, 16) for count in (4, 2, 2))
    torch.testing.assert_close(attend(q, k, v, Pieces((100, 1, 199))), dense(q, k, v, [[100, 1, 199]]))


ROWS = [[512], [1] * 512, [100, 28, 200, 184], [128, 128, 256], [127, 1, 129, 255], [500, 12]]


@pytest.mark.parametrize("window", [0, 1, 100, 128, 200])
def test_block_lists_equal_those_found_by_trying_every_pair(window: int) -> None:
    lo = interval_starts(lengths(ROWS), window)
    starts = torch.from_numpy(lo)
    wanted = create_block_mask(
        lambda row, head, query, key: (key <= query) & (key >= starts[row, query]), len(ROWS), None, 512, 512, device="cpu"
    )
    names = ("kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices")
    for name, found in zip(names, block_lists(lo), strict=True):
        np.testing.assert_array_equal(found, getattr(wanted, name).numpy(), err_msg=name)
    seen = np.stack([visible(pieces, window) for pieces in ROWS])
    np.testing.assert_array_equal(lo, seen.argmax(-1))


@given(cuts=st.lists(st.integers(1, 4 * BLOCK - 1), unique=True, max_size=20), window=st.integers(0, 600))
def test_block_lists_of_any_cuts_are_exact(cuts: list[int], window: int) -> None:
    """A block is full when every pair in it is seen, partial when some are."""
    pieces = np.diff([0, *sorted(cuts), 4 * BLOCK]).tolist()
    seen = visible(pieces, window).view(4, BLOCK, 4, BLOCK).transpose(1, 2).flatten(2)
    counts, _, full, _ = block_lists(interval_starts(lengths([pieces]), window))
    assert full[0, 0].tolist() == seen.all(-1).sum(-1).tolist()
    assert (counts + full)[0, 0].tolist() == seen.any(-1).sum(-1).tolist()


@pytest.mark.parametrize("window", [0, 100])
def test_flex_forward_equals_a_dense_mask(window: int) -> None:
    """On a CPU FlexAttention runs as written, forward only; its gradients are for a machine with a GPU."""
    torch.manual_seed(0)
    rows = [[512], [100, 28, 200, 184]]
    q, k, v = (torch.randn(2, 512, count, 16) for count in (4, 2, 2))
    mask = Masking(flex=True, window=window)(lengths(rows)).to(torch.device("cpu"))
    torch.testing.assert_close(attend(q, k, v, mask), dense(q, k, v, rows, window))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="FlexAttention has gradients only on a GPU")
@pytest.mark.parametrize("window", [0, 100])
def test_flex_gradients_equal_a_dense_mask(window: int) -> None:
    torch.manual_seed(0)
    rows = [[512], [100, 28, 200, 184]]
    inputs = [torch.randn(2, 512, count, 64, device="cuda", requires_grad=True) for count in (4, 2, 2)]
    mask = Masking(flex=True, window=window)(lengths(rows)).to(torch.device("cuda"))
    ours = torch.autograd.grad(attend(*inputs, mask).square().sum(), inputs)
    doubles = [tensor.detach().cpu().double().requires_grad_() for tensor in inputs]
    theirs = torch.autograd.grad(dense(*doubles, rows, window).square().sum(), doubles)
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.cpu().double(), reference, rtol=1e-2, atol=1e-2)
