"""The evaluations: read in their published formats, scored by their rules; a perfect model gets 1, a random one what chance gives."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the trainer needs torch: pip install -r requirements/train.txt")

from trainer.errors import ConfigError, DataError
from trainer.generate import Sampling
from trainer.harness import Questions, chosen, evaluate, lines, measures, spread
from trainer.tasks.gsm8k import Gsm8k, final, last_number
from trainer.tasks.humaneval import HumanEval, pass_at
from trainer.tasks.mmlu import Mmlu
from trainer.tasks.task import Item, Likelihood
from trainer.tasks.truthfulqa import TruthfulQa


class Answers:
    """A model by a function of prompt and option, and one of the prompt."""

    def __init__(self, nats: Any = None, text: Any = None) -> None:
        self.nats, self.text, self.counts = nats, text, Counter[str]()

    def likelihoods(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood]:
        return [Likelihood(self.nats(*pair), 1, False) for pair in pairs]

    def texts(self, prompt: str, tokens: int, stop: Sequence[str], how: Sampling, samples: int = 1) -> list[str]:
        return [self.text(prompt)] * samples


@pytest.fixture
def evals(tmp_path: Path) -> Path:
    """One small file of each format."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "bird_care_dev.csv").write_text("Which fly?,ducks,cows,pigs,dogs,A\nWhich bark?,ducks,cows,pigs,dogs,D\n", "utf-8")
    (tmp_path / "bird_care_test.csv").write_text(
        '"Which ""moo""?",ducks,"cows, all",pigs,dogs,B\nWhich oink?,ducks,cows,pigs,dogs,2\n', "utf-8"
    )
    (tmp_path / "TruthfulQA.csv").write_text(
        "Type,Category,Question,Best Answer,Correct Answers,Incorrect Answers,Source\n"
        "x,Birds,Do ducks fly?,Yes,Yes; They do,No; Never.,u\nx,Cows,Do cows fly?,No,Not at all,Yes,u\n",
        "utf-8",
    )
    rows = [{"question": f"What is {n} + 1?", "answer": f"{n} and 1 is <<{n}+1={n + 1}>>{n + 1}.\n#### {n + 1:,}"} for n in (1, 5, 1999)]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    problem = {
        "task_id": "HumanEval/0", "prompt": "def add(a, b):\n", "entry_point": "add", "canonical_solution": "    return a + b\n",
        "test": "def check(candidate):\n    assert candidate(2, 3) == 5\n",
    }  # fmt: skip
    (tmp_path / "HumanEval.jsonl.gz").write_bytes(gzip.compress(json.dumps(problem).encode()))
    return tmp_path


def test_mmlu(evals: Path) -> None:
    first, second = Mmlu().read([evals], 1)
    assert first.prompt == (
        "The following are multiple choice questions (with answers) about bird care.\n\n"
        "Which fly?\nA. ducks\nB. cows\nC. pigs\nD. dogs\nAnswer: A\n\n"
        'Which "moo"?\nA. ducks\nB. cows, all\nC. pigs\nD. dogs\nAnswer:'
    )
    assert (first.options, first.right, first.group, second.right) == ((" A", " B", " C", " D"), 1, "bird_care", 2)
    assert Mmlu().score(first, [Likelihood(nats, 1, False) for nats in (-3, -1, -2, -4)]) == {"accuracy": 1.0}
    assert Mmlu().score(first, [Likelihood(nats, 1, False) for nats in (-1, -1, -2, -4)]) == {"accuracy": 0.0}
    (evals / "dev" / "bird_care_dev.csv").unlink()
    with pytest.raises(ConfigError, match=r"bird_care_dev\.csv"):
        Mmlu().read([evals], 1)
    (evals / "bird_care_test.csv").write_text("Which?,a,b,c,d,E\n", "utf-8")
    with pytest.raises(DataError, match="question 1"):
        Mmlu().read([evals], 0)


