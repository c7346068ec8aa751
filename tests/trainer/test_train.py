# ruff: noqa: E402 - the trainer is imported only where torch is
"""The loop: it learns, it resumes bit for bit, it stops without loss, and it refuses what would spoil a run."""

from __future__ import annotations

import json
import math
import shutil
import signal
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rows_kit import random_rows, write_dataset

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from torch.utils._python_dispatch import TorchDispatchMode

from trainer import train as train_module
from trainer.__main__ import main
from trainer.checkpoint import load_weights
from trainer.config import PRESETS, RunConfig
from trainer.errors import CheckpointError, ConfigError, DataError, Diverged
from trainer.evaluate import HeldOut, unigram_loss
from trainer.model import Decoder
from trainer.order import RowOrder
from trainer.prefetch import ahead
from trainer.progress import Metrics
from trainer.shards import open_dataset
from trainer.train import Trainer

SEQ_LEN, VOCAB = 32, 60


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "train", random_rows(12, SEQ_LEN, VOCAB), seq_len=SEQ_LEN, vocab_size=VOCAB, rows_per_shard=5)


@pytest.fixture
def validation(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "validation", random_rows(3, SEQ_LEN, VOCAB, seed=1), seq_len=SEQ_LEN, vocab_size=VOCAB)


@pytest.fixture
def config(data: Path, tmp_path: Path) -> RunConfig:
    return RunConfig(
        data=str(data), out=str(tmp_path / "out"), steps=6, batch_tokens=4 * SEQ_LEN, lr=1e-3, save_every=2, keep=9, sample_tokens=0
    )


