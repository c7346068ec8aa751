"""The training loop: everything checked before the first step, exact resume, and a stop that loses nothing."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from trainer import checkpoint
from trainer.batch import Batch, step_batches
from trainer.config import RunConfig
from trainer.decode import TextDecoder, find_decoder
from trainer.errors import CheckpointError, ConfigError, DataError, Diverged
from trainer.evaluate import HeldOut, unigram_loss, validation_loss
from trainer.generate import sample
from trainer.loss import batch_loss
from trainer.model import Decoder
from trainer.optim import adamw, clip, learning_rate
from trainer.order import RowOrder
from trainer.progress import Metrics, Progress, Stopwatch
from trainer.shards import open_dataset
from trainer.stop import Stop

#: Tokens of one forward pass, where the run doesn't say.
MICRO_TOKENS = {"cpu": 4096, "cuda": 65_536}
#: Tokens of a real text that a sample continues.
PROMPT_TOKENS = 16


@dataclass(frozen=True)
class Summary:
    """How a run ended: steps done, losses in nats per token (None: not measured), and the signal that stopped it early."""

    steps: int
    loss: float | None
    validation_loss: float | None
    unigram_loss: float | None
    stopped_by: str | None


class Trainer:
    """One run: building it opens and checks everything, `run` trains."""

    def __init__(self, config: RunConfig, progress: Progress | None = None) -> None:
        """Raises a TrainerError, one sentence, on anything that would spoil the run later."""
        self.config = config
        self.out = Path(config.out)
        self.device, self.dtype = _device(config), _dtype(config)
        self.data = open_dataset(config.data)
        self.rows_per_step, self.rows_per_batch = rows_per_step(config, self.data.seq_len), rows_per_batch(config, self.data.seq_len)
        self.held_out = self._open_validation()
        if config.verify:
            self.data.verify()
        self.text = find_decoder(config.tokenizer, self.data.folder, self.data.tokenizer_sha256) if config.sample_tokens else None
        self.order = RowOrder(self.data.digest, config.seed, len(self.data))
        self.optim = config.optimizer()
        self.model = Decoder(config.preset.model(self.data.vocab_size, self.data.seq_len), config.seed).to(self.device)
        self.optimizer = adamw(self.model, self.optim)
        self.done = self.saved = self._restore()
        self.unigram = unigram_loss(self.data, self.held_out, config.seed) if self.held_out else None
        self.progress = progress or Progress(config.steps, self.done, config.log_every)

    def run(self) -> Summary:
        """Train to the last step, or to the first signal that asks to stop; either way a checkpoint is left."""
        self._begin()
        loss = validated = None
        with Metrics(self.out / "metrics.jsonl", self.done) as metrics, Stop() as stop:
            while self.done < self.config.steps and not stop.signal:
                loss = self.step(metrics)
                if self.done == self.config.steps or self.done % self.config.eval_every == 0:
                    validated = self.validate(metrics)
                if self.config.save_every and self.done % self.config.save_every == 0:
                    self.save()
            if self.saved != self.done:
                self.save()
        if stop.signal:
            self.progress.say(f"stopped by {stop.signal} after step {self.done}, and saved: --resume continues exactly there")
        return Summary(self.done, loss, validated, self.unigram, stop.signal)

    def step(self, metrics: Metrics) -> float:
        """One optimizer step; returns its mean loss per target.

        Raises Diverged before the weights are touched when loss or gradient is not finite.
        """
        watch = Stopwatch()
        batches = step_batches(self.data, self.order, self.done, self.rows_per_step, self.rows_per_batch)
        targets = max(1, sum(batch.targets for batch in batches))
        total = sum(self._backward(batch, targets) for batch in batches)
        norm = clip(self.model, self.optim.clip)
        if not (math.isfinite(total) and math.isfinite(norm)):
            self._diverged(total, norm, [number for batch in batches for number in batch.numbers])
        rate = learning_rate(self.done, self.optim)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += 1
        tokens, seconds = self.rows_per_step * self.data.seq_len, watch.lap()
        metrics.write(self.done, loss=total, grad_norm=norm, lr=rate, targets=targets, tokens_per_second=round(tokens / seconds, 1))
        self.progress.step(self.done, total, tokens, seconds)
        return total

    def _backward(self, batch: Batch, targets: int) -> float:
        """Add the gradients of a micro-batch; returns its part of the step's loss."""
        loss = batch_loss(self.model, batch.to(self.device), self.dtype) / targets
        loss.backward()
        return float(loss.item())

    def validate(self, metrics: Metrics) -> float | None:
        """Measure the held-out rows, and let the model continue a text; returns the loss, None without validation data."""
        loss = None
        if self.held_out:
            loss = validation_loss(self.model, self.held_out, self.device, self.dtype)
            metrics.write(self.done, validation_loss=loss, unigram_loss=self.unigram)
            self.progress.say(f"step {self.done}  validation loss {loss:.4f}  (unigram {self.unigram:.4f})")
        if self.text:
            prompt, text = self.sample(self.text)
            metrics.write(self.done, prompt=prompt, sample=text)
            self.progress.say(f"step {self.done}  sample  {prompt!r} -> {text!r}")
        return loss

    def sample(self, decoder: TextDecoder) -> tuple[str, str]:
        """The beginning of the first held-out row (or training row), and what the model makes of it."""
        row = (self.held_out.data if self.held_out else self.data).rows([0])[0]
        prompt = row.tokens[: min(PROMPT_TOKENS, row.lengths[0])].tolist()
        ids = sample(self.model, prompt, self.config.sample_tokens, self.config.temperature, self.config.seed)
        return decoder(prompt), decoder(ids)

    def save(self) -> Path:
        """Write a checkpoint of the steps done."""
        self.saved = self.done
        return checkpoint.save(self.out / "checkpoints", self.done, self.model, self.optimizer, self.identity(), self.config.keep)

    def identity(self) -> dict[str, Any]:
        """What a run must share with a checkpoint to continue it: its data, their order, and the model."""
        shape = {f"model {name}": value for name, value in asdict(self.model.config).items()}
        order = {"seed": self.config.seed, "rows per step": self.rows_per_step}
        return {"dataset digest": self.data.digest, "tokenizer": self.data.tokenizer_sha256, **order, **shape}

    def _open_validation(self) -> HeldOut | None:
        if self.config.validation is None:
            return None
        held = open_dataset(self.config.validation)
        for name in ("tokenizer_sha256", "vocab_size", "seq_len"):
            here, there = getattr(self.data, name), getattr(held, name)
            if here != there:
                raise DataError(f"{held.folder} has {name} {there}, but {self.data.folder} has {here}: they must come from one pack stage")
        if held.digest == self.data.digest:
            raise DataError(f"{held.folder} holds the training data itself: give --validation the folder beside it")
        if self.config.verify:
            held.verify()
        rows = min(len(held), -(-self.config.eval_tokens // held.seq_len) or len(held))
        return HeldOut(held, rows, self.rows_per_batch)

    def _restore(self) -> int:
        found = checkpoint.every(self.out / "checkpoints")
        if not found:
            return 0
        if not self.config.resume:
            raise CheckpointError(f"{self.out} holds a run already ({found[-1].name}): pass --resume to continue it, or another --out")
        return checkpoint.load(found[-1], self.model, self.optimizer, self.identity())

    def _begin(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        facts = {"parameters": self.model.parameter_count(), "torch": torch.__version__, "threads": torch.get_num_threads()}
        told = {"run": asdict(self.config), "optimizer": asdict(self.optim), "identity": self.identity(), **facts}
        (self.out / "config.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
        self.progress.say(
            f"{self.config.model}: {facts['parameters']:,} parameters; {len(self.data):,} rows of {self.data.seq_len} tokens,"
            f" {self.rows_per_step} per step, {self.config.steps} steps on {self.device} in {str(self.dtype).removeprefix('torch.')}"
            + (f"; continuing after step {self.done}" if self.done else "")
        )
        if self.config.sample_tokens and not self.text:
            self.progress.say("no text samples: no tokenizer.json with the hash in the manifest lies near the dataset; pass --tokenizer")

    def _diverged(self, loss: float, norm: float, rows: list[int]) -> None:
        path = self.save()
        raise Diverged(
            f"step {self.done + 1}: loss {loss}, gradient norm {norm}, on rows {rows} of {self.data.folder};"
            f" the weights before it are in {path}: lower --lr and --resume, or look at these rows"
        )


def rows_per_step(config: RunConfig, seq_len: int) -> int:
    """Rows of an optimizer step; a preset's tokens are rounded up to whole rows, the user's must be."""
    if config.batch_tokens and config.batch_tokens % seq_len:
        raise ConfigError(f"--batch-tokens is {config.batch_tokens}: it must be a multiple of the dataset's row length, {seq_len}")
    return -(-(config.batch_tokens or config.preset.batch_tokens) // seq_len)


def rows_per_batch(config: RunConfig, seq_len: int) -> int:
    """Rows of one forward pass, at least one."""
    return max(1, (config.micro_tokens or MICRO_TOKENS[_device(config).type]) // seq_len)


def _device(config: RunConfig) -> torch.device:
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device is cuda, but torch sees no such device: install its CUDA build, or pass --device cpu")
    name = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _dtype(config: RunConfig) -> torch.dtype:
    name = config.dtype if config.dtype != "auto" else "bfloat16" if _device(config).type == "cuda" else "float32"
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
