"""The training loop: everything checked before the first step, exact resume, and a stop that loses nothing."""

from __future__ import annotations

import json
import math
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainer import build, checkpoint, hf, lora, memory
from trainer.batch import Batch, split
from trainer.config import RunConfig
from trainer.decode import TextDecoder, find_decoder
from trainer.errors import CheckpointError, DataError, Diverged
from trainer.evaluate import Validation, unigram_loss
from trainer.flops import document_flops, palm_flops
from trainer.generate import Sampling, stream
from trainer.mixture import open_training
from trainer.optim import adamw, clip, learning_rate
from trainer.parallel import join
from trainer.prefetch import ahead
from trainer.progress import Metrics, Progress, Stopwatch
from trainer.stop import Stop

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
        self.config, self.out, self.stop = config, Path(config.out), Stop()
        self.world = join(config.device, config.parallel)
        self.dtype = build.product_type(config, self.world.device)
        self.data, self.order = open_training(config.data, config.seed)
        self._check_data()
        self.rows_per_step = build.rows_per_step(config, self.data.seq_len, self.world.size)
        self.rows_per_batch = build.rows_per_batch(config, self.data.seq_len, self.world.device)
        shape = build.model_shape(config, self.data)
        self.masking = build.masking_of(config, shape, self.data.seq_len, self.world.device)
        held_out = build.open_validation(config, self.data, self.rows_per_batch, self.masking)
        self.text = find_decoder(config.tokenizer, self.data.folder, self.data.tokenizer_sha256)
        self.optim = config.optimizer()
        self.first_weights = hf.digest(Path(config.init)) if config.init else None
        memory.check(config, shape, self.rows_per_batch * self.data.seq_len, self.world, self.dtype)
        self.model = build.build_model(config, shape, self.world)
        self.learner: nn.Module = self.world.spread(self.model, self.dtype)
        self.optimizer = adamw(self.model, self.optim)
        self.done = self.saved = self._restore()
        self.saver = checkpoint.Saver(self.out / "checkpoints", config.keep, self.world)
        self.validation = Validation(held_out, self.text) if held_out else None
        self.unigram = unigram_loss(self.data, self.order, held_out) if held_out else None
        self.peak = build.device_tflops(config, self.world.device)
        self.progress = progress or Progress(config.steps, self.done, config.log_every, shows=self.world.main)

    def run(self) -> Summary:
        """Train to the last step, or to the first signal that asks to stop; either way a checkpoint is left."""
        self._begin()
        loss = validated = None
        metrics = Metrics(self.out / "metrics.jsonl", self.done, self.world.main)
        with metrics, self.stop as stop, closing(ahead(self.batches, range(self.done, self.config.steps))) as steps:
            for batches in steps:
                loss = self.step(metrics, batches)
                self.saver.poll()
                if self.done == self.config.steps or self.done % self.config.eval_every == 0:
                    validated = self.validate(metrics)
                if self.config.save_every and self.done % self.config.save_every == 0:
                    self.save()
                if self.world.sums([stop.signal is not None])[0]:
                    stop.signal = stop.signal or "SIGTERM"  # which another process was sent
                    break
            if self.saved != self.done:
                self.save()
            self.saver.settle()
        if stop.signal:
            self.progress.say(f"stopped by {stop.signal} after step {self.done}, and saved: --resume continues exactly there")
        return Summary(self.done, loss, validated, self.unigram, stop.signal)

    def batches(self, step: int) -> list[Batch]:
        """This process's micro-batches of step 0, 1, ...: all processes' together are the same rows, however they are dealt."""
        numbers = self.world.part(self.order.at(step * self.rows_per_step, self.rows_per_step))
        made = split(self.data, numbers, self.rows_per_batch, self.masking)
        return [batch.pinned() if self.world.device.type == "cuda" else batch for batch in made]

    def step(self, metrics: Metrics, batches: list[Batch]) -> float:
        """One optimizer step; returns its mean loss per target.

        Raises Diverged before the weights are touched when loss or gradient is not finite.
        """
        watch = Stopwatch()
        flops = document_flops(self.model.config, [lengths for batch in batches for lengths in batch.pieces])
        targets, flops = self.world.sums([sum(batch.targets for batch in batches), flops]).tolist()
        if self.config.lora:
            torch.manual_seed((self.config.seed << 40) + (self.done << 12) + self.world.rank)  # of dropout: a function of the step
        parts = [self._backward(batch, max(1.0, targets), batch is batches[-1]) for batch in batches]
        norm = clip(self.model, self.optim.clip)  # read before the loss: one wait for the device, when all is on its way
        loss = float(self.world.sums([float(torch.stack(parts).sum())])[0])
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self._diverged(loss, norm, [number for batch in batches for number in batch.numbers])
        rate = learning_rate(self.done, self.optim)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += 1
        self._tell(metrics, loss, norm, rate, int(targets), flops, watch.lap())
        return loss

    def _backward(self, batch: Batch, targets: float, last: bool) -> torch.Tensor:
        """Add the gradients of a micro-batch; returns its part of the step's loss, still on the device."""
        with self.world.sharing(self.learner, last):
            loss = batch_loss(self.learner, batch.to(self.world.device), self.dtype) / targets
            (loss * self.world.size).backward()
        return loss.detach()

    def _tell(self, metrics: Metrics, loss: float, norm: float, rate: float, targets: int, flops: float, seconds: float) -> None:
        tokens = self.rows_per_step * self.data.seq_len
        speed = {"tokens_per_second": round(tokens / seconds, 1), "targets_per_second": round(targets / seconds, 1)}
        mfu = None
        if self.peak and not self.config.lora:  # frozen weights have no gradients: the conventions don't fit
            available = self.peak * 1e12 * seconds * self.world.size
            mfu = flops / available
            speed |= {"mfu": mfu, "mfu_palm": palm_flops(self.model.config, tokens, self.data.seq_len) / available}
        metrics.write(self.done, loss=loss, grad_norm=norm, lr=rate, targets=targets, **speed)
        self.progress.step(self.done, loss, tokens, seconds, mfu)

    def validate(self, metrics: Metrics) -> float | None:
        """Measure the held-out rows, and let the model continue a text; returns the loss, None without validation data."""
        loss = None
        if self.validation:
            scores = self.validation.scores(self.learner, self.world, self.dtype)
            loss = scores["all"].loss
            per_source = {name: {"loss": score.loss, "bits_per_byte": score.bits_per_byte} for name, score in scores.items()}
            metrics.write(self.done, validation_loss=loss, unigram_loss=self.unigram, sources=per_source)
            bits = scores["all"].bits_per_byte
            told = f", {bits:.4f} bits per byte" if bits else ""
            self.progress.say(f"step {self.done}  validation loss {loss:.4f}{told}  (unigram {self.unigram:.4f})")
        if self.text and self.config.sample_tokens and (self.world.size == 1 or self.config.parallel == "ddp"):
            prompt, text = self.sample(self.text)
            metrics.write(self.done, prompt=prompt, sample=text)
            self.progress.say(f"step {self.done}  sample  {prompt!r} -> {text!r}")
        return loss

    def sample(self, decoder: TextDecoder) -> tuple[str, str]:
        """The beginning of the first held-out row (or training row), and what the model makes of it."""
        row = (self.validation.held_out.data if self.validation else self.data).rows([0])[0]
        prompt = row.tokens[: min(PROMPT_TOKENS, row.lengths[0], self.data.seq_len - 1)].tolist()
        how = Sampling(self.config.temperature, seed=self.config.seed)
        self.model.eval()
        ids = list(stream(self.model, prompt, self.config.sample_tokens, how))
        self.model.train()
        return decoder(prompt), decoder(ids)

    def save(self) -> Path:
        """Begin to write a checkpoint of the steps done."""
        self.saved = self.done
        return self.saver.save(self.done, self.model, self.optimizer, self.identity())

    def identity(self) -> dict[str, Any]:
        """What a run must share with a checkpoint to continue it: its data, their order, and the model."""
        shape = {f"model {name}": value for name, value in asdict(self.model.config).items()}
        order = {"seed": self.config.seed, "rows per step": self.rows_per_step}
        adapter = lora.described(build.adapter_config(self.config)) if self.config.lora else {"adapter rank": 0}
        told = {"dataset digest": self.data.digest, "tokenizer": self.data.tokenizer_sha256, "first weights": self.first_weights}
        return {**told, **order, **shape, **adapter}

    def _check_data(self) -> None:
        unmasked = [shard.path for shard in self.data.shards if not shard.masked] if self.config.masked else []
        if unmasked:
            raise DataError(f"{unmasked[0]} doesn't say which tokens are targets: pack conversations, or train without --masked")
        if self.config.verify:
            self.data.verify()

    def _restore(self) -> int:
        found = checkpoint.every(self.out / "checkpoints")
        if not found:
            return 0
        if not self.config.resume:
            raise CheckpointError(f"{self.out} holds a run already ({found[-1].name}): pass --resume to continue it, or another --out")
        return checkpoint.load(found[-1], self.model, self.optimizer, self.identity(), self.world)

    def _begin(self) -> None:
        facts = {"parameters": self.model.parameter_count(), "torch": torch.__version__, "threads": torch.get_num_threads()}
        told = {"run": asdict(self.config), "optimizer": asdict(self.optim), "model": asdict(self.model.config), **facts}
        if self.world.main:
            self.out.mkdir(parents=True, exist_ok=True)
            (self.out / "config.json").write_text(json.dumps(told | {"processes": self.world.size}, indent=2) + "\n", "utf-8")
        where = f"{self.world.size} x {self.world.device.type}" if self.world.size > 1 else str(self.world.device)
        self.progress.say(
            f"{self.config.init or self.config.model}: {facts['parameters']:,} parameters; {len(self.data):,} rows of"
            f" {self.data.seq_len} tokens, {self.rows_per_step} per step, {self.config.steps} steps on {where}"
            f" in {str(self.dtype).removeprefix('torch.')}" + (f"; continuing after step {self.done}" if self.done else "")
        )
        if self.config.sample_tokens and not self.text:
            self.progress.say("no text samples: no tokenizer.json with the hash in the manifest lies near the dataset; pass --tokenizer")

    def _diverged(self, loss: float, norm: float, rows: list[int]) -> None:
        path = self.save()
        self.saver.settle()
        raise Diverged(
            f"step {self.done + 1}: loss {loss}, gradient norm {norm}, on rows {rows} of {self.data.folder};"
            f" the weights before it are in {path}: lower --lr and --resume, or look at these rows"
        )


def batch_loss(learner: nn.Module, batch: Batch, dtype: torch.dtype) -> torch.Tensor:
    """The summed loss of a batch, with matrix products in `dtype` (float32 or bfloat16); divide it by targets."""
    with torch.autocast(batch.tokens.device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        return learner(batch.tokens, batch.positions, batch.mask, batch.labels, places=batch.places)
