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
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from trainer.errors import CheckpointError
from trainer.parallel import World

FORMAT = "tokenmill-checkpoint-2"
#: What reading a file that is not what it should be can raise; the first is no Exception.
DAMAGE = (CheckpointException, OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError)
OPTIONS = StateDictOptions(ignore_frozen_params=True, strict=False)


def save(
    folder: Path, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer, identity: Mapping[str, Any], keep: int, world: World
) -> Path:
    """Write the state after `step` steps, aside and then renamed, and remove all but the newest `keep` checkpoints."""
    path, aside = folder / f"step-{step:08d}", folder / f"writing-{step:08d}"
    if path.exists():
        return path
    if world.main:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
    world.wait()
    with _alone_is_fine():
        dcp.save(_state(model, optimizer), checkpoint_id=aside, no_dist=world.size == 1)
    if world.main:
        with (aside / "run.json").open("w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, "step": step, "identity": dict(identity)}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        for old in every(folder)[:-keep]:
            shutil.rmtree(old)
    world.wait()
    return path


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
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise CheckpointError(f"{path} can't be read ({reason[0]}): remove it to resume from the one before") from error


@contextmanager
def _alone_is_fine() -> Iterator[None]:
    """torch warns a single process that it is one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield
