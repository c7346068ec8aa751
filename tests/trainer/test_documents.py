"""Which documents a step is made of, and how well a model foretells each source: on what the pack stage really writes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from packing_kit import Line, ids_of, lognormal

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer import documents as documents_module  # noqa: E402
from trainer.__main__ import main  # noqa: E402
from trainer.attention import Masking  # noqa: E402
from trainer.config import RunConfig  # noqa: E402
from trainer.decode import TextDecoder  # noqa: E402
from trainer.documents import piece_sources, pieces_of  # noqa: E402
from trainer.evaluate import HeldOut, Validation  # noqa: E402
from trainer.parallel import World  # noqa: E402
from trainer.shards import PackedDataset, open_dataset  # noqa: E402
from trainer.train import Trainer  # noqa: E402

SEQ_LEN, VOCAB = 64, 1000


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pack stage: three sources, one of them of long documents."""
    line = Line(tmp_path_factory.mktemp("line"), {"web": lognormal(300), "books": [3000, 20, 500], "code": lognormal(80, 40, 2)})
    line.mix({"web": 0.6, "books": 0.2, "code": 0.2}, {"books": 3.0, "code": 9.0}, shard_tokens=4000, tokens=12_000, holdout=0.1)
    line.pack(seq_len=SEQ_LEN, window=100)
    return Path(line.out.path("pack"))


@pytest.fixture
def data(packed: Path) -> PackedDataset:
    return open_dataset(packed / "train")


def test_a_piece_is_what_it_says(data: PackedDataset) -> None:
    """Every token of a made-up document follows from its id and its place."""
    numbers = range(0, len(data), 7)
    pieces = list(pieces_of(data, numbers))
    assert any(piece.offset for piece in pieces)
    for number in numbers:
        tokens, begin = data.rows([number])[0].tokens, 0
        for piece in (piece for piece in pieces if piece.row == number):
            name = str(piece.facts["id"])
            wanted = ids_of(name, piece.offset + piece.tokens)[piece.offset :]
            inner = tokens[begin : begin + piece.tokens]
            assert (inner == wanted).mean() > 0.9 or piece.tokens < 12, "but for what marks its ends"
            assert str(piece.facts["source"]) in ("web", "books", "code")
            begin += piece.tokens


def test_without_pyarrow_there_are_numbers(data: PackedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    documents_module._table.cache_clear()
    monkeypatch.setattr(documents_module.importlib.util, "find_spec", lambda _name: None)
    first = next(pieces_of(data, [0]))
    assert first.facts == {}
    assert f"tokens {first.offset:,} to" in str(first)
    assert piece_sources(data, [0])[0] == ["unknown"]
    documents_module._table.cache_clear()


class Constant(torch.nn.Module):
    """A model that gives every target the loss of its label / 100."""

    def forward(self, _tokens: torch.Tensor, _positions: torch.Tensor, _mask: object, labels: torch.Tensor, *, each: bool) -> torch.Tensor:
        assert each
        return torch.where(labels >= 0, labels / 100, 0.0)


@pytest.mark.parametrize("rows_per_batch", [1, 3, 100])
def test_scores_by_source_are_sums_over_its_pieces(data: PackedDataset, rows_per_batch: int) -> None:
    """Token n spells n % 5 + 1 bytes."""
    text = TextDecoder({number: b"x" * (number % 5 + 1) for number in range(VOCAB)})
    held_out = HeldOut(data, 20, rows_per_batch, Masking())
    scores = Validation(held_out, text).scores(Constant(), World(0, 1, torch.device("cpu")), torch.float32)
    wanted: dict[str, list[float]] = {}
    for number in range(20):
        tokens, begin = data.rows([number])[0].tokens.astype(int), 0
        for piece in pieces_of(data, [number]):
            labels = tokens[begin + 1 : begin + piece.tokens]
            for name in (str(piece.facts["source"]), "all"):
                sums = wanted.setdefault(name, [0.0, 0, 0])
                for place, value in enumerate((labels.sum() / 100, len(labels), (labels % 5 + 1).sum())):
                    sums[place] += value
            begin += piece.tokens
    assert scores.keys() == wanted.keys()
    assert len(scores) == 4
    for name, score in scores.items():
        nats, targets, size = wanted[name]
        assert (score.nats, score.targets, score.bytes) == (pytest.approx(nats, rel=1e-5), targets, size)
        assert score.bits_per_byte == pytest.approx(nats / math.log(2) / size)


def test_uneven_batches_count_once(data: PackedDataset) -> None:
    held_out = HeldOut(data, 10, 3)
    dealt = [held_out.batches(rank, 3) for rank in range(3)]
    assert [len(batches) for batches in dealt] == [2, 2, 2]
    counted = [number for batches in dealt for batch, counts in batches if counts for number in batch.numbers]
    assert sorted(counted) == list(range(10))


def test_explain_step(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rows that a step names are those it trained on."""
    config = RunConfig(data=str(packed / "train"), out=str(tmp_path), steps=3, batch_tokens=4 * SEQ_LEN, sample_tokens=0)
    trainer = Trainer(config)
    trained = [number for batch in trainer.batches(1) for number in batch.numbers]
    trainer.run()
    capsys.readouterr()
    assert main(["explain-step", "2", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert list(dict.fromkeys(int(line.split()[1]) for line in lines)) == trained
    assert all("https://" in line for line in lines)
    assert main(["explain-step", "4", "--out", str(tmp_path)]) == 1
    assert "steps 1 to 3" in capsys.readouterr().err
    assert main(["explain-step", "1", "--out", str(tmp_path / "none")]) == 1


def test_validation_tells_sources(packed: Path, tmp_path: Path) -> None:
    config = RunConfig(
        data=str(packed / "train"),
        validation=str(packed / "validation"),
        out=str(tmp_path),
        steps=1,
        batch_tokens=4 * SEQ_LEN,
        sample_tokens=0,
    )
    Trainer(config).run()
    (told,) = [line for line in map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines()) if "sources" in line]
    assert set(told["sources"]) > {"all"}
    assert np.isclose(told["sources"]["all"]["loss"], told["validation_loss"])
