# ruff: noqa: E402 - the trainer is imported only where torch is
"""The chunked loss against torch's own, and its sum over micro-batches."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from torch.nn import functional as F  # noqa: N812

from trainer import loss as loss_module
from trainer.loss import IGNORE, loss_sum, position_losses

WIDTH, VOCAB, PADDED = 16, 50, 64


def problem(positions: int = 40) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(2, positions // 2, WIDTH, requires_grad=True)
    weight = torch.randn(PADDED, WIDTH, requires_grad=True)
    labels = torch.randint(0, VOCAB, (2, positions // 2))
    labels[torch.rand(labels.shape) < 0.3] = IGNORE
    return hidden, weight, labels


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_equals_torch(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loss_module.CHUNK, "cpu", chunk)
    hidden, weight, labels = problem()
    logits = (hidden @ weight[:VOCAB].T).flatten(0, 1)
    wanted = F.cross_entropy(logits, labels.flatten(), ignore_index=IGNORE, reduction="sum")
    found = loss_sum(hidden, weight, labels, VOCAB)
    torch.testing.assert_close(found, wanted)
    each = F.cross_entropy(logits, labels.flatten(), ignore_index=IGNORE, reduction="none").view_as(labels)
    torch.testing.assert_close(position_losses(hidden, weight, labels, VOCAB), each.detach())
    ours = torch.autograd.grad(found / 17, [hidden, weight])
    theirs = torch.autograd.grad(wanted / 17, [hidden, weight])
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-5)


def test_padding_of_the_vocabulary_has_no_gradient() -> None:
    hidden, weight, labels = problem()
    (found,) = torch.autograd.grad(loss_sum(hidden, weight, labels, VOCAB), [weight])
    assert found[VOCAB:].abs().max() == 0
    assert found[:VOCAB].abs().min(dim=1).values.min() > 0


def test_no_targets_no_loss() -> None:
    hidden, weight, labels = problem()
    found = loss_sum(hidden, weight, torch.full_like(labels, IGNORE), VOCAB)
    found.backward()
    assert found.item() == 0
    assert weight.grad.abs().max() == 0
    assert position_losses(hidden, weight, torch.full_like(labels, IGNORE), VOCAB).abs().max() == 0


def test_bfloat16_products_are_summed_in_float32() -> None:
    hidden, weight, labels = problem(2000)
    exact = loss_sum(hidden, weight, labels, VOCAB)
    rough = loss_sum(hidden.bfloat16(), weight, labels, VOCAB)
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=2e-3)
    mine, reference = (torch.autograd.grad(loss, [weight])[0] for loss in (rough, exact))
    assert (mine - reference).norm() / reference.norm() < 1e-2


def test_measuring_makes_no_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without gradients the loss is the same, and the two products that make them are not computed."""
    hidden, weight, labels = problem()
    learning = loss_sum(hidden, weight, labels, VOCAB)
    monkeypatch.setattr(torch, "mm", None)
    with torch.no_grad():
        assert loss_sum(hidden, weight, labels, VOCAB).item() == learning.item()
