"""Checkpoints: one file each, whole or absent, with all that the next step depends on.

The order of rows is a pure function of (digest, seed, sample), so the state of the data is one number, the step.
`identity` says what run a checkpoint belongs to; a run that would read other rows, or in another order, is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from trainer.errors import CheckpointError

FORMAT = "tokenmill-checkpoint-1"


def save(folder: Path, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer, identity: Mapping[str, Any], keep: int) -> Path:
    """Write the state after `step` steps, aside and then renamed, and remove all but the newest `keep` checkpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.pt"
    aside = path.with_suffix(".writing")
    state = {"format": FORMAT, "step": step, "identity": dict(identity), "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    with aside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    for old in every(folder)[:-keep]:
        old.unlink()
    return path


def every(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(folder.glob("step-*.pt"))


def load(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, identity: Mapping[str, Any]) -> int:
    """Restore model and optimizer in place; returns the number of steps done.

    Raises CheckpointError when the file can't be read or its run differs in any entry of `identity`.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        known = state["format"] == FORMAT
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError) as error:
        raise CheckpointError(f"{path} can't be read ({error}): remove it to resume from the one before") from error
    if not known:
        raise CheckpointError(f"{path} is of another format than {FORMAT}")
    for name, now in identity.items():
        if (then := state["identity"].get(name)) != now:
            raise CheckpointError(f"{path} is of a run with {name} {then}, not {now}: resume with what it had, or choose another --out")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