def test_truthfulqa(evals: Path) -> None:
    """mc2 by hand: (e^-1 + e^-2) / (e^-1 + e^-2 + e^-1 + e^-3)."""
    ducks, cows = TruthfulQa().read([evals], 0)
    assert ducks == Item("Q: Do ducks fly?\nA:", (" Yes.", " They do.", " No.", " Never."), (2, 0), "Birds")
    assert cows.options == (" Not at all.", " No.", " Yes.")
    scores = TruthfulQa().score(ducks, [Likelihood(nats, 1, False) for nats in (-1, -2, -1, -3)])
    e = np.exp([-1, -2, -1, -3])
    assert scores == {"mc1": 0.0, "mc2": pytest.approx(e[:2].sum() / e.sum())}
    assert TruthfulQa().score(ducks, [Likelihood(nats, 1, False) for nats in (-1000, -2000, -1001, -3000)])["mc1"] == 1.0
    (cows,) = TruthfulQa().read([evals], 1)
    assert cows.prompt == "Q: Do ducks fly?\nA: Yes.\n\nQ: Do cows fly?\nA:"


@pytest.mark.parametrize(
    ("text", "exact", "last"),
    [
        ("so it is 7.\n#### 2,000", 1.0, 1.0), (" 2000.00 in all", 0.0, 1.0), ("#### 20", 0.0, 0.0), ("#### none, 2000", 1.0, 1.0),
        ("no number", 0.0, 0.0), ("#### \n2000", 0.0, 0.0), ("#### $2,000.", 1.0, 1.0),
    ],
)  # fmt: skip
def test_gsm8k_scores(text: str, exact: float, last: float) -> None:
    assert Gsm8k().score(Item("", right=Decimal(2000)), [text]) == {"exact": exact, "last_number": last}


def test_gsm8k(evals: Path) -> None:
    (item,) = Gsm8k().read([evals], 2)
    assert item.prompt.startswith("Question: What is 1 + 1?\nAnswer: 1 and 1 is <<1+1=2>>2.\n#### 2\n\nQuestion: What is 5")
    assert item.prompt.endswith("Question: What is 1999 + 1?\nAnswer:")
    assert item.right == 2000
    (evals / "train.jsonl").write_text(json.dumps({"question": "Train?", "answer": "#### 3"}), "utf-8")
    items = Gsm8k().read([evals], 5)
    assert len(items) == 3
    assert items[0].prompt.startswith("Question: Train?")
    assert (final("x"), last_number("a -3.5 b"), last_number("1,000,000")) == (None, Decimal("-3.5"), 1_000_000)


@pytest.mark.parametrize(("n", "c", "k", "wanted"), [(1, 1, 1, 1.0), (5, 0, 3, 0.0), (4, 1, 2, 0.5), (4, 3, 2, 1.0), (10, 3, 1, 0.3)])
def test_pass_at_k(n: int, c: int, k: int, wanted: float) -> None:
    """Of 4 texts, 1 right, two are drawn: half of the 6 pairs hold it."""
    assert pass_at(n, c, k) == pytest.approx(wanted)


def test_humaneval_runs_programs(evals: Path) -> None:
    task = HumanEval()
    (item,) = task.read([evals], 0)
    assert task.score(item, ["    return a + b\n"]) == {"pass@1": 1.0}
    assert task.score(item, ["    return a - b\n"] * 9 + ["    return b + a"]) == {"pass@1": pytest.approx(0.1), "pass@10": 1.0}
    assert task.facts()["programs"] == {"failed": 9, "passed": 2}


def test_a_perfect_model_and_a_random_one(corpus: Path) -> None:
    """On the published files: a model that knows gets 1 everywhere, one that draws gets a quarter of MMLU within four errors."""
    draw = np.random.default_rng(0)
    found = chosen("mmlu,truthfulqa", [corpus / "evals"], Questions())
    assert {name: len(items) for name, (_, items) in found.items()} == {"mmlu": 14_042, "truthfulqa": 817}
    for task, items in found.values():
        right = iter([number in _right(item) for item in items for number in range(len(item.options))])
        told = evaluate(Answers(lambda *_, right=right: 0.0 if next(right) else -1e3), task, items, Questions())
        assert all(score["value"] == pytest.approx(1.0) for score in told["measures"].values())
    task, items = found["mmlu"]
    told = evaluate(Answers(lambda *_: draw.random()), task, items, Questions())
    accuracy = told["measures"]["accuracy"]
    assert abs(accuracy["value"] - 0.25) < 4 * accuracy["stderr"]
    assert accuracy["stderr"] == pytest.approx((0.25 * 0.75 / len(items)) ** 0.5, rel=0.02)
    assert len(told["groups"]) == 57


