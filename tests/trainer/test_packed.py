"""The trainer on what the pack stage really writes: two readers, one made of bytes, and one that goes through Arrow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from packing_kit import Line, lognormal

pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from pipeline.shards.read import open_dataset as open_through_arrow
from trainer.config import RunConfig
from trainer.shards import open_dataset
from trainer.train import Trainer

SEQ_LEN = 64


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """Three sources in several shards, with held-out documents and one longer than many rows."""
    line = Line(tmp_path_factory.mktemp("line"), {"web": lognormal(300), "books": [3000, 20, 500], "code": lognormal(80, 40, 2)})
    line.mix({"web": 0.6, "books": 0.2, "code": 0.2}, {"books": 3.0, "code": 9.0}, shard_tokens=4000, tokens=12_000, holdout=0.1)
    line.pack(seq_len=SEQ_LEN, window=100)
    return line


def test_both_readers_see_the_same(packed: Line) -> None:
    ours, theirs = open_dataset(packed.train.url), open_through_arrow(packed.train)
    ours.verify()
    assert ours.digest == theirs.manifest.digest
    assert len(ours.shards) > 2
    rows = list(theirs.rows())
    assert len(ours) == len(rows)
    for mine, other in zip(ours.rows(np.arange(len(rows))), rows, strict=True):
        assert mine.tokens.tolist() == other.input_ids.tolist()
        assert mine.lengths.tolist() == other.seq_lengths.tolist()


def test_it_trains(packed: Line, tmp_path: Path) -> None:
    """Each token of the made-up documents follows from the one before it: a model soon knows more than frequencies."""
    train, validation = (str(packed.out.path(f"pack/{split}")) for split in ("train", "validation"))
    config = RunConfig(
        data=train,
        validation=validation,
        out=str(tmp_path / "out"),
        steps=60,
        batch_tokens=8 * SEQ_LEN,
        lr=1e-2,
        sample_tokens=4,
        verify=True,
    )
    summary = Trainer(config).run()
    assert summary.validation_loss is not None
    assert summary.unigram_loss is not None
    assert summary.validation_loss < summary.unigram_loss - 0.5
