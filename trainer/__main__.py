"""The command line: one flag per field of RunConfig, `python -m trainer --data ... --out ...`."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from types import NoneType
from typing import Any, get_args, get_type_hints

from trainer.config import PRESETS, RunConfig
from trainer.errors import TrainerError


def parser() -> argparse.ArgumentParser:
    """A parser of RunConfig's fields."""
    made = argparse.ArgumentParser(prog="python -m trainer", description="Train a small language model on packed shards.", epilog=_sizes())
    hints = get_type_hints(RunConfig)
    for item in dataclasses.fields(RunConfig):
        kind = next(kind for kind in (*get_args(hints[item.name]), hints[item.name]) if kind is not NoneType)
        required = item.default is dataclasses.MISSING
        text = item.metadata["help"] + ("" if required or item.default in (None, False) else f" (default: {item.default})")
        how: dict[str, Any] = {"action": "store_true"} if kind is bool else {"type": kind, "choices": item.metadata["choices"]}
        made.add_argument(
            f"--{item.name.replace('_', '-')}", required=required, default=None if required else item.default, help=text, **how
        )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; returns 0, 1 after an error that was told in one sentence, or 128 + the number of the signal that stopped it."""
    options = vars(parser().parse_args(arguments))
    try:
        config = RunConfig(**options)
        if importlib.util.find_spec("torch") is None:
            raise TrainerError("torch is not installed: pip install -r requirements/train.txt")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads sleep while they wait: see docs/trainer.md, Measured
        from trainer.train import Trainer  # only now: torch reads the variable when it is loaded, and --help does without it

        summary = Trainer(config).run()
    except TrainerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 128 + signal.Signals[summary.stopped_by] if summary.stopped_by else 0


def _values(item: dataclasses.Field[Any], kind: type) -> dict[str, Any]:
    """What stands for a flag's value in the help: its choices, or a letter for a number, or its own name."""
    choices = item.metadata["choices"]
    return {"choices": choices} if choices else {"metavar": "N" if kind in (int, float) else "PATH"}


def _sizes() -> str:
    shapes = (f"{name}: {p.layers} layers, {p.width} wide, lr {p.lr}, {p.batch_tokens} tokens a step" for name, p in PRESETS.items())
    return "Models: " + "; ".join(shapes) + "."


if __name__ == "__main__":
    sys.exit(main())