def events(out: str, key: str = "loss") -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (Path(out) / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [line for line in lines if key in line]


def losses(out: str) -> list[tuple[float, ...]]:
    """What must repeat bit for bit: everything but the speed."""
    return [(line["step"], line["loss"], line["grad_norm"], line["lr"], line["targets"]) for line in events(out)]


def weights(path: Path) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint of the test's run."""
    model = Decoder(PRESETS["debug"].model(VOCAB, SEQ_LEN), seed=9)
    load_weights(path, model)
    return model.state_dict()


def test_a_tiny_dataset_is_learnt_by_heart(config: RunConfig, validation: Path) -> None:
    summary = Trainer(replace(config, steps=80, lr=1e-2, validation=str(validation), eval_every=80, save_every=0)).run()
    assert events(config.out)[0]["loss"] == pytest.approx(math.log(VOCAB), rel=0.05)
    assert summary.loss is not None
    assert summary.loss < 1.0
    assert summary.validation_loss is not None
    assert summary.validation_loss > 3, "random tokens can't be foretold"


@pytest.mark.parametrize("micro_rows", [2, 1])
def test_micro_batches_of_any_size_make_the_same_steps(config: RunConfig, tmp_path: Path, micro_rows: int) -> None:
    """1 x 4 = 2 x 2 = 4 x 1 rows, though their counts of targets differ."""
    split = replace(config, out=str(tmp_path / "split"), micro_tokens=micro_rows * SEQ_LEN)
    Trainer(config).run()
    Trainer(split).run()
    np.testing.assert_allclose(losses(split.out), losses(config.out), rtol=2e-5)


def test_resume_is_exact(config: RunConfig, tmp_path: Path) -> None:
    Trainer(config).run()
    again = replace(config, out=str(tmp_path / "again"), resume=True)
    Trainer(again).run()
    for step in (5, 6):
        shutil.rmtree(Path(again.out) / "checkpoints" / f"step-{step:08d}", ignore_errors=True)
    second = Trainer(again)
    assert second.done == 4
    second.run()
    assert losses(again.out) == losses(config.out)
    one, other = (weights(Path(out) / "checkpoints" / "step-00000006") for out in (again.out, config.out))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_after_the_step_and_loses_nothing(
    config: RunConfig, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Trainer(config).run()
    handler = signal.getsignal(signal.SIGTERM)  # not always the system's: Ray, in an earlier test, sets one of its own
    stopped = replace(config, out=str(tmp_path / "stopped"), save_every=0, resume=True)
    step = Trainer.step

    def interrupted(self: Trainer, *args: object) -> float:
        if self.done == 2:
            signal.raise_signal(number)
        return step(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", interrupted)
        summary = Trainer(stopped).run()
    assert (summary.steps, summary.stopped_by) == (3, number.name)
    assert "--resume continues exactly there" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == handler
    Trainer(stopped).run()
    assert losses(stopped.out) == losses(config.out)


def test_a_signal_while_saving_waits_for_the_file(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    save = Trainer.save

    def signalled(self: Trainer) -> Path:
        path = save(self)
        signal.raise_signal(signal.SIGTERM)
        return path

    trainer = Trainer(config)
    monkeypatch.setattr(Trainer, "save", signalled)
    assert trainer.run().stopped_by == "SIGTERM"
    assert [path.name for path in (Path(config.out) / "checkpoints").iterdir()] == ["step-00000002"]


def test_a_loss_that_is_no_number_stops_before_the_weights_change(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(config)
    true_loss = train_module.batch_loss

    def broken(*args: object) -> torch.Tensor:
        return true_loss(*args) * (float("nan") if trainer.done == 3 else 1.0)

    monkeypatch.setattr(train_module, "batch_loss", broken)
    with pytest.raises(Diverged, match=r"step 4: loss nan.*rows \[\d+"):
        trainer.run()
    assert all(torch.isfinite(tensor).all() for tensor in weights(Path(config.out) / "checkpoints" / "step-00000003").values())


def test_old_checkpoints_are_removed(config: RunConfig) -> None:
    Trainer(replace(config, keep=2)).run()
    assert [path.name for path in sorted((Path(config.out) / "checkpoints").iterdir())] == ["step-00000004", "step-00000006"]


def test_a_finished_run_is_not_overwritten(config: RunConfig) -> None:
    Trainer(config).run()
    with pytest.raises(CheckpointError, match="pass --resume"):
        Trainer(config)
    assert Trainer(replace(config, resume=True)).run().steps == 6
    assert len(events(config.out)) == 6


def test_resume_refuses_another_run(config: RunConfig, tmp_path: Path) -> None:
    Trainer(config).run()
    resumed = replace(config, resume=True)
    other = write_dataset(tmp_path / "other", random_rows(12, SEQ_LEN, VOCAB, seed=5), seq_len=SEQ_LEN, vocab_size=VOCAB)
    for changed, told in (
        (replace(resumed, data=str(other)), "dataset digest"),
        (replace(resumed, seed=1), "with seed 0, not 1"),
        (replace(resumed, batch_tokens=SEQ_LEN), "with rows per step 4, not 1"),
        (replace(resumed, model="10m"), "model layers 4, not 6"),
    ):
        with pytest.raises(CheckpointError, match=told):
            Trainer(changed)
    same = write_dataset(
        tmp_path / "tok", random_rows(12, SEQ_LEN, VOCAB), seq_len=SEQ_LEN, vocab_size=VOCAB, rows_per_shard=5, tokenizer_sha256="8" * 64
    )
    with pytest.raises(CheckpointError, match="tokenizer 7777"):
        Trainer(replace(resumed, data=str(same)))


def test_a_damaged_checkpoint_is_named(config: RunConfig) -> None:
    Trainer(config).run()
    folder = Path(config.out) / "checkpoints" / "step-00000006"
    for path in (folder / "__0_0.distcp", folder / "run.json"):
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(CheckpointError, match=r"step-00000006 can't be read"):
            Trainer(replace(config, resume=True))


def test_validation_must_go_with_the_training_data(config: RunConfig, data: Path, tmp_path: Path) -> None:
    shorter = write_dataset(tmp_path / "short", random_rows(3, 16, VOCAB), seq_len=16, vocab_size=VOCAB)
    wider = write_dataset(tmp_path / "wide", random_rows(3, SEQ_LEN, 90), seq_len=SEQ_LEN, vocab_size=90)
    for folder, told in ((shorter, "seq_len 16"), (wider, "vocab_size 90"), (data, "the training data itself")):
        with pytest.raises(DataError, match=told):
            Trainer(replace(config, validation=str(folder)))


def test_steps_are_of_whole_rows(config: RunConfig) -> None:
    with pytest.raises(ConfigError, match="multiple of the dataset's row length, 32"):
        Trainer(replace(config, batch_tokens=100))


def test_the_unigram_loss_by_hand(tmp_path: Path) -> None:
    """Four training tokens over a vocabulary of three, each counted once more: p = 1/7, 4/7, 2/7. Padding is not counted."""
    train = open_dataset(write_dataset(tmp_path / "t", [[[1, 1, 1], [2]]], seq_len=6, vocab_size=3))
    held = open_dataset(write_dataset(tmp_path / "v", [[[0, 1, 2], [2, 2]]], seq_len=6, vocab_size=3))
    wanted = -(math.log(4 / 7) + 2 * math.log(2 / 7)) / 3
    assert unigram_loss(train, RowOrder(train.digest, 0, len(train)), HeldOut(held, 1, 1)) == pytest.approx(wanted)


def test_the_command_line(config: RunConfig, validation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--data", config.data, "--validation", str(validation), "--out", config.out, "--steps", "2", "--batch-tokens", "64"]
    assert main([*told, "--log-every", "1", "--verify"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert any("step 1/2  loss 4." in line and "tokens/s" in line and "left" in line for line in lines)
    assert any("step 2  validation loss" in line and "unigram" in line for line in lines)
    (event,) = events(config.out, "validation_loss")
    assert (event["step"], event["unigram_loss"] > 0) == (2, True)
    assert main(told) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert main(["--data", "nowhere", "--out", config.out]) == 1
    assert main(["--data", config.data, "--out", config.out, "--steps", "0"]) == 1
    assert "--steps is 0: it must be at least 1" in capsys.readouterr().err


def test_a_damaged_shard_is_refused_before_the_first_step(config: RunConfig, data: Path) -> None:
    shard = sorted(data.glob("*.arrow"))[1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"00001-of-00003\.arrow is damaged"):
        Trainer(config)
    assert not Path(config.out).exists()


def test_a_mixture_resumes_exactly(config: RunConfig, data: Path, tmp_path: Path) -> None:
    other = write_dataset(tmp_path / "other", random_rows(5, SEQ_LEN, VOCAB, seed=7), seq_len=SEQ_LEN, vocab_size=VOCAB)
    mixed = replace(config, data=f"{data}=0.7,{other}=0.3")
    Trainer(mixed).run()
    again = replace(mixed, out=str(tmp_path / "again"), resume=True)
    shutil.copytree(mixed.out, again.out)
    for step in (4, 6):
        shutil.rmtree(Path(again.out) / "checkpoints" / f"step-{step:08d}")
    Trainer(again).run()
    assert losses(again.out) == losses(mixed.out)
    with pytest.raises(CheckpointError, match="dataset digest"):
        Trainer(replace(again, data=f"{data}=0.6,{other}=0.4"))


def test_the_share_of_the_peak_in_both_conventions(config: RunConfig) -> None:
    Trainer(replace(config, steps=2, peak_tflops=1.0)).run()
    for line in events(config.out):
        assert 0 < line["mfu"] < line["mfu_palm"] < 1
        assert line["targets_per_second"] < line["tokens_per_second"]
    assert all("mfu" not in line for line in events(config.out) if line["step"] > 2)


def test_what_a_cpu_can_not_do_is_said(config: RunConfig) -> None:
    with pytest.raises(ConfigError, match="can't train through FlexAttention on a CPU"):
        Trainer(replace(config, attention="flex"))
    with pytest.raises(ConfigError, match="--compile goes with FlexAttention"):
        Trainer(replace(config, compile=True))


OPTIONS = [
    {"recompute": True}, {"window": 8}, {"qk_norm": True, "dtype": "bfloat16"}, {"untied": True}, {"schedule": "wsd"},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_train(config: RunConfig, options: dict[str, object]) -> None:
    Trainer(replace(config, **options, steps=12, lr=3e-3, save_every=0)).run()
    found = [line["loss"] for line in events(config.out)]
    assert found[0] == pytest.approx(math.log(VOCAB), rel=0.05)
    assert found[-1] < found[0] - 0.1


def test_batches_are_made_ahead_and_in_order() -> None:
    made: list[int] = []

    def make(step: int) -> int:
        made.append(step)
        if step == 8:
            raise DataError("row 8")
        return step * 10

    with closing(ahead(make, range(3, 12), depth=2)) as steps:
        assert [next(steps) for _ in range(5)] == [30, 40, 50, 60, 70]
        with pytest.raises(DataError, match="row 8"):
            next(steps)
    assert made == list(range(3, len(made) + 3))
    assert list(ahead(str, range(2, 2))) == []
    assert list(ahead(str, range(2, 3))) == ["2"]


class Waits(TorchDispatchMode):
    """Counts what makes a program wait for its GPU: numbers read back, and results whose size follows from values."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        masks = func is torch.ops.aten.index.Tensor and any(x is not None and x.dtype == torch.bool for x in args[1])
        if masks or func.overloadpacket.__name__ in ("_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2"):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_step_waits_for_the_device_only_at_its_end(config: RunConfig) -> None:
    """Nothing is read back in forward and backward; a whole step reads its norm and its loss."""
    trainer = Trainer(replace(config, micro_tokens=SEQ_LEN))
    batches = trainer.batches(0)
    assert len(batches) > 1
    with Waits() as inside:
        for batch in batches:
            trainer._backward(batch, 100.0, True)
    assert inside.found == []
    trainer.optimizer.zero_grad()
    Path(config.out).mkdir()
    with Waits() as whole, Metrics(Path(config.out) / "metrics.jsonl", 0, True) as metrics:
        trainer.step(metrics, batches)
    assert whole.found.count("aten._local_scalar_dense.default") == len(whole.found) == 2
