"""The comparison of two corpora: what is refused, what is the same for all runs, and the table by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rows_kit import random_rows, write_dataset

from trainer import ablation as module
from trainer.ablation import Ablation, compare, last_bits, paired
from trainer.config import RunConfig
from trainer.errors import ConfigError, DataError

SEQ_LEN, VOCAB = 32, 60


@pytest.fixture
def asked(tmp_path: Path) -> Ablation:
    a, b, held = (
        write_dataset(tmp_path / name, random_rows(6, SEQ_LEN, VOCAB, seed), seq_len=SEQ_LEN, vocab_size=VOCAB)
        for seed, name in enumerate(("a", "b", "held"))
    )
    return Ablation(f"kept={a}", f"all={b}", str(held), str(tmp_path / "out"), steps=4, batch_tokens=64, lr=1e-3)


def test_the_table_by_hand(asked: Ablation) -> None:
    """Differences 1, 2 and 3 hundredths: mean .02, deviation .01, interval .02 ± 4.303 x .01 / sqrt(3)."""
    configs: list[RunConfig] = []

    def train(config: RunConfig) -> dict[str, float]:
        configs.append(config)
        return {"books": 2.0 + config.seed / 10 + (config.data.endswith("b") * (config.seed + 1)) / 100}

    table = compare(asked, train)
    line = next(line for line in table.splitlines() if line.startswith("| books"))
    assert line == "| books | 2.1000 ± 0.1000 | 2.1200 ± 0.1100 | +0.0200 ± 0.0100 | -0.0048 to +0.0448 |"
    assert "peak rate 0.001, 3 seeds" in table
    assert "kept: 192 tokens, 1.33 passes" in table
    same = {replace(config, data="", out="", seed=0) for config in configs}
    assert len(same) == 1
    assert [(Path(config.data).name, config.seed) for config in configs] == [(name, seed) for name in "ab" for seed in range(3)]
    told = json.loads((Path(asked.out) / "ablation.json").read_text("utf-8"))
    assert told["bits_per_byte"]["kept"][2] == {"books": 2.2}
    assert compare(asked, train) == table
    with pytest.raises(ConfigError, match="another steps"):
        compare(replace(asked, steps=5), train)
    (Path(asked.out) / "ablation.json").write_text('{"cut', "utf-8")
    with pytest.raises(DataError, match=r"ablation\.json can't be read"):
        compare(asked, train)


def test_the_interval_of_a_mean() -> None:
    mean, deviation, half = paired(np.array([1.0, 3.0]))
    assert (mean, deviation) == (2.0, pytest.approx(math.sqrt(2)))
    assert half == pytest.approx(12.706)


def test_unfair_comparisons_are_refused(asked: Ablation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: RunConfig) -> dict[str, float]:
        raise AssertionError("nothing is trained")

    with pytest.raises(DataError, match="nothing to compare"):
        compare(replace(asked, other=asked.base.replace("kept", "all")), never)
    other = write_dataset(tmp_path / "t", random_rows(6, SEQ_LEN, VOCAB), seq_len=SEQ_LEN, vocab_size=VOCAB, tokenizer_sha256="8" * 64)
    with pytest.raises(DataError, match="tokenizer_sha256"):
        compare(replace(asked, other=f"all={other}"), never)
    monkeypatch.setattr(module, "document_ids", lambda data: frozenset({"d1", data.digest} if data.folder.name != "a" else ()))
    with pytest.raises(DataError, match=r"b holds 1 documents of .*held, d1 among them"):
        compare(asked, never)
    assert not Path(asked.out).exists()


@pytest.mark.parametrize("changes", [{"seeds": 1}, {"seeds": 99}, {"other": "kept=x"}, {"base": "/only/a/path"}])
def test_a_comparison_has_two_names_and_a_spread(asked: Ablation, changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(asked, **changes)


def test_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command on the pack stage's shape of data: bits per byte need a tokenizer, and a run that is there is not run again."""
    pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
    import hashlib

    from eval_kit import write_tokenizer

    from trainer.__main__ import main

    sha = hashlib.sha256(write_tokenizer(tmp_path, 300).read_bytes()).hexdigest()
    names = ("a", "b", "held")
    folders = [
        write_dataset(tmp_path / name, random_rows(6, SEQ_LEN, 300, n), seq_len=SEQ_LEN, vocab_size=300, tokenizer_sha256=sha)
        for n, name in enumerate(names)
    ]
    told = ["ablation", "--base", f"a={folders[0]}", "--other", f"b={folders[1]}", "--validation", str(folders[2])]
    told += ["--out", str(tmp_path / "out"), "--steps", "2", "--batch-tokens", "64", "--seeds", "2", "--device", "cpu"]
    assert main(told) == 0
    first = capsys.readouterr().out
    assert "| unknown |" in first
    assert last_bits(tmp_path / "out" / "b-seed1" / "metrics.jsonl")["all"] > 0
    before = (tmp_path / "out" / "a-seed0" / "metrics.jsonl").read_text("utf-8")
    assert main(told) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "out" / "a-seed0" / "metrics.jsonl").read_text("utf-8") == before
