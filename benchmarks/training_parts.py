# ruff: noqa: B023 - each lambda is called before its loop goes on
"""The parts of a training step by themselves: attention, the loss through the head, generation; what to measure first on a new GPU.

    python -m benchmarks.training_parts [--tokens 65536] [--seq-len 4096] [--repeats 10]

Attention, forward and backward, over documents of lognormal lengths (mean 1,000): FlexAttention as training uses it, a call per piece,
and, as the bound that documents can't reach, one causal call over whole rows. The difference of FlexAttention's gradients from those of
the calls per piece. The loss of 124m and 1b in chunks of several sizes, and torch's own on whole logits, compiled. Greedy generation
of 124m in batches. A CPU has no FlexAttention backward: it is left out there, and everything is small.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's word for it

from trainer import loss
from trainer.attention import Masking, attend
from trainer.config import PRESETS
from trainer.generate import Sampling, stream_rows
from trainer.model import Decoder

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
#: Heads and their sizes: 124m's, the same width in larger heads, and 1b's.
HEADS = ((12, 64), (6, 128), (16, 128)) if CUDA else ((4, 32),)
#: Width of the models whose loss is measured, and the size of a padded vocabulary.
WIDTHS, VOCABULARY = ((768, 2048), 50_304) if CUDA else ((128,), 16_384)


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """The best of some runs, after two that warm up."""
    found = []
    for number in range(repeats + 2):
        _wait()
        before = time.perf_counter()
        work()
        _wait()
        found += [time.perf_counter() - before] if number >= 2 else []
    return 1e3 * min(found)


def _wait() -> None:
    if CUDA:
        torch.cuda.synchronize()


def documents(rows: int, seq_len: int) -> list[np.ndarray]:
    """Lengths of the pieces of each row."""
    draw = np.random.default_rng(1)
    found = []
    for _ in range(rows):
        ends = np.minimum(np.cumsum(draw.lognormal(np.log(1000) - 0.5, 1.0, 4 + seq_len // 8).astype(np.int64) + 1), seq_len)
        found.append(np.diff(np.unique([0, *ends])))
    return found


def attention(tokens: int, seq_len: int, repeats: int) -> Iterator[str]:
    rows = max(1, tokens // seq_len)
    lengths = documents(rows, seq_len)
    device = torch.device(DEVICE)
    masks = {"per piece": Masking(False)(lengths).to(device)} | ({"FlexAttention": Masking(True)(lengths).to(device)} if CUDA else {})
    for heads, size in HEADS:
        for dtype in (torch.bfloat16, torch.float32) if CUDA else (torch.float32,):
            torch.manual_seed(0)
            q, k, v = (torch.randn(rows, seq_len, heads, size, device=device, dtype=dtype, requires_grad=True) for _ in range(3))
            weight = torch.randn_like(q)
            ways: dict[str, Callable[[], torch.Tensor]] = {name: partial(attend, q, k, v, mask) for name, mask in masks.items()}
            ways["one causal call, no documents"] = partial(_causal, q, k, v)
            told = f"attention {rows} x {seq_len}, {heads} heads of {size}, {str(dtype)[6:]}"
            for name, way in ways.items():
                spent = milliseconds(lambda: torch.autograd.grad(way(), [q, k, v], weight), repeats)
                yield f"| {told} | {name} | {spent:.2f} ms |"
            if CUDA:
                grads = [torch.autograd.grad(ways[name](), [q, k, v], weight) for name in masks]
                apart = max(float((a - b).norm() / a.norm()) for a, b in zip(*grads, strict=True))
                yield f"| {told} | gradients of the two, largest relative difference of a norm | {apart:.1e} |"


def _causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    query, key, value = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)


def head(tokens: int, repeats: int) -> Iterator[str]:
    whole = torch.compile(
        lambda hidden, weight, labels: F.cross_entropy((hidden @ weight.T).float(), labels, reduction="sum"), dynamic=False
    )
    dtype = torch.bfloat16 if CUDA else torch.float32
    for width in WIDTHS:
        hidden = torch.randn(tokens, width, device=DEVICE, dtype=dtype, requires_grad=True)
        weight = torch.randn(VOCABULARY, width, device=DEVICE, requires_grad=True)
        labels = torch.randint(0, VOCABULARY, (tokens,), device=DEVICE)
        places = torch.arange(tokens, device=DEVICE)
        told = f"loss of {tokens:,} positions, {width} wide, {VOCABULARY:,} tokens"
        for chunk in sorted({tokens, tokens // 4, tokens // 8, loss.CHUNK[DEVICE]}, reverse=True):
            loss.CHUNK[DEVICE], before = chunk, loss.CHUNK[DEVICE]
            ours = milliseconds(
                lambda: torch.autograd.grad(loss.loss_sum(hidden, weight, labels, VOCABULARY, places), [hidden, weight]),
                repeats,
            )
            loss.CHUNK[DEVICE] = before
            yield f"| {told} | in chunks of {chunk:,} | {ours:.2f} ms |"
        if CUDA:
            theirs = milliseconds(lambda: torch.autograd.grad(whole(hidden, weight.to(dtype), labels), [hidden, weight]), repeats)
            yield f"| {told} | torch's, whole logits, compiled | {theirs:.2f} ms |"


def generation(repeats: int) -> Iterator[str]:
    name, tokens = ("124m", 128) if CUDA else ("debug", 32)
    model = Decoder(PRESETS[name].model(50_000, 2048)).to(DEVICE).eval()
    for rows in (1, 16):
        prompts = [[1] * (16 + row) for row in range(rows)]
        spent = milliseconds(lambda: list(stream_rows(model, prompts, tokens, Sampling(0))), min(repeats, 3))
        yield f"| generation, {name}, float32 | {rows} texts at once | {rows * tokens / spent * 1e3:,.0f} tokens/s |"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The parts of a training step by themselves.")
    parser.add_argument("--tokens", type=int, default=65_536 if CUDA else 2048)
    parser.add_argument("--seq-len", type=int, default=4096 if CUDA else 1024)
    parser.add_argument("--repeats", type=int, default=10 if CUDA else 2)
    options = parser.parse_args(argv)
    if not CUDA:
        torch.set_num_threads(1)
    print(f"{torch.cuda.get_device_name() if CUDA else 'CPU'}, torch {torch.__version__}\n\n| what | how | |\n|---|---|---|")
    for part in (
        attention(options.tokens, options.seq_len, options.repeats),
        head(options.tokens, options.repeats),
        generation(options.repeats),
    ):
        for line in part:
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
