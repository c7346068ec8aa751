"""Checkpoints: a folder each, whole or absent, with all that the next step depends on.

The order of rows is a pure function of (digest, seed, sample), so the state of the data is one number, the step.
`identity` says what run a checkpoint belongs to; a run that would read other rows, or in another order, is refused.
Tensors are written by torch.distributed.checkpoint, each process its own: any number of processes can read what any other wrote.
Weights that are frozen are not in it.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import distributed
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from trainer.errors import CheckpointError
from trainer.parallel import World

FORMAT = "tokenmill-checkpoint-2"
#: What reading a file that is not what it should be can raise; the first is no Exception.
DAMAGE = (CheckpointException, OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError)
OPTIONS = StateDictOptions(ignore_frozen_params=True, strict=False)


class Saver:
    """Writes checkpoints while training goes on: the state is copied, and a thread writes the copy.

    One at a time: the next waits for the one before. A checkpoint is there, whole, once it is renamed; that happens at the first
    `poll` after its last byte. With several processes the writers speak to one another in a group of their own, so that they never
    answer each other's questions about gradients.
    """

    def __init__(self, folder: Path, keep: int, world: World) -> None:
        self._folder, self._keep, self._world = folder, keep, world
        self._group = distributed.new_group(backend="gloo") if world.size > 1 else None
        self._writing: tuple[Path, Path, dict[str, Any], Future[Any]] | None = None
        if world.main:
            for left in folder.glob("writing-*"):  # by a run that was killed
                shutil.rmtree(left)

    def save(self, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer, identity: Mapping[str, Any]) -> Path:
        """Begin to write the state after `step` steps; all but the newest `keep` checkpoints go once it is there."""
        self.settle()
        path, aside = self._folder / f"step-{step:08d}", self._folder / f"writing-{step:08d}"
        if path.exists():
            return path
        if self._world.main:
            with _writable(path):
                aside.mkdir(parents=True)
        self._world.wait()
        run = {"format": FORMAT, "step": step, "identity": dict(identity)}
        with _writable(path):
            future = dcp.async_save(_state(model, optimizer), checkpoint_id=aside, process_group=self._group, no_dist=self._group is None)
        self._writing = (path, aside, run, cast("Future[Any]", future))
        return path

    def poll(self) -> None:
        """Give the checkpoint that is being written its name, if it is written; raises CheckpointError when it couldn't be."""
        if self._writing is None or not self._writing[3].done():
            return
        path, aside, run, future = self._writing
        self._writing = None
        with _writable(path):
            future.result()
            if self._world.main:
                _finish(path, aside, run)
                for old in every(self._folder)[: -self._keep]:
                    shutil.rmtree(old)

    def settle(self) -> None:
        """Wait until what is being written is there, for every process."""
        if self._writing is not None:
            wait([self._writing[3]])
            self.poll()
            self._world.wait()


def _finish(path: Path, aside: Path, run: Mapping[str, Any]) -> None:
    with (aside / "run.json").open("w", encoding="utf-8") as file:
        json.dump(run, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise CheckpointError(
            f"{path} can't be written ({_last_line(error)}): the checkpoints before it are whole; make room and --resume"
        ) from error


def _last_line(error: BaseException) -> str:
    """torch tells of a failure with the traceback of each process: its last line says what happened."""
    lines = [line for line in str(error).splitlines() if len(line) > 1]
    return lines[-1].strip() if lines else type(error).__name__


def every(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(folder.glob("step-*"))


def load(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, identity: Mapping[str, Any], world: World) -> int:
    """Restore model and optimizer in place; returns the number of steps done.

    Raises CheckpointError when it can't be read or its run differs in any entry of `identity`.
    """
    told = read_run(path)
    for name, now in identity.items():
        if (then := told["identity"].get(name)) != now:
            raise CheckpointError(f"{path} is of a run with {name} {then}, not {now}: resume with what it had, or choose another --out")
    state = _state(model, optimizer)
    _read(path, state, world)
    set_state_dict(model, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"], options=OPTIONS)
    return int(told["step"])


def load_weights(path: Path, model: torch.nn.Module) -> None:
    """Restore the weights that a checkpoint holds, in one process: for exports and generation."""
    state = {"model": {name: value for name, value in model.state_dict().items() if model.get_parameter(name).requires_grad}}
    _read(path, state, World(0, 1, torch.device("cpu")))
    model.load_state_dict(state["model"], strict=False)


def read_run(path: Path) -> dict[str, Any]:
    """The step and identity of a checkpoint."""
    try:
        told = json.loads((path / "run.json").read_text("utf-8"))
        known = told["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} can't be read ({error}): remove it to resume from the one before") from error
    if not known:
        raise CheckpointError(f"{path} is of another format than {FORMAT}")
    return dict(told)


def _state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    weights, moments = get_state_dict(model, optimizer, options=OPTIONS)
    return {"model": weights, "optimizer": moments}


def _read(path: Path, state: dict[str, Any], world: World) -> None:
    try:
        with _alone_is_fine():
            dcp.load(state, checkpoint_id=path, no_dist=world.size == 1)
    except DAMAGE as error:
        raise CheckpointError(f"{path} can't be read ({_last_line(error)}): remove it to resume from the one before") from error


@contextmanager
def _alone_is_fine() -> Iterator[None]:
    """torch warns a single process that it is one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield
