"""One process, or many under torchrun: who this one is, what it reads, and what it sums with the others.

Both ways of sharing a step leave the same gradients. DDP holds the model in every process, FSDP (torch's fully_shard) a shard of
each block and gathers a block while it works. torch averages gradients over processes; a loss that counts them all is therefore
multiplied by their number (`World.size`), and divided by the targets of all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import distributed, nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

from trainer.errors import ConfigError
from trainer.model import Decoder


@dataclass(frozen=True)
class World:
    """This process among the `size` processes of a run."""

    rank: int
    size: int
    device: torch.device
    mode: str = "ddp"

    @property
    def main(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def part(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """This process's rows of a step, whose number is a multiple of the processes'."""
        return np.split(numbers, self.size)[self.rank]

    def sums(self, values: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Each value summed over all processes, on the host: no device is waited for."""
        if self.size == 1:
            return np.asarray(values, dtype=np.float64)
        tensor = torch.as_tensor(values, dtype=torch.float64)
        distributed.all_reduce(tensor)
        return np.asarray(tensor.numpy())

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            distributed.barrier()

    def spread(self, model: Decoder, dtype: torch.dtype) -> nn.Module:
        """What to call in place of `model` in the step, on this process's device: itself, or a wrapper that shares its gradients."""
        if not model.embed_tokens.weight.is_meta:
            model.to(self.device)
        if self.size == 1:
            return model
        if self.mode == "ddp":
            return DistributedDataParallel(model, forward_sync_buffers=False)
        # Inputs of a block are left as they are: the rotary angles are among them, and need float32.
        policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
        for block in model.layers:
            fully_shard(block, mp_policy=policy)
        fully_shard(model, mp_policy=policy)
        if model.embed_tokens.weight.is_meta:
            model.to_empty(device=self.device)
            model.initialise()
        return model

    @contextmanager
    def sharing(self, learner: nn.Module, last: bool) -> Iterator[None]:
        """Gradients are shared only by the last micro-batch of a step."""
        if isinstance(learner, DistributedDataParallel) and not last:
            with learner.no_sync():
                yield
            return
        if self.size > 1 and self.mode == "fsdp":
            learner.set_requires_gradient_sync(last)
        yield

    def leave(self) -> None:
        """Part from the others."""
        if self.size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()


def join(device: str, mode: str) -> World:
    """The world that torchrun made, or this process alone."""
    kind = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device is cuda, but torch sees no such device: install its CUDA build, or pass --device cpu")
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(chosen)
    if size > 1 and not distributed.is_initialized():
        distributed.init_process_group("cuda:nccl,cpu:gloo" if kind == "cuda" else "gloo")
    return World(rank, size, chosen, mode)