def _right(item: Item) -> Sequence[int]:
    """The places of an item's right options."""
    return (item.right,) if isinstance(item.right, int) else range(item.right[0])


def test_the_published_solutions_are_right(corpus: Path) -> None:
    """Every tenth solution of HumanEval passes its tests, none without its body; every answer of GSM8K is found."""
    found = chosen("gsm8k,humaneval", [corpus / "evals"], Questions(limit=16))
    with gzip.open(corpus / "evals" / "humaneval" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        solutions = {row["prompt"]: row["canonical_solution"] for row in map(json.loads, file)}
    task, items = found["humaneval"]
    assert evaluate(Answers(text=solutions.__getitem__), task, items, Questions())["measures"]["pass@1"] == {"value": 1.0, "stderr": 0.0}
    assert evaluate(Answers(text=lambda _: "    pass\n"), task, items, Questions())["measures"]["pass@1"]["value"] == 0.0
    task, items = found["gsm8k"]
    answers = {item.prompt: f" #### {item.right}" for item in items}
    assert evaluate(Answers(text=answers.__getitem__), task, items, Questions())["measures"]["exact"]["value"] == 1.0


def test_the_harness(evals: Path) -> None:
    asked = Questions(shots=1, how=Sampling(0.5), samples=2)
    found = chosen(None, [evals], asked)
    assert list(found) == ["mmlu", "truthfulqa", "gsm8k", "humaneval"]
    model = Answers(lambda *_: -1.0, lambda _: "    return a + b")
    results = {name: evaluate(model, task, items, asked) for name, (task, items) in found.items()}
    assert results["humaneval"]["measures"] == {"pass@1": {"value": 1.0, "stderr": None}}
    assert results["humaneval"]["programs"] == {"passed": 2}
    assert any(line.split()[:3] == ["humaneval", "pass@1", "1.0000"] for line in lines(results))
    for names, told in (("arc", "'arc'"), ("mmlu", "no files of mmlu")):
        with pytest.raises(ConfigError, match=told):
            chosen(names, [evals / "dev"], Questions(shots=0))
    with pytest.raises(ConfigError, match="no such file"):
        chosen(None, [evals / "nowhere"], Questions())
    with pytest.raises(ConfigError, match="pass --temperature"):
        Questions(samples=2)


def test_measures_by_hand() -> None:
    assert measures([{"a": 1.0}, {"a": 0.0}]) == {"a": {"value": 0.5, "stderr": pytest.approx(0.5)}}
    items = [Item(str(number)) for number in range(10)]
    assert [item.prompt for item in spread(items, 3)] == ["0", "3", "6"]
    assert len(spread(items, 0)) == len(spread(items, 99)) == 10


@pytest.mark.parametrize(
    ("name", "content", "task"),
    [
        ("bird_care_test.csv", b"caf\xe9?,a,b,c,d,A\n", "mmlu"), ("TruthfulQA.csv", b"Type,Question\nx,caf\xe9\n", "truthfulqa"),
        ("test.jsonl", b'{"question": "caf\xe9"}\n', "gsm8k"), ("HumanEval.jsonl.gz", gzip.compress(b"{}" * 999)[:20], "humaneval"),
        ("HumanEval.jsonl.gz", b"{}", "humaneval"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(evals: Path, name: str, content: bytes, task: str) -> None:
    (evals / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} can't be read"):
        chosen(task, [evals], Questions())


def test_a_folder_and_one_within_it_are_asked_once(evals: Path) -> None:
    (evals / "more").mkdir()
    (evals / "more" / "HumanEval.jsonl").write_bytes(gzip.decompress((evals / "HumanEval.jsonl.gz").read_bytes()))
    assert len(HumanEval().read([evals, evals / "more"], 0)) == 2


def test_a_problem_without_a_number_is_none(evals: Path) -> None:
    (evals / "test.jsonl").write_text('{"question": "Why?", "answer": "So.\\n#### because"}\n', "utf-8")
    assert Gsm8k().read([evals], 0) == []
