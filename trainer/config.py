"""What a run is: the model's shape, the optimizer's numbers and the run's options, each default written once.

Every field of RunConfig is a flag of the command line; its help stands beside its default.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer.errors import ConfigError

#: Rows of the embedding are padded to a multiple of this: matrix kernels like it, and later so does sharding.
VOCAB_MULTIPLE = 128

SCHEDULES = ("cosine", "linear", "wsd", "inverse-sqrt", "constant")
DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("auto", "float32", "bfloat16")
ATTENTION = ("auto", "pieces", "flex")
PARALLEL = ("ddp", "fsdp")
#: Matrices that an adapter can be put on.
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a decoder.

    `width` is the residual stream's, `ffn` the hidden width of SwiGLU, `context` the longest row, `window` how many tokens one sees
    (0: all before it); `tied` makes the embedding the head's matrix, `qk_norm` norms queries and keys per head.
    """

    vocab_size: int
    context: int
    layers: int
    width: int
    heads: int
    kv_heads: int
    ffn: int
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    tied: bool = True
    qk_norm: bool = False
    window: int = 0

    def __post_init__(self) -> None:
        if self.width % self.heads or self.heads % self.kv_heads or self.head_size % 2:
            raise ConfigError(
                f"{self.width} wide with {self.heads} heads and {self.kv_heads} key heads: they must divide, into an even head"
            )

    @property
    def head_size(self) -> int:
        return self.width // self.heads

    @property
    def padded_vocab(self) -> int:
        """Rows of the embedding: the vocabulary rounded up to a multiple of VOCAB_MULTIPLE."""
        return -(-self.vocab_size // VOCAB_MULTIPLE) * VOCAB_MULTIPLE


@dataclass(frozen=True)
class Preset:
    """A model's shape without its vocabulary, and the recipe that goes with its size; no `warmup`: a tenth of the steps, at most 1000."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    ffn: int
    lr: float
    batch_tokens: int
    tied: bool = True
    schedule: str = "cosine"
    warmup: int | None = None

    def model(self, vocab_size: int, context: int, **options: Any) -> ModelConfig:
        """The model of this preset for a dataset's vocabulary and row length."""
        shape = (self.layers, self.width, self.heads, self.kv_heads, self.ffn)
        return ModelConfig(vocab_size, context, *shape, **{"tied": self.tied, **options})


#: debug trains in minutes on two cores, 10m has ten million parameters beside its embedding, 124m is as large as the smallest GPT-2,
#: 7b has the shape of the first Llama.
PRESETS: Mapping[str, Preset] = {
    "debug": Preset(layers=4, width=128, heads=4, kv_heads=2, ffn=384, lr=2e-3, batch_tokens=4096),
    "10m": Preset(layers=6, width=384, heads=6, kv_heads=2, ffn=1024, lr=1e-3, batch_tokens=16_384),
    "124m": Preset(layers=12, width=768, heads=12, kv_heads=12, ffn=2048, lr=6e-4, batch_tokens=524_288),
    "360m": Preset(layers=24, width=1024, heads=16, kv_heads=16, ffn=2816, lr=4e-4, batch_tokens=524_288),
    "1b": Preset(layers=16, width=2048, heads=16, kv_heads=8, ffn=8192, lr=3e-4, batch_tokens=1_048_576),
    "7b": Preset(
        layers=32, width=4096, heads=32, kv_heads=32, ffn=11_008, lr=3e-4, batch_tokens=4_194_304,
        tied=False, schedule="inverse-sqrt", warmup=2000,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class OptimConfig:
    """AdamW and its learning rate: linear warm-up over `warmup` steps, then `schedule`.

    cosine, linear and wsd end at `floor` x `lr`; wsd falls during the last `cooldown` of all steps.
    """

    lr: float
    steps: int
    warmup: int
    schedule: str = "cosine"
    floor: float = 0.1
    cooldown: float = 0.2
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    decay: float = 0.1
    clip: float = 1.0


def option(text: str, default: Any = dataclasses.MISSING, choices: tuple[str, ...] | None = None) -> Any:
    """A field that is also a flag of the command line, with its help."""
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class RunConfig:
    """The options of a run. None stands for what the preset, or the dataset, says."""

    data: str = option("folder of packed training shards (holds manifest.json), or several with weights: A=0.7,B=0.3")
    out: str = option("folder for metrics, samples and checkpoints")
    validation: str | None = option("folder of packed validation shards", None)
    tokenizer: str | None = option("tokenizer.json, for text samples (default: the one in the dataset's folder or above it)", None)
    model: str = option("size of the model", "debug", tuple(PRESETS))
    init: str | None = option("folder in the Hugging Face format to take model and weights from, in place of --model", None)
    untied: bool = option("give the model a head of its own", False)
    qk_norm: bool = option("norm queries and keys", False)
    window: int = option("tokens that a token sees, itself included (0: all of its document before it)", 0)
    lora: int = option("rank of low-rank adapters, trained in place of the weights (0: train the weights)", 0)
    lora_alpha: float = option("adapters count alpha / rank times", 32.0)
    lora_dropout: float = option("share of an adapter's inputs that is left out at random", 0.1)
    lora_targets: str = option("matrices that get an adapter", "q_proj,v_proj")
    masked: bool = option("demand that the training shards say which tokens are targets", False)
    steps: int = option("optimizer steps", 300)
    batch_tokens: int | None = option("tokens per step, a multiple of the row length (default: the preset's)", None)
    micro_tokens: int | None = option(
        "tokens per forward pass; gradients are summed over the step (default: 4096 on cpu, 65536 on cuda)", None
    )
    lr: float | None = option("peak learning rate (default: the preset's)", None)
    schedule: str | None = option("learning rate after the warm-up (default: the preset's, cosine but for 7b)", None, (*SCHEDULES,))
    warmup: int | None = option("steps of linear warm-up (default: the preset's, or a tenth of the steps, at most 1000)", None)
    seed: int = option("seed of the first weights and of the order of rows", 0)
    eval_every: int = option("steps between validations; there is always one at the end", 100)
    eval_tokens: int = option("tokens of a validation, from the first rows on (0: all)", 32_768)
    save_every: int = option("steps between checkpoints; there is always one at the end (0: only that one)", 100)
    keep: int = option("checkpoints to keep", 2)
    log_every: int = option("steps between lines where there is no terminal for a bar", 10)
    sample_tokens: int = option("tokens of the text sample after each validation (0: none)", 48)
    temperature: float = option("temperature of samples (0: greedy)", 0.8)
    resume: bool = option("continue from the newest checkpoint in OUT, if there is one", False)
    verify: bool = option("check the SHA-256 of every shard before the first step (some .6 GB/s)", True)
    device: str = option("where to train", "auto", DEVICES)
    dtype: str = option("type of matrix products (auto: float32 on cpu, bfloat16 on cuda); weights and sums are float32", "auto", DTYPES)
    attention: str = option("per piece of a document, or FlexAttention (auto: flex on cuda)", "auto", ATTENTION)
    ray: int = option("processes that Ray starts, on the cluster of RAY_ADDRESS or here (0: this one, or those of torchrun)", 0)
    parallel: str = option("with several processes: copies of the model, or one model in shards", "ddp", PARALLEL)
    compile: bool = option("compile each block with torch.compile (with FlexAttention alone)", False)
    recompute: bool = option("compute activations again going backward: less memory, more time", False)
    peak_tflops: float | None = option("dense TFLOP/s of one device, for MFU (default: known for A100, H100, H200, B200)", None)

    def __post_init__(self) -> None:
        """Raises ConfigError on a value out of its bounds."""
        for name in ("steps", "eval_every", "log_every", "keep"):
            _demand(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("save_every", "eval_tokens", "sample_tokens", "seed", "temperature", "window", "lora", "lora_dropout", "ray"):
            _demand(name, getattr(self, name), getattr(self, name) >= 0, "at least 0")
        for name in ("batch_tokens", "micro_tokens", "lr"):
            _demand(name, getattr(self, name), getattr(self, name) is None or getattr(self, name) > 0, "more than 0")
        for item in dataclasses.fields(self):
            choices = item.metadata["choices"]
            value = getattr(self, item.name)
            _demand(item.name, value, choices is None or value is None or value in choices, f"one of {', '.join(choices or ())}")
        known = all(name in PROJECTIONS for name in self.projections)
        _demand("lora_targets", self.lora_targets, known, f"some of {','.join(PROJECTIONS)}")

    @property
    def preset(self) -> Preset:
        return PRESETS[self.model]

    @property
    def projections(self) -> tuple[str, ...]:
        """The matrices that get an adapter."""
        return tuple(self.lora_targets.split(","))

    def optimizer(self) -> OptimConfig:
        """The optimizer's numbers, with the preset's where the run says nothing."""
        warmup = self.preset.warmup if self.warmup is None else self.warmup
        warmup = min(1000, max(1, self.steps // 10)) if warmup is None else warmup
        return OptimConfig(lr=self.lr or self.preset.lr, steps=self.steps, warmup=warmup, schedule=self.schedule or self.preset.schedule)


def _demand(name: str, value: object, holds: bool, bound: str) -> None:
    if not holds:
        raise ConfigError(f"--{name.replace('_', '-')} is {value}: it must be {bound}")
