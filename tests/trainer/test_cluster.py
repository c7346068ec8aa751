# ruff: noqa: E402 - the trainer is imported only where torch is
"""Two processes placed by Ray against one process here: the same steps, a stop that saves, errors in one sentence."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rows_kit import random_rows, write_dataset

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
pytest.importorskip("safetensors", reason="the trainer needs safetensors: pip install -r requirements/train.txt")
ray = pytest.importorskip("ray", reason="--ray needs Ray: pip install ray")

from trainer import cluster
from trainer.config import RunConfig
from trainer.errors import ConfigError, DataError, TrainerError
from trainer.train import Trainer

SEQ_LEN, VOCAB = 32, 60
TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def on_ray() -> Iterator[None]:
    """One Ray for all tests: each start takes seconds."""
    before = os.environ.pop("RAY_ADDRESS", None)
    cluster._begin(RunConfig(data="", out="", ray=2))
    yield
    ray.shutdown()
    if before:
        os.environ["RAY_ADDRESS"] = before


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    data = write_dataset(tmp_path / "train", random_rows(12, SEQ_LEN, VOCAB), seq_len=SEQ_LEN, vocab_size=VOCAB)
    return RunConfig(
        data=str(data), out=str(tmp_path / "one"), steps=4, batch_tokens=4 * SEQ_LEN, micro_tokens=SEQ_LEN, lr=1e-3, sample_tokens=0,
        save_every=2,
    )  # fmt: skip


def losses(run: RunConfig) -> list[float]:
    lines = [json.loads(line) for line in (Path(run.out) / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [line[key] for line in lines if "loss" in line for key in ("step", "loss", "targets")]


@pytest.mark.usefixtures("on_ray")
def test_processes_of_ray_make_the_steps_of_one(config: RunConfig, tmp_path: Path) -> None:
    Trainer(config).run()
    both = replace(config, out=str(tmp_path / "both"), ray=2)
    summary = cluster.train(both)
    assert summary.steps == 4
    assert losses(both) == pytest.approx(losses(config), rel=TOLERANCE)
    assert json.loads((tmp_path / "both" / "config.json").read_text("utf-8"))["processes"] == 2
    resumed = replace(both, steps=6, schedule="constant", resume=True)
    assert cluster.train(resumed).steps == 6


@pytest.mark.usefixtures("on_ray")
def test_a_stop_reaches_every_process(config: RunConfig, tmp_path: Path) -> None:
    """SIGTERM to the one who launched: all finish the same step, and it is saved."""
    run = replace(config, out=str(tmp_path / "long"), steps=100_000, save_every=0, ray=2)

    def stop() -> None:
        while not (tmp_path / "long" / "metrics.jsonl").is_file():
            time.sleep(0.1)
        os.kill(os.getpid(), 15)

    threading.Thread(target=stop, daemon=True).start()
    summary = cluster.train(run)
    assert summary.stopped_by == "SIGTERM"
    assert 0 < summary.steps < 100_000
    assert [path.name for path in (tmp_path / "long" / "checkpoints").iterdir()] == [f"step-{summary.steps:08d}"]


@pytest.mark.usefixtures("on_ray")
def test_errors_are_the_trainers_own(config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing"):
        cluster.train(replace(config, data=str(tmp_path / "nothing"), ray=1))
    with pytest.raises(ConfigError, match="and each process takes one"):
        cluster.train(replace(config, ray=999))


@pytest.mark.usefixtures("on_ray")
def test_a_process_that_dies_is_told(config: RunConfig, tmp_path: Path) -> None:
    """And not what the other one makes of it."""
    members = [ray.remote(cluster.Member).options(max_concurrency=2, num_cpus=1).remote() for _ in range(2)]

    def kill() -> None:
        while not (tmp_path / "long" / "metrics.jsonl").is_file():
            time.sleep(0.1)
        ray.kill(members[1])

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(TrainerError, match="a process of the run died"):
        cluster._run(replace(config, out=str(tmp_path / "long"), steps=100_000, save_every=0), members)


def test_paths_are_absolute_and_a_member_launches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = cluster.everywhere(RunConfig(data="a=0.5,b/c=0.5", out="out", ray=2))
    assert (found.data, found.out, found.ray) == (f"{tmp_path}/a=0.5,{tmp_path}/b/c=0.5", f"{tmp_path}/out", 0)
    assert cluster.everywhere(RunConfig(data="a,b", out="out")).data == f"{tmp_path}/a,b"
