# ruff: noqa: E402 - the trainer is imported only where torch is
"""`eval` on a trained run: tasks and shards, as a table and as JSON; tokenizers that don't belong; and lm-evaluation-harness."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import pytest
from rows_kit import random_rows, write_dataset

torch = pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")
pytest.importorskip("tokenizers")

from eval_kit import write_tokenizer

from trainer import attention
from trainer.__main__ import main
from trainer.config import RunConfig
from trainer.decode import TextDecoder
from trainer.evaluate import HeldOut, Validation
from trainer.parallel import World
from trainer.runs import load
from trainer.shards import open_dataset
from trainer.train import Trainer

SEQ_LEN, VOCAB = 64, 300


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps, its tokenizer beside its shards."""
    folder = tmp_path_factory.mktemp("run")
    sha = hashlib.sha256(write_tokenizer(folder, VOCAB).read_bytes()).hexdigest()
    data = write_dataset(folder / "train", random_rows(6, SEQ_LEN, VOCAB), seq_len=SEQ_LEN, vocab_size=VOCAB, tokenizer_sha256=sha)
    Trainer(RunConfig(data=str(data), out=str(folder / "out"), steps=2, batch_tokens=SEQ_LEN, device="cpu", sample_tokens=0)).run()
    return folder


@pytest.fixture
def evals(tmp_path: Path) -> Path:
    (tmp_path / "birds_test.csv").write_text("Which fly?,ducks,cows,pigs,dogs,A\nWhich bark?,ducks,cows,pigs,dogs,D\n", "utf-8")
    row = {"question": "1 + 1?", "answer": "#### 2"}
    (tmp_path / "test.jsonl").write_text(f"{json.dumps(row)}\n" * 3, "utf-8")
    return tmp_path


def test_the_command(run: Path, evals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["eval", str(run / "out"), "--evals", str(evals), "--shards", str(run / "train"), "--shots", "0", "--device", "cpu"]
    assert main([*told, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"perplexity", "mmlu", "gsm8k"}
    everything = found["perplexity"]["sources"]["all"]
    assert everything["perplexity"] == pytest.approx(math.exp(everything["loss"]))
    assert (found["mmlu"]["items"], found["gsm8k"]["items"]) == (2, 3)
    assert main([*told, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert main(told) == 0
    assert "accuracy" in capsys.readouterr().out


def test_perplexity_is_that_of_training(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, text = open_dataset(run / "train"), TextDecoder.read(run / "tokenizer.json")
    held_out = HeldOut(data, len(data), 2, attention.Masking())
    scores = Validation(held_out, text).scores(load(run / "out"), World(0, 1, torch.device("cpu")), torch.float32)
    assert main(["eval", str(run / "out"), "--shards", str(run / "train"), "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["perplexity"]["sources"]["all"]
    assert found["loss"] == pytest.approx(scores["all"].loss, rel=1e-6)
    assert found["bits_per_byte"] == pytest.approx(scores["all"].bits_per_byte, rel=1e-6)


def test_other_tokenizers_are_refused(run: Path, evals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_tokenizer(tmp_path / "other", 320)
    foreign = write_dataset(tmp_path / "data", random_rows(2, SEQ_LEN, VOCAB), seq_len=SEQ_LEN, vocab_size=VOCAB)
    for given, said in (
        (["--evals", str(evals), "--tokenizer", str(other)], "not the tokenizer that"),
        (["--evals", str(evals), "--tokenizer", str(tmp_path / "none.json")], "is missing: pass --tokenizer"),
        (["--shards", str(foreign)], "made with another tokenizer"),
        ([], "give --evals"),
    ):
        assert main(["eval", str(run / "out"), "--device", "cpu", *given]) == 1
        assert said in capsys.readouterr().err


def test_lm_evaluation_harness(run: Path) -> None:
    """Its requests get the Scorer's answers; without it, one sentence says what to install."""
    from importlib.util import find_spec

    if find_spec("lm_eval") is None:
        from trainer.errors import TrainerError

        with pytest.raises(TrainerError, match="pip install lm-eval"):
            import trainer.lm_eval_adapter  # noqa: F401 - it can't be
        return
    from lm_eval.api.instance import Instance

    from trainer.lm_eval_adapter import TokenmillLM

    model = TokenmillLM(str(run / "out"), device="cpu")

    def asked(kind: str, *arguments: object) -> list[Instance]:
        return [Instance(request_type=kind, doc={}, arguments=arguments, idx=0)]

    pair = ("Q: What do ducks eat?\nA:", " Bread.")
    (found,) = model.loglikelihood(asked("loglikelihood", *pair))
    (wanted,) = model.scorer.likelihoods([pair])
    assert found == (wanted.nats, wanted.greedy)
    text = "Ducks eat many things. " * 20
    (whole,) = model.loglikelihood_rolling(asked("loglikelihood_rolling", text))
    assert whole == model.scorer.document(text).nats
    (made,) = model.generate_until(asked("generate_until", "Q: What", {"until": ["\n"], "max_gen_toks": 8, "do_sample": False}))
    assert "\n" not in made
    assert len(model.scorer.coder.ids([made])[0]) <= 16


def test_special_tokens_spell_nothing(tmp_path: Path) -> None:
    """By hand: tokens 1 (two bytes), 2 (one byte) and the special 3; losses are the labels. Bits: (1 + 2) / ln 2 over 3 bytes."""
    data = open_dataset(write_dataset(tmp_path / "d", [[[1, 1, 2, 3]]], seq_len=4, vocab_size=4))
    text = TextDecoder({1: b"ab", 2: b"c", 3: b"<|end|>"}, special=[3])

    class Labels(torch.nn.Module):
        def forward(self, _tokens: object, _positions: object, _mask: object, labels: torch.Tensor, *, each: bool) -> torch.Tensor:
            return labels.clamp(min=0).float()

    scores = Validation(HeldOut(data, 1, 1), text).scores(Labels(), World(0, 1, torch.device("cpu")), torch.float32)
    score = scores["all"]
    assert (score.nats, score.targets, score.spelled, score.bytes) == (6.0, 3, 3.0, 3)
    assert score.bits_per_byte == pytest.approx(1 / math.log(2))
    assert score.loss == 2.0


def test_a_number_of_tokens_below_none_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(run), "--shards", "anywhere", "--eval-tokens", "-500"]) == 1
    assert "--eval-tokens is -500" in capsys.readouterr().err
