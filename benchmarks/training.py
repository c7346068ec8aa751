"""Training: tokens per second and shares of the peak, with the loader and on batches that are at hand.

    python -m benchmarks.training [--data out/mix-v1/dataset/train] [--models 124m,360m,1b] [--steps 20] [--attention pieces] [--json]

On a GPU: 124m, 360m and 1b, blocks compiled, wall time, the peak of its data sheet. On a CPU: debug and 10m, CPU seconds of one
thread, because others may share the machine, and as the peak torch's own float32 product of 2,048 x 2,048 matrices, measured between
the rounds. Each round trains on what the loader brings, and then on the same batches again, which are at hand; what the loader costs is
the difference of the two sums. Compiled graphs are counted from the third step on: there should be none.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch

from benchmarks.machine import machine
from trainer.batch import Batch
from trainer.config import RunConfig
from trainer.errors import TrainerError
from trainer.flops import document_flops, palm_flops, peak_of
from trainer.prefetch import ahead
from trainer.progress import Metrics, Progress
from trainer.train import Trainer

#: Steps before anything counts: what is compiled is compiled in them.
WARM = 3
#: Turns of each kind.
ROUNDS = 4
#: Rows and columns of the product that a CPU is held to.
MATRIX = 2048
MODELS = {"cuda": "124m,360m,1b", "cpu": "debug,10m"}


@dataclass(frozen=True)
class Result:
    """One model. Shares are fractions of 1; `graphs` were compiled after the third step."""

    model: str
    parameters: int
    step_tokens: int
    tokens_per_second: float
    fixed_tokens_per_second: float
    loader_cost: float
    mfu: float | None
    mfu_palm: float | None
    tflops_of_peak: float | None
    graphs: int
    gigabytes: float


class Clock:
    """Seconds of a device: wall time of a GPU that has finished, CPU seconds of this process."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __call__(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def of(self, work: Callable[[], object]) -> float:
        before = self()
        work()
        return self() - before


def measure(config: RunConfig, steps: int) -> Result:
    """Train a new model for a few steps, again and again."""
    trainer = Trainer(config, Progress(config.steps, 0, config.steps, shows=False))
    device, clock = trainer.world.device, Clock(trainer.world.device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    loaded = fixed = flops = 0.0
    rates: list[float] = []
    with Metrics(Path(config.out) / "metrics.jsonl", 0, True) as metrics, closing(ahead(trainer.batches, range(config.steps))) as loader:
        for batches in islice(loader, WARM):
            trainer.step(metrics, batches)
        graphs = compiled()
        for _ in range(ROUNDS):
            rates.append(rate(device))
            seen: list[list[Batch]] = []
            loaded += clock.of(lambda: [trainer.step(metrics, kept(seen, found)) for found in islice(loader, steps)])  # noqa: B023
            fixed += clock.of(lambda: [trainer.step(metrics, found) for found in seen])  # noqa: B023
            flops += document_flops(trainer.model.config, [lengths for found in seen for batch in found for lengths in batch.pieces])
    tokens = trainer.rows_per_step * trainer.data.seq_len
    peak = rate_of_peak(device, rates)
    count = ROUNDS * steps * tokens
    return Result(
        model=config.model, parameters=trainer.model.parameter_count(), step_tokens=tokens, tokens_per_second=count / loaded,
        fixed_tokens_per_second=count / fixed, loader_cost=loaded / fixed - 1, mfu=peak and flops / loaded / peak,
        mfu_palm=peak and palm_flops(trainer.model.config, count, trainer.data.seq_len) / loaded / peak,
        tflops_of_peak=peak and peak / 1e12, graphs=compiled() - graphs, gigabytes=memory(device) / 1e9,
    )  # fmt: skip


def kept(seen: list[list[Batch]], batches: list[Batch]) -> list[Batch]:
    """The batches, now in `seen` too."""
    seen.append(batches)
    return batches


def rate(device: torch.device) -> float:
    """FLOP/s of torch's product of two matrices on a CPU, the best of three; 0 on a GPU, whose data sheet counts."""
    if device.type == "cuda":
        return 0.0
    left, right = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    return 2.0 * MATRIX**3 / min(Clock(device).of(lambda: left @ right) for _ in range(3))


def rate_of_peak(device: torch.device, rates: Sequence[float]) -> float | None:
    """FLOP/s that the shares are shares of; None for a GPU that isn't known."""
    if device.type == "cpu":
        return max(rates)
    known = peak_of(torch.cuda.get_device_name(device))
    return known and known * 1e12


def compiled() -> int:
    """Graphs that torch has compiled so far in this process."""
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def memory(device: torch.device) -> int:
    """Bytes at the most: of this model's tensors on a GPU, of the process up to now on a CPU."""
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def table(results: Sequence[Result]) -> str:
    lines = ["| model | parameters | tokens per step | tokens/s | batches at hand | loader | MFU | MFU (PaLM) | graphs after step 3 | GB |"]
    lines += ["|---|---|---|---|---|---|---|---|---|---|"]
    for found in results:
        mfu, palm = ("" if share is None else f"{share:.1%}" for share in (found.mfu, found.mfu_palm))
        lines.append(
            f"| {found.model} | {found.parameters / 1e6:,.1f} M | {found.step_tokens:,} | {found.tokens_per_second:,.0f} |"
            f" {found.fixed_tokens_per_second:,.0f} | {found.loader_cost:+.1%} | {mfu} | {palm} | {found.graphs} | {found.gigabytes:.2f} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description="Speed of training on packed shards.")
    parser.add_argument("--data", default="out/mix-v1/dataset/train", help="packed training shards")
    parser.add_argument("--models", default=MODELS["cuda" if cuda else "cpu"], help="presets, parted by commas")
    parser.add_argument("--steps", type=int, default=10 if cuda else 3, help=f"steps of a round, of which each kind has {ROUNDS}")
    parser.add_argument("--micro-tokens", type=int, help="tokens of a forward pass")
    parser.add_argument("--batch-tokens", type=int, help="tokens of a step (default: the preset's)")
    parser.add_argument("--attention", default="auto", choices=("auto", "pieces", "flex"))
    parser.add_argument("--no-compile", action="store_true", help="on a GPU, don't compile blocks")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if not cuda:
        torch.set_num_threads(1)
    results = []
    for name in options.models.split(","):
        with tempfile.TemporaryDirectory() as out:
            config = RunConfig(
                data=options.data, out=out, model=name, steps=WARM + ROUNDS * options.steps, sample_tokens=0, save_every=0, verify=False,
                batch_tokens=options.batch_tokens, micro_tokens=options.micro_tokens, attention=options.attention,
                compile=cuda and not options.no_compile,
            )  # fmt: skip
            try:
                results.append(measure(config, options.steps))
            except TrainerError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
    if options.json:
        print(json.dumps([asdict(found) for found in results], indent=2))
        return 0
    print(f"{torch.cuda.get_device_name() if cuda else machine()}, torch {torch.__version__}", end="")
    print(
        ""
        if cuda or not results
        else f"; one thread, {max(found.tflops_of_peak or 0 for found in results) * 1e3:,.0f} GFLOP/s in torch's product"
    )
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
