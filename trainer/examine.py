"""`python -m trainer eval`: a model on evaluations from local files, and on packed shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from trainer.attention import Masking
from trainer.coder import Coder
from trainer.decode import TextDecoder
from trainer.errors import ConfigError, DataError
from trainer.evaluate import HeldOut, Validation
from trainer.generate import Sampling
from trainer.harness import Questions, chosen, evaluate
from trainer.model import Decoder
from trainer.parallel import join
from trainer.runs import ready, tokenizer_for
from trainer.scorer import BATCH_TOKENS, Scorer
from trainer.shards import open_dataset


def examine(
    model: str, evals: str | None, tasks: str | None, shards: str | None, tokenizer: str | None, adapter: str | None,
    shots: int | None, limit: int, samples: int, temperature: float, seed: int, eval_tokens: int, device: str,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """The results of each task, and under "perplexity" of each source of `shards`. Everything is checked before the first answer."""
    if not evals and not shards:
        raise ConfigError("give --evals, files of evaluations, or --shards, a packed dataset, or both")
    if eval_tokens < 0:
        raise ConfigError(f"--eval-tokens is {eval_tokens}: it must be at least 0, which is all")
    path = tokenizer_for(model, tokenizer)
    asked = Questions(shots, limit, samples, Sampling(temperature, seed=seed))
    found = chosen(tasks, [Path(part) for part in evals.split(",")], asked) if evals else {}
    loaded = ready(model, adapter, device)
    results = {"perplexity": {"sources": by_source(loaded, shards, path, eval_tokens)}} if shards else {}
    if found:
        scorer = Scorer(loaded, Coder(path))
        results |= {name: evaluate(scorer, task, items, asked) for name, (task, items) in found.items()}
    return results


def by_source(model: Decoder, shards: str, tokenizer: Path, tokens: int) -> dict[str, dict[str, float | None]]:
    """Loss, perplexity and bits per byte of each source in the first `tokens` tokens (0: all) of packed shards."""
    data, text, device = open_dataset(shards), TextDecoder.read(tokenizer), model.embed_tokens.weight.device
    if data.tokenizer_sha256 != text.sha256:
        raise DataError(f"{data.folder} was made with another tokenizer than {tokenizer}: pack its texts with that one")
    if data.seq_len > model.config.context:
        raise DataError(f"{data.folder} has rows of {data.seq_len:,} tokens, the model a context of {model.config.context:,}")
    rows = min(len(data), -(-tokens // data.seq_len) or len(data))
    held_out = HeldOut(data, rows, max(1, BATCH_TOKENS[device.type] // data.seq_len), Masking(False, model.config.window))
    scores = Validation(held_out, text).scores(model, join(device.type, "ddp"), torch.float32)
    return {
        name: {"loss": score.loss, "perplexity": score.perplexity, "bits_per_byte": score.bits_per_byte, "targets": score.targets}
        for name, score in scores.items()
    }


def perplexity_lines(sources: dict[str, dict[str, float | None]]) -> list[str]:
    """The result of by_source as a table."""
    told = [f"{'source':<12} {'loss':>8} {'perplexity':>11} {'bits/byte':>9} {'targets':>10}"]
    for name, score in sources.items():
        bits = "" if score["bits_per_byte"] is None else f"{score['bits_per_byte']:.4f}"
        told.append(f"{name:<12} {score['loss']:>8.4f} {score['perplexity']:>11,.2f} {bits:>9} {score['targets']:>10,}")
    return told
