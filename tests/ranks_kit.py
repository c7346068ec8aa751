"""Run as a program: one process of several, which trains each of the runs that a file lists (torchrun sets the same variables)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def train_on(ranks: int, configs: Sequence[object], folder: Path) -> None:
    """Train the runs one after the other, each on `ranks` gloo processes of one thread."""
    runs = folder / "runs.json"
    runs.write_text(json.dumps([asdict(config) for config in configs]), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(runs)], env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE, text=True,
        )
        for rank in range(ranks)
    ]  # fmt: skip
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert all(process.returncode == 0 for process in processes), "\n".join(told)


def main() -> None:
    from trainer.config import RunConfig
    from trainer.train import Trainer

    for options in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        trainer = Trainer(RunConfig(**options))
        trainer.run()
    trainer.world.leave()


if __name__ == "__main__":
    main()
